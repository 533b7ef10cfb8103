"""Looks at every file once: which are usable videos, which have the same content, which fail and why."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any

from tqdm import tqdm

from data_preprocess.corpus import Corpus
from data_preprocess.isolated import Failure
from data_preprocess.work_folder import WorkFolder
from videossr_verl.printable import tell
from videossr_verl.video.probe import VideoInfo, VideoRejected, probe
from videossr_verl.video.sampling import ClipSettings, sample_clip

Run = Callable[[Callable[..., Any], Iterator[tuple]], Iterator[tuple[tuple, Any]]]
Rejected = dict[str, str]  # a line of rejected.jsonl: video, reason, detail, and for some task or duplicate_of


@dataclass(frozen=True)
class Video:
    """A usable video of the corpus. Its time stamps stay on disk: a long corpus has billions of them."""

    video: str
    content_id: str
    probe_key: tuple


def probe_corpus(
    corpus: Corpus, settings: Collection[ClipSettings], work: WorkFolder, run: Run
) -> tuple[list[Video], list[Rejected]]:
    """Usable videos with distinct content, sorted by path, and a line for every other one.

    A video is usable if a clip can be cut by one of the settings. Of equal files the first by path is kept.
    `run(function, jobs)` yields (job, result or Failure).
    """
    keys = {video: _key(corpus, video) for video in corpus.videos}
    missing = (v for v in corpus.videos if work.load(*keys[v]) is None)
    with tqdm(total=len(corpus.videos), desc="probe", unit="video") as bar:
        for (_, video), outcome in run(probe_one, ((corpus.path(v), v) for v in missing)):
            work.store(as_piece(outcome), *keys[video])
            bar.update()
        bar.update(bar.total - bar.n)
    usable: dict[str, Video] = {}
    detail = "is a link that leads out of the data root, where training does not follow it: copy what it leads to, or "
    detail += "give the folder that holds both as --data-root"
    rejected: list[Rejected] = [{"video": v, "reason": "outside_data_root", "detail": detail} for v in corpus.outside]
    for video in corpus.videos:
        piece = work.load(*keys[video])
        reason, detail = rejection(piece) or _unusable(piece, video, settings) or ("", "")
        if reason:
            rejected.append({"video": video, "reason": reason, "detail": detail})
        elif (same := usable.get(piece["content_id"])) is not None:
            detail = f"has the same bytes as {same.video}"
            rejected.append({"video": video, "reason": "duplicate", "detail": detail, "duplicate_of": same.video})
        else:
            usable[piece["content_id"]] = Video(video, piece["content_id"], keys[video])
    return list(usable.values()), rejected


def probe_one(path: str, video: str) -> dict[str, Any]:
    """Runs in a worker: the fields of the file's VideoInfo as JSON data, or {"rejected": [reason,
    detail]}.
    """
    try:
        video.encode()
    except UnicodeEncodeError:
        return {"rejected": ["name_not_utf8", "rename the file: a dataset can only name it in UTF-8"]}
    try:
        info = probe(path)
    except VideoRejected as error:
        return rejected_piece(error, path, video)
    # The path stays out: a piece of work must not depend on where the corpus lies.
    return {
        **{f.name: getattr(info, f.name) for f in fields(info)},
        "path": "",
        "pts": list(map(float, info.pts)),
    }


def load_info(piece: dict[str, Any], path: str) -> VideoInfo:
    """The VideoInfo of the file at `path`, from what `probe_one` gave."""
    return VideoInfo(**{**piece, "path": path, "pts": tuple(piece["pts"])})


def rejected_piece(error: VideoRejected, path: str, video: str) -> dict[str, Any]:
    """The rejection with the video's name instead of where it lies on this machine."""
    return {"rejected": [error.reason.value, error.detail.replace(path, video)]}


def as_piece(outcome: Any) -> Any:
    """A result that can be stored: a Failure becomes a rejection."""
    return {"rejected": [outcome.reason, outcome.detail]} if isinstance(outcome, Failure) else outcome


def rejection(piece: dict[str, Any]) -> tuple[str, str] | None:
    """(reason, detail) if the piece is a rejection."""
    return tuple(piece["rejected"]) if "rejected" in piece else None


def _unusable(piece: dict[str, Any], video: str, settings: Collection[ClipSettings]) -> tuple[str, str] | None:
    """Why no clip can be cut by any of the settings, told for the first; None if one can."""
    info, why = load_info(piece, video), []
    for one in settings:
        try:
            sample_clip(info, video, one)
            return None
        except VideoRejected as error:
            why.append((error.reason.value, error.detail))
    return why[0]


def _key(corpus: Corpus, video: str) -> tuple:
    """A file that was changed since it was probed has another key."""
    try:
        stat = os.stat(corpus.path(video))
    except OSError:
        return ("probe", video)
    return ("probe", video, stat.st_size, stat.st_mtime_ns)


def warn_of_bugs(rejected: list[Rejected]) -> None:
    """Tells of videos that an error of ours costs."""
    bugs = [line for line in rejected if line["reason"] == "internal_error"]
    if bugs:
        tell(
            f"warning: {len(bugs)} videos are left out after an unexpected error, e.g. {bugs[0]['video']}: "
            f"{bugs[0]['detail']}; please report it",
            file=sys.stderr,
        )
