"""Looks at every file once: which are usable videos, which have the same content, which fail and why."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from tqdm import tqdm

from data_preprocess.corpus import Corpus, Rejected
from data_preprocess.file_state import FileState, check_unchanged
from data_preprocess.verdicts import Failure
from data_preprocess.work_folder import WorkFolder
from videossr_verl.errors import MachineError
from videossr_verl.printable import tell
from videossr_verl.video.memory import memory_is_left
from videossr_verl.video.probe import RejectReason, VideoInfo, VideoRejected, probe
from videossr_verl.video.sampling import ClipSettings, sample_clip

Run = Callable[[Callable[..., Any], Iterator[tuple]], Iterator[tuple[tuple, Any]]]
# What the build asks of each file before any worker opens it.
_OF_STATE = (RejectReason.MISSING, RejectReason.UNREADABLE, RejectReason.NOT_A_FILE, RejectReason.EMPTY_FILE)


@dataclass(frozen=True)
class Video:
    """A usable video of the corpus. Its time stamps stay on disk: a long corpus has billions of them."""

    video: str
    content_id: str
    probe_key: tuple


def probe_corpus(
    corpus: Corpus, states: Mapping[str, FileState], settings: Collection[ClipSettings], work: WorkFolder, run: Run
) -> tuple[list[Video], list[Rejected]]:
    """Usable videos with distinct content, sorted by path, and a line for every other one of `states`.

    A video is usable if a clip can be cut by one of the settings. Of equal files the first by path is kept.
    `run(function, jobs)` yields (job, result or Failure).
    """
    keys = {video: probe_key(video, state) for video, state in states.items()}
    missing = (v for v in states if work.load(*keys[v]) is None)
    with tqdm(total=len(states), desc="probe", unit="video") as bar:
        for (_, video), outcome in run(probe_one, ((corpus.path(v), v) for v in missing)):
            check_unchanged(corpus, video, states[video])
            work.store(as_piece(outcome), *keys[video])
            bar.update()
        bar.update(bar.total - bar.n)
    usable: dict[str, Video] = {}
    rejected: list[Rejected] = []
    for video in states:
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


def probe_one(path: str, video: str) -> dict[str, Any] | Failure:
    """Runs in a worker: the fields of the file's VideoInfo as JSON data, or why it cannot be used."""
    try:
        info = probe(path)
    except VideoRejected as error:
        return failure_of(error, path, video)
    # The path stays out: a piece of work must not depend on where the corpus lies.
    return {
        **{f.name: getattr(info, f.name) for f in fields(info)},
        "path": "",
        "pts": list(map(float, info.pts)),
    }


def load_info(piece: dict[str, Any], path: str) -> VideoInfo:
    """The VideoInfo of the file at `path`, from what `probe_one` gave."""
    return VideoInfo(**{**piece, "path": path, "pts": tuple(piece["pts"])})


def failure_of(error: VideoRejected, path: str, video: str) -> Failure:
    """The rejection with the video's name instead of where it lies on this machine.

    MachineError where the file could be opened when the build began, and now cannot; and where memory is short, which
    decoders take for damage.
    """
    detail = error.detail.replace(path, video)
    if not memory_is_left():
        raise MachineError(f"{detail}, but this machine has no memory left")
    if error.reason in _OF_STATE:
        raise MachineError(f"{detail}, but could be read when this began")
    return Failure(error.reason.value, detail)


def as_piece(outcome: Any) -> Any:
    """A result that can be stored: a Failure becomes {"rejected": [reason, detail]}."""
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


def probe_key(video: str, state: FileState) -> tuple:
    """Where its piece is kept. A file that was changed or replaced since it was probed has another key."""
    return ("probe", video, *state)


def warn_of_bugs(rejected: list[Rejected]) -> None:
    """Tells of videos that an error of ours costs."""
    bugs = [line for line in rejected if line["reason"] == "internal_error"]
    if bugs:
        tell(
            f"warning: {len(bugs)} videos are left out after an unexpected error, e.g. {bugs[0]['video']}: "
            f"{bugs[0]['detail']}; please report it",
            file=sys.stderr,
        )
