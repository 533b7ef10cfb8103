"""Raw videos -> train.parquet, test.parquet, dataset.json, rejected.jsonl.

probe every file -> keep each content once -> split by content -> decode each needed video once and draw from
it -> choose -> write. The stages leave small pieces in OUT/.build (see `work_folder`), so that a build which
was killed and is started again ends with the same bytes; `dataset.json` is written last and means that the
dataset is complete.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from data_preprocess.corpus import Corpus, find_videos
from data_preprocess.describe import RowSummary, describe, library_versions
from data_preprocess.draw_corpus import SampleStore, draw_split
from data_preprocess.draw_samples import DrawSettings
from data_preprocess.isolated import run_isolated
from data_preprocess.plan import Pick, partners, share_out, shuffled, split_videos
from data_preprocess.presets import Preset, load_preset, with_embedding, with_mix
from data_preprocess.probe_corpus import Rejected, Run, Video, probe_corpus
from data_preprocess.seeds import digest
from data_preprocess.work_folder import NAME as WORK_NAME
from data_preprocess.work_folder import WorkFolder, open_work_folder, remove_work_folder
from data_preprocess.write_dataset import compact, write_parquet, write_text
from videossr_verl.errors import BadInput
from videossr_verl.video.embedding import BUILT_IN, describe_embedding

FILES = ("train.parquet", "test.parquet", "rejected.jsonl", "dataset.json")  # as they appear
SPLITS = ("train", "test")
TEST_SHARE = 0.1


@dataclass(frozen=True)
class BuildSettings:
    """What to build. The result does not depend on `workers`, `ray_address`, `timeout`, `embedding_folder`.

    Attributes:
        sources: folders, globs, videos, "@list.txt" (see `find_videos`).
        out: folder for the dataset.
        preset: name or YAML file (see `presets`).
        count: train samples; None: one for each train video and task (fewer where clips cannot carry a task),
            or the sum of `mix`.
        test_count: test samples; None: in the same proportion to `count` as the videos.
        test_share: share of the videos kept for test, 0 <= x <= 1; None: the test samples' share, else 0.1. With 1
            there are test samples only, and `mix` has their numbers.
        seed: of everything random, >= 0.
        mix: task -> weight with `count`, else task -> number of train samples; None: the preset's weights.
        data_root: folder that paths in the rows are relative to; None: the deepest common one.
        models: model folders whose processors count `num_prompt_tokens`.
        embedding: "built_in" or a CLIP checkpoint (see `videossr_verl.video.embedding`); None: as the preset says.
        embedding_folder: keeps embeddings of frames for later builds; None: in the work folder, gone at the end.
        workers: processes on this machine; None: one per core.
        ray_address: run on this Ray cluster instead.
        timeout: seconds for one video in one stage; then it is rejected ("timeout").
    """

    sources: tuple[str, ...]
    out: str
    preset: str = "videossr"
    count: int | None = None
    test_count: int | None = None
    test_share: float | None = None
    seed: int = 0
    mix: Mapping[str, float] | None = None
    data_root: str | None = None
    models: tuple[str, ...] = ()
    embedding: str | None = None
    embedding_folder: str | None = None
    workers: int | None = None
    ray_address: str | None = None
    timeout: float = 600.0

    def __post_init__(self) -> None:
        for name, low in (("count", 1), ("test_count", 0), ("seed", 0), ("workers", 1), ("timeout", 1)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise BadInput(f"{name.replace('_', ' ')} is {value}, must be at least {low}")
        if self.test_share is not None and not 0 <= self.test_share <= 1:
            raise BadInput(f"test share is {self.test_share}, must be from 0 to 1")
        if self.test_share == 1 and (self.count is not None or not self.mix):
            raise BadInput("a test share of 1 makes no train samples: give exact numbers of test samples as the mix")
        if self.test_share == 0 and self.test_count:
            raise BadInput(f"{self.test_count} test samples cannot come from a test share of 0")
        if self.mix and self.count is None and not all(float(n).is_integer() for n in self.mix.values()):
            raise BadInput("the mix has weights that are not whole numbers, so it needs a count (--count)")


def build(settings: BuildSettings) -> dict[str, Any]:
    """Builds the dataset, unless it is there already, and returns the content of its `dataset.json`.

    Raises:
        BadInput: wrong settings, no usable video, counts that cannot be met, or another dataset in `out`.
    """
    preset = load_preset(settings.preset)
    if settings.mix:
        preset = with_mix(preset, settings.mix)
    if settings.embedding:
        preset = with_embedding(preset, settings.embedding)
    counters = _token_counters(settings.models)
    embeddings = _embeddings(preset, settings.ray_address)
    corpus = find_videos(settings.sources, settings.data_root)
    _note_left_out(corpus)
    request = _request(settings, preset, corpus, [c.key for c in counters], embeddings)
    out = Path(settings.out)
    if (done := _finished(out, request)) is not None:
        return done
    with open_work_folder(out) as work:
        run = _runner(settings, use_gpus=any(name != BUILT_IN for name in embeddings))
        videos, rejected = probe_corpus(
            corpus, list(dict.fromkeys(subset.clip for subset in preset.subsets.values())), work, run
        )
        if not videos:
            remove_work_folder(out)
            reasons = Counter(line["reason"] for line in rejected).most_common()
            told = ", ".join(f"{n} {reason}" for reason, n in reasons)
            raise BadInput(f"none of the {len(corpus.videos + corpus.outside)} videos is usable: {told}")
        _warn_of_bugs(rejected)
        folder = os.path.abspath(settings.embedding_folder or work.folder / "embeddings")
        draw = DrawSettings(settings.seed, preset.subsets, embeddings, folder)
        by_id = {video.content_id: video for video in videos}
        splits = dict(zip(SPLITS, split_videos(by_id, _test_share(settings)), strict=True))
        others = {c: by_id[o] for ids in splits.values() for c, o in partners(ids, settings.seed).items()}
        store = SampleStore(corpus, work, draw, library_versions(), others)
        picks, drawn_rejected = _draw(settings, preset, splits, by_id, store, run)
        rejected += drawn_rejected + _unused(videos, picks, drawn_rejected)
        summary = RowSummary(counters)
        fingerprints = _write(work, picks, by_id, store, preset.name, summary)
        write_text("".join(sorted(compact(line) + "\n" for line in rejected)), work.folder / "rejected.jsonl")
        result = describe(
            preset, settings.seed, corpus, videos, rejected, picks, fingerprints, summary, embeddings, request
        )
        write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", work.folder / "dataset.json")
        _publish(work.folder, out)
    remove_work_folder(out)
    return result


def _token_counters(models: tuple[str, ...]) -> list[Any]:
    if not models:
        return []
    from videossr_verl.prompt_tokens import PromptTokenCounter, load_processor  # takes seconds to import

    counters = [PromptTokenCounter(load_processor(model)) for model in models]
    return list({counter.key: counter for counter in counters}.values())


def _embeddings(preset: Preset, ray_address: str | None) -> dict[str, dict[str, str]]:
    """What each embedding is that the tasks ask for. One that cannot be loaded is told before the videos are read."""
    knobs = [subset.difficulty for subset in preset.subsets.values()]
    names = sorted({one.embedding for one in knobs if hasattr(one, "embedding")})
    for name in names:
        if ray_address and os.path.isdir(name) and not os.path.isabs(name):
            raise BadInput(
                f"embedding '{name}' is a relative path, which a Ray worker cannot find; give an absolute one"
            )
    return {name: describe_embedding(name) for name in names}


def _request(
    settings: BuildSettings,
    preset: Preset,
    corpus: Corpus,
    token_counts: list[str],
    embeddings: Mapping[str, Mapping[str, str]],
) -> str:
    """Identifies what is asked for: the settings, and the corpus by names and sizes."""
    sizes = [(v, os.path.getsize(p) if os.path.exists(p := corpus.path(v)) else None) for v in corpus.videos]
    sizes += [(v, "outside") for v in corpus.outside]
    numbers = [settings.count, settings.test_count, settings.test_share, settings.seed, bool(settings.mix)]
    return digest(numbers, repr(preset), corpus.root, sizes, token_counts, embeddings, library_versions())


def _finished(out: Path, request: str) -> dict[str, Any] | None:
    """The dataset.json in `out` if it is of this request; BadInput if of another one."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out '{out}' is a file, must be a folder")
    try:
        found = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        found = {}
    if found.get("request") != request or not all((out / name).is_file() for name in FILES):
        raise BadInput(f"'{out}' holds another dataset already; give another --out, or delete it to build anew")
    remove_work_folder(out)
    return found


def _runner(settings: BuildSettings, use_gpus: bool) -> Run:
    if settings.ray_address:
        from data_preprocess.ray_tasks import run_on_ray

        return partial(run_on_ray, settings.ray_address, timeout=settings.timeout, use_gpus=use_gpus)
    workers = settings.workers or len(os.sched_getaffinity(0))
    return partial(run_isolated, workers=workers, timeout=settings.timeout)


def _draw(
    settings: BuildSettings,
    preset: Preset,
    splits: Mapping[str, list[str]],
    videos: Mapping[str, Video],
    store: SampleStore,
    run: Run,
) -> tuple[dict[str, list[Pick]], list[Rejected]]:
    """The picks of both splits in row order, and the videos or tasks that failed on the way."""
    wanted = _wanted(settings, preset, len(splits["train"]))
    counts_are_given = any((settings.count, settings.mix, settings.test_count))
    picks, short, impossible, rejected = {}, [], [], []
    for split, ids in splits.items():
        chosen, drawn = draw_split(split, {c: videos[c] for c in ids}, wanted[split], store, run)
        picks[split] = shuffled(chosen, settings.seed)
        rejected += drawn.rejected
        for subset, count in sorted(wanted[split].items()):
            possible = drawn.possible(subset)
            if possible < count:
                short.append(f"{possible} of {count} {split} samples of {subset}")
                impossible += [subset] if not possible and split == "train" else []
    _warn_of_bugs(rejected)
    if short and (counts_are_given or impossible):
        why = [line["detail"] for line in rejected if line.get("task") in impossible[:1]]
        reason = f" ({why[0]})" if why else ""
        raise BadInput(
            f"the videos cannot give so many samples: possible are {', '.join(short)}, from "
            f"{len(splits['train'])} train and {len(splits['test'])} test videos{reason}; "
            f"lower the counts, ease the task or add videos (work so far: {Path(settings.out) / WORK_NAME})"
        )
    if short:
        print(f"note: not every video can carry every task; there are {', '.join(short)}", file=sys.stderr)
    return picks, rejected


def _test_share(settings: BuildSettings) -> float:
    if settings.test_count == 0:
        return 0.0
    if settings.test_share is not None:
        return settings.test_share
    count = settings.count or int(sum((settings.mix or {}).values()))
    tests = settings.test_count
    return tests / (count + tests) if count and tests else TEST_SHARE


def _wanted(settings: BuildSettings, preset: Preset, train_videos: int) -> dict[str, dict[str, int]]:
    """Samples by split and task."""
    if settings.mix and settings.count is None:
        train = {task: int(n) for task, n in settings.mix.items()}
    else:
        train = share_out(settings.count or train_videos * len(preset.weights), preset.weights)
    share = _test_share(settings)
    if share == 1:
        return {"train": {}, "test": train}
    test_count = settings.test_count
    if test_count is None:
        in_proportion = round(sum(train.values()) * share / (1 - share))
        test_count = max(in_proportion, len(preset.weights) if share else 0)
    return {"train": train, "test": share_out(test_count, preset.weights)}


def _unused(videos: list[Video], picks: Mapping[str, list[Pick]], rejected: list[Rejected]) -> list[Rejected]:
    """A line for every usable video that gives no sample and has no line yet."""
    used = {pick.content_id for chosen in picks.values() for pick in chosen}
    failed = {line["video"] for line in rejected if "task" not in line}
    rest = [v.video for v in videos if v.content_id not in used and v.video not in failed]
    # What could not carry one task and was not taken for another one is listed with what was wrong with it.
    why = {line["video"]: (line["reason"], line["detail"]) for line in rejected if "task" in line}
    enough = ("not_needed", "the counts are met by other videos")
    return [dict(zip(("video", "reason", "detail"), (v, *why.get(v, enough)), strict=True)) for v in rest]


def _write(
    work: WorkFolder,
    picks: Mapping[str, list[Pick]],
    videos: Mapping[str, Video],
    store: SampleStore,
    preset: str,
    summary: RowSummary,
) -> dict[str, str]:
    fingerprints = {}
    for split, chosen in picks.items():
        samples = ((pick, store.sample(videos[pick.content_id], pick)) for pick in chosen)
        rows = summary.rows(samples, len(chosen), split, preset)
        fingerprints[split] = write_parquet(rows, work.folder / f"{split}.parquet")
    return fingerprints


def _publish(folder: Path, out: Path) -> None:
    """Moves the finished files to their names; killed in between, the next run does it again."""
    for name in FILES:
        os.replace(folder / name, out / name)
    handle = os.open(out, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _note_left_out(corpus: Corpus) -> None:
    if corpus.left_out:
        named = [f"{len(files)} {suffix} ('{files[0]}')" for suffix, files in corpus.left_out_by_suffix().items()]
        print(
            f"note: {len(corpus.left_out)} files have no name of a video and are left out: {', '.join(named)}; a file "
            "that is given by its own name or in @list.txt is read whatever its name",
            file=sys.stderr,
        )


def _warn_of_bugs(rejected: list[Rejected]) -> None:
    bugs = [line for line in rejected if line["reason"] == "internal_error"]
    if bugs:
        print(
            f"warning: {len(bugs)} videos are left out after an unexpected error, e.g. {bugs[0]['video']}: "
            f"{bugs[0]['detail']}; please report it",
            file=sys.stderr,
        )
