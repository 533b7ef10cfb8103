"""The console command `videossr`. Heavy imports stand inside the verbs, so that --help is instant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from videossr_verl.errors import BadInput

BUILD_HELP = """\
Turns raw videos into questions whose answers are known, because the change in the video was made by us.
Nothing is annotated and no pixel is written: a row tells which frames to show and how to change them.

  videossr build videos/ --out data/pretext
  videossr build videos/ "more/**/*.webm" @list.txt --out data/pretext --count 30000 --test-count 600
  videossr build videos/ --out data/pretext \\
      --mix anomaly_grounding=12000,temporal_jigsaw=12000,object_counting=6000
  videossr build videos/ --out data/mvp --preset mvp --embedding openai/clip-vit-base-patch32
  videossr build videos/ --out data/both --preset videossr_mvp --embedding built_in

Writes into DIR
  train.parquet, test.parquet   rows in verl's schema; the two never share a source video
  dataset.json                  settings, counts, chance level of each task, fingerprint
  rejected.jsonl                each video that is not used, and why
The same command gives the same bytes on any number of workers. A build that was killed goes on where it was
when it is started again, and a finished one is recognised.
"""

INSPECT_HELP = """\
Draws a picture of samples: the frames as the model is shown them, changed frames framed in colour, each
frame's time, the question and the answer.

  videossr inspect data/pretext --out sheet.png
  videossr inspect data/pretext --out sheet.png --split test --rows 3
"""

REPORT_HELP = """\
Shows what a training run learned: per task the held-out reward and exact rate before and after, beside chance
and, where the validation files hold it, the blind control. Writes curves.png into the run. Of several runs that
differ in their seed, it prints the mean gain and the spread.

  videossr report runs/quickstart/qwen2_5_vl-seed1
  videossr report runs/quickstart/qwen2_5_vl-seed* --picture seeds.png
"""

PARITY_HELP = """\
Compares what the rollout (vLLM) and the trainer (verl with transformers) make of the same video prompts: token
ids, grids, positions, and the time at which each pair of frames is shown. Needs neither weights nor a GPU, only
the model's configuration. Training does the same by itself when it starts (data.parity: stop, warn or off).

  videossr parity --model Qwen/Qwen2.5-VL-7B-Instruct
  videossr parity --model models/Qwen2.5-VL-7B-Instruct --data data/pretext

Exit code: 0 the same, 1 different, 2 wrong input, 3 vLLM cannot be set up here, so nothing is known.
"""


EVAL_HELP = """\
Asks a model every question of a data set and scores the answers with the training's own parsers and rewards.

  videossr eval --model Qwen/Qwen3-VL-8B-Instruct --data data/pretext/test.parquet --out results/base
  videossr eval --model runs/mvp/checkpoint --data viubench/viubench/test.parquet --out results/mine
  videossr eval --model gpt-5 --base-url https://api.openai.com/v1 --data data/pretext/test.parquet --out results/gpt-5

Greedy unless told otherwise. vLLM runs in this process; with --base-url any server with OpenAI's interface answers
(its key comes from $OPENAI_API_KEY; frames are sent as images with their times). A run that was stopped goes on
with the same command. Writes answers.jsonl, scores.json, scores.md and scores.png into DIR. A question whose video
cannot be shown, or whose answer cannot be read, earns 0 and stays in the mean.
"""

PROBE_HELP = """\
Samples a group of answers to each question, as GRPO does, and shows which difficulty teaches this model something:
groups whose answers all earn the same have no advantage and teach nothing.

  videossr probe --model Qwen/Qwen2.5-VL-7B-Instruct --data data/levels/train.parquet -k 8 --limit 200

To compare difficulties, build a data set whose preset has several subsets of a task (see data_preprocess/presets.py).
"""

VIUBENCH_HELP = """\
The benchmark of VideoSSR: 9 subtypes with 300 questions each, scored exactly as published.

  videossr viubench build heldout_videos/ --out viubench --training data/pretext
  videossr viubench score viubench --answers answers.jsonl --name my-model --out results
"""

VIUBENCH_BUILD_HELP = """\
Makes VIUBench from videos that no training set holds: compared by content, and refused where one does.
Byte-identical for the same videos and seed; viubench.json tells the files' SHA-256.

  videossr viubench build heldout_videos/ --out viubench --training data/pretext --training data/mvp
  videossr viubench build heldout_videos/ --out viubench --mvp --embedding built_in

Writes viubench/test.parquet and, with --mvp, mvp/test.parquet (ours, never in VIUBench's average) into DIR.
"""

VIUBENCH_SCORE_HELP = """\
Scores answers as published: mIoU of grounding, exact match per shape of counting, whole permutations of jigsaw;
Overall is the plain mean of the 9 columns. What is missing or cannot be read counts 0. Shows the model among the
published ones, with intervals that resample videos, and with what can be had without looking.

  videossr viubench score viubench --answers answers.jsonl --name my-model --out results

answers.jsonl has one line {"id": index of the row, "answer": "..."} a question. Writes viubench.json and viubench.md.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns its exit code: 2 for wrong input (after one sentence on stderr), 130 after Ctrl-C."""
    args = _parser().parse_args(argv)
    try:
        return args.verb(args) or 0
    except BadInput as error:
        print(f"videossr: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("videossr: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="videossr", description="Self-supervised video tasks for GRPO with verl.")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_build(_verb(verbs, "build", _build, "make a dataset from raw videos", BUILD_HELP))
    _add_inspect(_verb(verbs, "inspect", _inspect, "draw a picture of a dataset's samples", INSPECT_HELP))
    _add_viubench(_verb(verbs, "viubench", _viubench, "make or score the benchmark VIUBench", VIUBENCH_HELP))
    _add_eval(_verb(verbs, "eval", _eval, "ask a model the questions of a data set", EVAL_HELP))
    _add_probe(_verb(verbs, "probe", _probe, "see which difficulty fits a model", PROBE_HELP))
    _add_report(_verb(verbs, "report", _report, "show what a training run learned", REPORT_HELP))
    _add_parity(_verb(verbs, "parity", _parity, "compare what rollout and trainer see", PARITY_HELP))
    return parser


def _verb(
    verbs: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    summary: str,
    text: str,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name, help=summary, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(verb=run)
    return parser


def _add_build(parser: argparse.ArgumentParser) -> None:
    def option(name: str, metavar: str, text: str, **kwargs: Any) -> None:
        parser.add_argument(name, metavar=metavar, help=text, **kwargs)

    option("videos", "VIDEOS", "folder (searched in depth), glob, video, or @list.txt", nargs="+")
    option("--out", "DIR", "folder for the dataset", required=True)
    text = "clips, difficulty and mix: videossr (the paper's, default), mvp, mvp_easy, mvp_hard, mvp_harder, "
    text += "videossr_mvp (both), videossr_tiny (laptops) or your own .yaml file"
    option("--preset", "NAME", text, default="videossr")
    text = "train samples (default: one per train video and task, fewer where a clip cannot carry a task)"
    option("--count", "N", text, type=int)
    option("--test-count", "N", "test samples (default: in proportion to the test videos)", type=int)
    text = "share of the videos kept for test (default: that of the counts if both are given, else 0.1)"
    option("--test-share", "X", text, type=float)
    option("--mix", "TASK=N,...", "with --count: weights; without: exact numbers of train samples")
    option("--seed", "S", "of everything random but the split (default 0)", type=int, default=0)
    option("--data-root", "DIR", "the rows' paths are relative to it (default: the deepest common folder)")
    text = "model folder whose processor counts the prompt tokens, so that training need not; may be repeated"
    option("--model", "PATH", text, action="append", default=[])
    option("--workers", "W", "processes (default: one per core)", type=int)
    text = "what tells masked_video_prediction which frames look alike: a CLIP folder or hub name, or built_in, "
    text += "which needs no weights (default: as in the preset)"
    option("--embedding", "NAME", text)
    text = "keep the embeddings of frames here, so that builds with other knobs need not make them again"
    option("--keep-embeddings", "DIR", text)
    text = "run on this Ray cluster ('auto', 'host:port', 'local'); its nodes see the videos at the same path"
    option("--ray-address", "ADDR", text)
    text = "a video that takes longer to read or to decode is rejected (default 600)"
    option("--timeout", "SECONDS", text, type=float, default=600.0)


def _build(args: argparse.Namespace) -> None:
    from data_preprocess.build import BuildSettings, build
    from data_preprocess.presets import parse_mix

    settings = BuildSettings(
        sources=tuple(args.videos),
        out=args.out,
        preset=args.preset,
        count=args.count,
        test_count=args.test_count,
        test_share=args.test_share,
        seed=args.seed,
        mix=parse_mix(args.mix) if args.mix else None,
        data_root=args.data_root,
        models=tuple(args.model),
        embedding=args.embedding,
        embedding_folder=args.keep_embeddings,
        workers=args.workers,
        ray_address=args.ray_address,
        timeout=args.timeout,
    )
    result = build(settings)
    print(f"{args.out}: {result['samples']['train']} train and {result['samples']['test']} test samples")
    for task, numbers in result["tasks"].items():
        chance = "-" if numbers["chance"] is None else f"{numbers['chance']:.3f}"
        samples = numbers["samples"]
        print(f"  {task:<20} train {samples['train']:>6}   test {samples['test']:>5}   chance {chance}")
    videos = result["videos"]
    used = f"{videos['used']['train']} in train, {videos['used']['test']} in test"
    unused = ", ".join(f"{n} {reason}" for reason, n in sorted(videos["not_used"].items()))
    print(f"  videos: {videos['found']} found, {used}" + (f"; not used: {unused}" if unused else ""))


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", metavar="DATASET", help="folder that `videossr build` wrote")
    add("--out", required=True, metavar="FILE.png", help="the picture")
    add("--rows", type=int, default=1, metavar="N", help="samples of each task (default 1)")
    add("--split", choices=("train", "test"), default="train", help="default: train")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")


def _inspect(args: argparse.Namespace) -> None:
    from videossr_verl.contact_sheet import draw_contact_sheet

    drawn = draw_contact_sheet(args.dataset, args.out, rows=args.rows, split=args.split, data_root=args.data_root)
    print(f"{args.out}: {drawn} samples")


def _add_viubench(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    build = _verb(verbs, "build", _build_viubench, "make the benchmark", VIUBENCH_BUILD_HELP)
    add = build.add_argument
    add("videos", metavar="VIDEOS", nargs="+", help="folder (searched in depth), glob, video, or @list.txt")
    add("--out", metavar="DIR", required=True, help="folder for the benchmark")
    text = "dataset of `videossr build` that was trained on; may be repeated (default: none is compared)"
    add("--training", metavar="DATASET", action="append", default=[], help=text)
    add("--samples", metavar="N", type=int, default=300, help="questions of each subtype (default 300)")
    add("--mvp", action="store_true", help="masked video prediction beside it, at three difficulties")
    add("--embedding", metavar="NAME", help="for --mvp: a CLIP folder or hub name, or built_in (default: CLIP)")
    add("--seed", metavar="S", type=int, default=0, help="of everything random (default 0)")
    add("--data-root", metavar="DIR", help="the rows' paths are relative to it (default: the deepest common folder)")
    add("--workers", metavar="W", type=int, help="processes (default: one per core)")
    score = _verb(verbs, "score", _score_viubench, "score a model's answers", VIUBENCH_SCORE_HELP)
    add = score.add_argument
    add("benchmark", metavar="DIR", help="folder that `videossr viubench build` wrote")
    add("--answers", metavar="FILE", required=True, help="answers.jsonl")
    add("--name", metavar="MODEL", default="model", help="how the table calls it (default: model)")
    add("--out", metavar="DIR", help="where viubench.json and viubench.md go (default: only print)")


def _viubench(args: argparse.Namespace) -> None:
    raise AssertionError("argparse requires a verb")


def _build_viubench(args: argparse.Namespace) -> None:
    from data_preprocess.build import BuildSettings
    from data_preprocess.viubench import BenchmarkSettings, build_viubench

    how = BuildSettings(
        sources=tuple(args.videos),
        out=args.out,
        seed=args.seed,
        data_root=args.data_root,
        embedding=args.embedding,
        workers=args.workers,
    )
    told = build_viubench(BenchmarkSettings(how, tuple(args.training), args.samples, args.mvp))
    counts = ", ".join(f"{sum(part.values())} questions in {name}" for name, part in told["parts"].items())
    checked = told["training_videos_checked"]
    print(f"{args.out}: {counts}; compared with {checked} training videos")


def _score_viubench(args: argparse.Namespace) -> None:
    from videossr_verl.evaluation.viubench_report import write_scores

    print(write_scores(args.benchmark, args.answers, args.name, args.out))


def _add_asking(parser: argparse.ArgumentParser, temperature: float, why: str) -> None:
    """Options of the verbs that ask a model the questions of a data set."""
    add = parser.add_argument
    add("--model", required=True, metavar="PATH", help="model folder or hub name, or its name at the server")
    add("--data", required=True, metavar="FILE", help="parquet file of `videossr build` or `videossr viubench build`")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")
    add("--base-url", metavar="URL", help="of a server with OpenAI's interface, e.g. http://localhost:8000/v1")
    add("--temperature", metavar="T", type=float, default=temperature, help=f"default {temperature:g}: {why}")
    add("--max-tokens", metavar="N", type=int, default=128, help="of an answer (default 128)")
    add("--limit", metavar="N", type=int, help="only the first N questions")
    add("--tensor-parallel", metavar="N", type=int, default=1, help="GPUs that share the model (default 1)")


def _add_eval(parser: argparse.ArgumentParser) -> None:
    _add_asking(parser, 0.0, "greedy")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for answers and scores")


def _eval(args: argparse.Namespace) -> None:
    from pathlib import Path

    from videossr_verl.dataset_folder import stored_data_root
    from videossr_verl.evaluation.evaluate import EvalSettings, evaluate

    settings = EvalSettings(
        model=args.model,
        data=args.data,
        data_root=args.data_root or stored_data_root(Path(args.data).parent),
        out=args.out,
        base_url=args.base_url,
        temperature=args.temperature,
        max_tokens=args.max_tokens,
        limit=args.limit,
    )
    print(evaluate(settings, {"tensor_parallel_size": args.tensor_parallel}))


def _add_probe(parser: argparse.ArgumentParser) -> None:
    _add_asking(parser, 1.0, "as in training")
    add = parser.add_argument
    add("-k", dest="group", metavar="K", type=int, default=8, help="answers to each question (default 8)")
    add("--out", metavar="FILE.json", help="the figures as JSON")


def _probe(args: argparse.Namespace) -> None:
    from pathlib import Path

    from videossr_verl.dataset_folder import stored_data_root
    from videossr_verl.evaluation import probe
    from videossr_verl.evaluation.evaluate import check_numbers, open_engine
    from videossr_verl.evaluation.questions import read_questions

    if args.group < 2:
        raise BadInput(f"-k is {args.group}, must be at least 2: one answer has no variance")
    check_numbers(args.limit, args.max_tokens, args.temperature)
    rows = read_questions(args.data)[: args.limit]
    root = args.data_root or stored_data_root(Path(args.data).parent)
    engine = open_engine(args.model, args.base_url, rows, {"tensor_parallel_size": args.tensor_parallel})
    sampled = probe.sample_groups(rows, root, engine, args.group, args.temperature, args.max_tokens)
    if len(sampled) < len(rows):
        print(f"note: {len(rows) - len(sampled)} of {len(rows)} videos cannot be shown: left out", file=sys.stderr)
    found = probe.fits(rows, sampled)
    print(probe.as_text(found))
    if args.out:
        probe.write_probe(found, args.out)


def _add_report(parser: argparse.ArgumentParser) -> None:
    text = "folder with metrics/*.jsonl of verl's file logger"
    parser.add_argument("runs", metavar="RUN", nargs="+", help=text)
    parser.add_argument("--picture", metavar="FILE.png", help="with several runs: where to draw their curves")


def _report(args: argparse.Namespace) -> None:
    from videossr_verl.report import compare_seeds, write_report

    print(write_report(args.runs[0]) if len(args.runs) == 1 else compare_seeds(args.runs, args.picture))


def _add_parity(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model", required=True, metavar="PATH", help="model folder (weights may be missing) or hub name")
    add("--data", metavar="DATASET", help="folder of `videossr build`, or a .parquet file (default: built-in videos)")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")


def _parity(args: argparse.Namespace) -> int:
    import os
    from pathlib import Path

    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # it writes to standard output

    from videossr_verl.dataset_folder import stored_data_root
    from videossr_verl.parity import NoRollout, compare

    data, root = args.data, args.data_root
    if data:
        folder = Path(data) if Path(data).is_dir() else Path(data).parent
        data = str(folder / "train.parquet") if Path(data).is_dir() else data
        root = root or stored_data_root(folder)
    different = 0
    try:
        for name, found in compare(args.model, data, root):
            print(f"{name}: {'different' if found else 'the same'}")
            for sentence in found:
                print(f"  {sentence}.")
            different += bool(found)
    except NoRollout as error:
        print(f"videossr: vLLM cannot be set up here: {error}", file=sys.stderr)
        return 3
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
