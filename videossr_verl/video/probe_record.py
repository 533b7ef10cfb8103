"""A probe as JSON data, in which it travels between processes and is stored, or the reason why a video cannot be
used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

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


class ProbeRecord(TypedDict):
    """A `VideoInfo` without its path: a piece of work must not depend on where the corpus lies."""

    content_id: str
    width: int
    height: int
    rotation: int
    codec: str
    container: str
    pts: list[float]
    duration: float


def probe_one(path: str, video: str) -> ProbeRecord | Failure:
    """Runs in a worker. Returns what the file is, or why it cannot be used."""
    try:
        info = probe(path)
    except VideoRejected as error:
        return failure_of(error, path, video)
    return {
        "content_id": info.content_id,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation,
        "codec": info.codec,
        "container": info.container,
        "pts": list(map(float, info.pts)),
        "duration": info.duration,
    }


def load_info(record: ProbeRecord, path: str) -> VideoInfo:
    """Returns the VideoInfo of the file at `path`, from what `probe_one` gave."""
    return VideoInfo(
        path=path,
        content_id=record["content_id"],
        width=record["width"],
        height=record["height"],
        rotation=record["rotation"],
        codec=record["codec"],
        container=record["container"],
        pts=tuple(record["pts"]),
        duration=record["duration"],
    )


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
