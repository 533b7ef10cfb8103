"""Turns raw videos into train.parquet, test.parquet, dataset.json and the lists of the videos.

probe every file -> keep each content once -> sign what each shows -> split, look-alikes together -> decode each needed
video once and draw from it -> choose -> write. The stages leave small pieces in OUT/.build (see `work_folder`), so that
a build which was killed and is started again ends with the same bytes; `dataset.json` is written last and means that
the dataset is complete.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_preprocess.build_settings import BuildSettings, test_share
from data_preprocess.choose import Pick, split_videos
from data_preprocess.corpus import Corpus, find_videos, note_left_out
from data_preprocess.describe import FinishedBuild, RowSummary, describe, library_versions
from data_preprocess.draw_corpus import SampleStore
from data_preprocess.draw_splits import DrawnSplits, draw_splits
from data_preprocess.file_state import FileState, look_at
from data_preprocess.held_out import find_known, known_videos
from data_preprocess.jobs import Run
from data_preprocess.look_alikes import group_look_alikes
from data_preprocess.probe_corpus import Rejected, Video, probe_corpus, warn_of_bugs
from data_preprocess.run_local import run_isolated
from data_preprocess.same_videos import NAME as VIDEOS
from data_preprocess.same_videos import find_replaced, identify_corpus, write_videos
from data_preprocess.sign_corpus import sign_corpus
from data_preprocess.signature_file import NAME as SIGNATURES
from data_preprocess.signature_file import SignedVideo, write_signatures
from data_preprocess.work_folder import WorkFolder, open_work_folder, remove_leftovers, remove_work_folder
from data_preprocess.write_dataset import write_parquet, write_text
from videossr_verl.errors import BadInput
from videossr_verl.files.json_text import read_object
from videossr_verl.files.retry import retried
from videossr_verl.files.writable_folder import make_writable
from videossr_verl.rows.built_here import note_built
from videossr_verl.rows.dataset_folder import MAX_DESCRIPTION
from videossr_verl.rows.schema import compact
from videossr_verl.tasks.draw import DrawSettings
from videossr_verl.tasks.partners import partners
from videossr_verl.tasks.presets import Preset, absolute_embeddings, load_preset, with_decoder, with_embedding, with_mix
from videossr_verl.tasks.seeds import digest
from videossr_verl.video.embedding import BUILT_IN, describe_embedding
from videossr_verl.video.signature import Signature

if TYPE_CHECKING:
    from videossr_verl.prompt.tokens import PromptTokenCounter  # takes seconds to import

# In the order in which they appear.
FILES = ("train.parquet", "test.parquet", "rejected.jsonl", "look_alikes.jsonl", SIGNATURES, VIDEOS, "dataset.json")
NAMED = 5  # videos in a message


def build(settings: BuildSettings) -> dict[str, Any]:
    """Builds the dataset, unless it is there already, and returns the content of its `dataset.json`.

    Raises:
        BadInput: wrong settings, no usable video, counts that cannot be met, or another dataset in `out`.
        MachineError: the machine fails, also when tried again. What is done is kept for the next try.
    """
    preset = load_preset(settings.preset)
    if settings.mix:
        preset = with_mix(preset, settings.mix)
    if settings.embedding:
        preset = with_embedding(preset, settings.embedding)
    if settings.decoder:
        preset = with_decoder(preset, settings.decoder)
    preset = absolute_embeddings(preset)
    _try_to_keep(settings.embedding_folder)
    known = known_videos(settings.held_out_from)
    counters = _token_counters(settings.models)
    embeddings = _embeddings(preset)
    corpus = retried(find_videos, settings.sources, settings.data_root)
    note_left_out(corpus)
    states, rejected = look_at(corpus)
    request = _request(settings, preset, corpus, states, [c.key for c in counters], embeddings, sorted(known))
    out = Path(settings.out)
    if (done := _finished(out, request, corpus, states)) is not None:
        note_built(out, corpus.root)
        remove_leftovers(out)
        return done
    with open_work_folder(out) as work:
        run = _runner(settings, use_gpus=any(name != BUILT_IN for name in embeddings))
        clips = list(dict.fromkeys(subset.clip for subset in preset.subsets.values()))
        videos, unusable = probe_corpus(corpus, states, clips, work, run)
        rejected += unusable
        if not videos:
            remove_work_folder(out)
            reasons = Counter(line["reason"] for line in rejected).most_common()
            counts = ", ".join(f"{n} {reason}" for reason, n in reasons)
            raise BadInput(f"none of the {len(rejected)} videos is usable: {counts}")
        warn_of_bugs(rejected)
        write_videos(states, identify_corpus(corpus, states, work, run), work.folder)
        signatures = sign_corpus(corpus, states, videos, work, run)
        videos, seen = _hold_out(settings, videos, find_known(signatures, known) if known else {})
        rejected += seen
        look_alikes = group_look_alikes({video.content_id: signatures[video.content_id] for video in videos})
        folder = os.path.abspath(settings.embedding_folder or work.folder / "embeddings")
        draw = DrawSettings(settings.seed, preset.subsets, embeddings, folder)
        by_id = {video.content_id: video for video in videos}
        train, test = split_videos(look_alikes, test_share(settings))
        splits = {"train": train, "test": test}
        others = {c: by_id[o] for c, o in _partners(splits, look_alikes, settings.seed).items()}
        store = SampleStore(corpus, states, work, draw, library_versions(), others)
        drawn = draw_splits(settings, preset, splits, by_id, store, run)
        rejected += drawn.rejected + _unused(videos, drawn)
        summary = RowSummary(counters)
        fingerprints = _write(work, drawn.picks, by_id, store, preset.name, summary, look_alikes)
        _write_lines(rejected, work.folder / "rejected.jsonl")
        _write_lines(joined := _joined(splits, look_alikes, by_id), work.folder / "look_alikes.jsonl")
        write_signatures(_shown(drawn.picks, summary, by_id, signatures), work.folder / SIGNATURES)
        finished = FinishedBuild(
            preset=preset,
            seed=settings.seed,
            request=request,
            embeddings=embeddings,
            corpus=corpus,
            videos=videos,
            rejected=rejected,
            unsigned=sum(not len(signatures[c].places) for c in by_id),
            look_alikes=joined,
            left_out=drawn.left_out,
            picks=drawn.picks,
            fingerprints=fingerprints,
            summary=summary,
        )
        result = describe(finished)
        write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", work.folder / "dataset.json")
        _publish(work.folder, out)
        note_built(out, corpus.root)
        remove_work_folder(out)
    return result


def _try_to_keep(embedding_folder: str | None) -> None:
    if embedding_folder is None:
        return
    try:
        make_writable(embedding_folder)
    except OSError as error:
        message = f"cannot write to --keep-embeddings '{embedding_folder}': {error.strerror}"
        raise BadInput(f"{message}; give another folder") from error


def _token_counters(models: tuple[str, ...]) -> list[PromptTokenCounter]:
    if not models:
        return []
    from videossr_verl.prompt.tokens import PromptTokenCounter, load_processor

    counters = [PromptTokenCounter(load_processor(model)) for model in models]
    return list({counter.key: counter for counter in counters}.values())


def _embeddings(preset: Preset) -> dict[str, dict[str, str]]:
    """Describes each embedding that the tasks ask for. It runs before the videos are read, because one may not load."""
    knobs = [subset.difficulty for subset in preset.subsets.values()]
    return {name: describe_embedding(name) for name in sorted({k.embedding for k in knobs if hasattr(k, "embedding")})}


def _request(
    settings: BuildSettings,
    preset: Preset,
    corpus: Corpus,
    states: Mapping[str, FileState],
    token_counts: list[str],
    embeddings: Mapping[str, Mapping[str, str]],
    known: list[str],
) -> str:
    """Identifies what is asked for: the settings, the corpus by names and sizes, and the videos to be held out."""
    sizes = [(v, states[v].size if v in states else None) for v in corpus.videos]
    sizes += [(line["video"], line["reason"]) for line in corpus.rejected()]
    numbers = [settings.count, settings.test_count, settings.test_share, settings.seed, bool(settings.mix)]
    return digest(numbers, repr(preset), corpus.root, sizes, token_counts, embeddings, known, library_versions())


def _finished(out: Path, request: str, corpus: Corpus, states: Mapping[str, FileState]) -> dict[str, Any] | None:
    """Returns the dataset.json in `out`, if it was built by this request from these videos. Raises BadInput if it was
    built otherwise.
    """
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out '{out}' is a file, must be a folder")
    try:
        found = read_object((out / "dataset.json").read_text(encoding="utf-8"), MAX_DESCRIPTION)
    except FileNotFoundError:
        return None
    except ValueError:
        found = {}
    if found.get("request") != request or not all((out / name).is_file() for name in FILES):
        raise BadInput(f"'{out}' holds another dataset already; give another --out, or delete it to build anew")
    if (replaced := find_replaced(corpus, states, out)) is not None:
        raise BadInput(
            f"'{out}' was built when '{replaced}' was another video; give another --out, or delete it to build anew"
        )
    remove_work_folder(out)
    return found


def _runner(settings: BuildSettings, use_gpus: bool) -> Run:
    if settings.ray_address:
        from data_preprocess.run_ray import run_on_ray

        return partial(run_on_ray, settings.ray_address, timeout=settings.timeout, use_gpus=use_gpus)
    workers = settings.workers or len(os.sched_getaffinity(0))
    return partial(run_isolated, workers=workers, timeout=settings.timeout)


def _hold_out(
    settings: BuildSettings, videos: list[Video], known: Mapping[str, str]
) -> tuple[list[Video], list[Rejected]]:
    """Returns the videos that no other dataset shows, and a line for every other one. `known` is what `find_known`
    gives.
    """
    seen: list[Rejected] = [
        {"video": v.video, "reason": "held_out", "detail": known[v.content_id]} for v in videos if v.content_id in known
    ]
    if seen and (settings.refuse_known or len(seen) == len(videos)):
        remove_work_folder(Path(settings.out))
        others = "".join(f", '{line['video']}'" for line in seen[1:NAMED]) + (", ..." if len(seen) > NAMED else "")
        raise BadInput(
            f"{len(seen)} of {len(videos)} videos are shown by another dataset too: '{seen[0]['video']}' "
            f"{seen[0]['detail']}{f'; so are{others[1:]}' if others else ''}; give other videos"
        )
    return [video for video in videos if video.content_id not in known], seen


def _partners(splits: Mapping[str, list[str]], look_alikes: Mapping[str, str], seed: int) -> dict[str, str]:
    """Returns for each video another one of the same split, from which changes may borrow frames."""
    by_split = [partners({c: look_alikes[c] for c in ids}, seed) for ids in splits.values()]
    return {c: other for pairs in by_split for c, other in pairs.items()}


def _unused(videos: list[Video], drawn: DrawnSplits) -> list[Rejected]:
    """Returns a line for every usable video that gives no sample and has no line yet."""
    used = {pick.content_id for chosen in drawn.picks.values() for pick in chosen}
    failed = {line["video"] for line in drawn.rejected if "task" not in line}
    rest = [v.video for v in videos if v.content_id not in used and v.video not in failed]
    # Lists each video that could not carry one task and was not taken for another one, with what was wrong with it.
    why = {line["video"]: (line["reason"], line["detail"]) for line in drawn.rejected if "task" in line}
    enough = ("not_needed", "the counts are met by other videos")
    lines = ((v, *why.get(v, enough)) for v in rest)
    return [{"video": video, "reason": reason, "detail": detail} for video, reason, detail in lines]


def _write(
    work: WorkFolder,
    picks: Mapping[str, list[Pick]],
    videos: Mapping[str, Video],
    store: SampleStore,
    preset: str,
    summary: RowSummary,
    look_alikes: Mapping[str, str],
) -> dict[str, str]:
    fingerprints = {}
    for split, chosen in picks.items():
        samples = ((pick, store.sample(videos[pick.content_id], pick)) for pick in chosen)
        rows = summary.rows(samples, len(chosen), split, preset, look_alikes)
        fingerprints[split] = write_parquet(rows, work.folder / f"{split}.parquet")
    return fingerprints


def _joined(
    splits: Mapping[str, list[str]], look_alikes: Mapping[str, str], videos: Mapping[str, Video]
) -> list[dict[str, Any]]:
    """Returns a line for every two or more videos that look alike: their split, and their names."""
    groups: dict[tuple[str, str], list[str]] = {}
    for split, ids in splits.items():
        for content_id in ids:
            groups.setdefault((split, look_alikes[content_id]), []).append(videos[content_id].video)
    return [{"split": split, "videos": sorted(names)} for (split, _), names in groups.items() if len(names) > 1]


def _shown(
    picks: Mapping[str, list[Pick]],
    summary: RowSummary,
    videos: Mapping[str, Video],
    signatures: Mapping[str, Signature],
) -> list[SignedVideo]:
    """Returns what the rows show: their videos, and those that frames were borrowed from."""
    by_name = {video.video: content_id for content_id, video in videos.items()}
    shown = {pick.content_id: split for split, chosen in picks.items() for pick in chosen}
    shown |= {by_name[video]: split for split, names in summary.borrowed.items() for video in names}
    return [SignedVideo(c, videos[c].video, split, signatures[c]) for c, split in shown.items()]


def _write_lines(lines: Iterable[Mapping[str, Any]], path: Path) -> None:
    write_text("".join(sorted(compact(line) + "\n" for line in lines)), path)


def _publish(folder: Path, out: Path) -> None:
    """Moves the finished files to their names. If it is killed in between, the next run does it again."""
    for name in FILES:
        os.replace(folder / name, out / name)
    handle = os.open(out, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
