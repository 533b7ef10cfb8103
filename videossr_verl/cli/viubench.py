"""`videossr viubench build` and `videossr viubench score`."""

from __future__ import annotations

import argparse

from videossr_verl.cli.verb import add_verb
from videossr_verl.printable import tell

SUMMARY = "make or score the benchmark VIUBench"
HELP = """\
The benchmark of VideoSSR: 9 subtypes with 300 questions each, scored exactly as published.

  videossr viubench build heldout_videos/ --out viubench --training data/pretext
  videossr viubench score viubench --answers answers.jsonl --name my-model --out results
"""

BUILD_HELP = """\
Makes VIUBench from videos that no training set holds. Compares them by what they show, and refuses a video that a
training set has. The same videos and seed give the same bytes; viubench.json tells the files' SHA-256.

  videossr viubench build heldout_videos/ --out viubench --training data/pretext --training data/mvp
  videossr viubench build heldout_videos/ --out viubench --mvp --embedding built_in

Writes viubench/test.parquet and, with --mvp, mvp/test.parquet (ours, never in VIUBench's average) into DIR.
"""

SCORE_HELP = """\
Scores answers as published: mIoU of grounding, exact match per shape of counting, whole permutations of jigsaw;
Overall is the plain mean of the 9 columns. A missing answer, or one that cannot be read, counts 0. Shows the model
among the published ones, with intervals that resample videos. Beside them stand what an answer earns without looking,
and what the best rules without learning earn (see `videossr attack`).

  videossr viubench score viubench --answers answers.jsonl --name my-model --out results

answers.jsonl has one line {"id": index of the row, "answer": "..."} a question. Writes viubench.json and viubench.md,
and with --mvp-answers mvp.json and mvp.md: masked video prediction is ours, and never in VIUBench's average.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two verbs below this one."""
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, dest="viubench")
    _add_build(add_verb(verbs, "build", "make the benchmark", BUILD_HELP))
    _add_score(add_verb(verbs, "score", "score a model's answers", SCORE_HELP))


def run(args: argparse.Namespace) -> None:
    """Builds or scores."""
    (_build if args.viubench == "build" else _score)(args)


def _add_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("videos", metavar="VIDEOS", nargs="+", help="folder (searched in depth), glob, video, or @list.txt")
    add("--out", metavar="DIR", required=True, help="folder for the benchmark")
    text = "dataset of `videossr build` that was trained on; may be repeated (default: none is compared)"
    add("--training", metavar="DATASET", action="append", default=[], help=text)
    add("--samples", metavar="N", type=int, default=300, help="questions of each subtype (default 300)")
    add("--mvp", action="store_true", help="masked video prediction beside it, at three difficulties")
    add("--embedding", metavar="NAME", help="for --mvp: a CLIP folder or hub name, or built_in (default: CLIP)")
    add("--seed", metavar="S", type=int, default=0, help="seed of everything random (default 0)")
    add("--data-root", metavar="DIR", help="the rows' paths are relative to it (default: the deepest common folder)")
    add("--decoder", metavar="NAME", help="what reads the files, pyav (default) or decord: see videossr build --help")
    add("--workers", metavar="W", type=int, help="processes (default: one per core)")
    text = "model folder whose processor counts the prompt tokens; may be repeated"
    add("--model", metavar="PATH", action="append", default=[], help=text)


def _add_score(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("benchmark", metavar="DIR", help="folder that `videossr viubench build` wrote")
    add("--answers", metavar="FILE", required=True, help="answers.jsonl")
    add("--mvp-answers", metavar="FILE", help="answers to the part with masked video prediction, scored apart")
    add("--name", metavar="MODEL", default="model", help="how the table calls it (default: model)")
    add("--out", metavar="DIR", help="where viubench.json and viubench.md go (default: only print)")


def _build(args: argparse.Namespace) -> None:
    from data_preprocess.build import BuildSettings
    from data_preprocess.viubench import BenchmarkSettings, build_viubench

    how = BuildSettings(
        sources=tuple(args.videos),
        out=args.out,
        seed=args.seed,
        data_root=args.data_root,
        embedding=args.embedding,
        decoder=args.decoder,
        workers=args.workers,
        models=tuple(args.model),
    )
    result = build_viubench(BenchmarkSettings(how, tuple(args.training), args.samples, args.mvp))
    counts = ", ".join(f"{sum(part.values())} questions in {name}" for name, part in result["parts"].items())
    checked = result["training_videos_checked"]
    tell(f"{args.out}: {counts}; compared with {checked} training videos")


def _score(args: argparse.Namespace) -> None:
    from videossr_verl.evaluate.viubench.report import write_scores

    tell(write_scores(args.benchmark, args.answers, args.name, args.out, args.mvp_answers))
