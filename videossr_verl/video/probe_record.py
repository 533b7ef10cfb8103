"""A probe as JSON data, in which it travels between processes and is stored, or the reason why a video cannot be
used.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from videossr_verl.errors import MachineError
from videossr_verl.video.memory import memory_is_left
from videossr_verl.video.probe import RejectReason, VideoInfo, VideoRejected, probe

# The build itself looks for these reasons, before any worker opens the file.
_OF_STATE = (RejectReason.MISSING, RejectReason.UNREADABLE, RejectReason.NOT_A_FILE, RejectReason.EMPTY_FILE)


@dataclass(frozen=True)
class Failure:
    """The reason why a job has no result: one of rejected.jsonl, "decoder_crashed", "timeout" or "internal_error"."""

    reason: str
    detail: str


def probe_one(path: str, video: str) -> dict[str, Any] | Failure:
    """Runs in a worker. Returns the fields of the file's VideoInfo as JSON data, or why the file cannot be used."""
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
    """Returns the VideoInfo of the file at `path`, from what `probe_one` gave."""
    return VideoInfo(**{**piece, "path": path, "pts": tuple(piece["pts"])})


def failure_of(error: VideoRejected, path: str, video: str) -> Failure:
    """Returns the rejection with the video's name in place of its path on this machine.

    Raises MachineError if the file could be opened when the build began, and cannot be opened now; also if memory is
    short, which decoders take for damage.
    """
    detail = error.detail.replace(path, video)
    if not memory_is_left():
        raise MachineError(f"{detail}, but this machine has no memory left")
    if error.reason in _OF_STATE:
        raise MachineError(f"{detail}, but could be read when this began")
    return Failure(error.reason.value, detail)
