"""`data.verify`: checks that a video in training is the one that its rows were drawn from.

A row names its video by path. If another file has that path now, its frames would be shown under the old label, and
neither size nor times would tell. So the content id that the build wrote into the row is compared with the file's own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from videossr_verl.errors import BadInput
from videossr_verl.video.container import check_file
from videossr_verl.video.frame_cache import FrameCache
from videossr_verl.video.probe import content_id
from videossr_verl.video.rejected import RejectReason, VideoRejected

SAMPLED = "0"  # first digit of the ids that "sampled" looks at: a sixteenth of them
MODES = ("off", "sampled", "content")
REMEMBERED = 100_000  # the most files that a process remembers


def verify_mode(data: Mapping[str, Any]) -> str:
    """Returns `data.verify`. Raises BadInput if it is none of MODES."""
    mode = data.get("verify", "off")
    mode = "off" if mode is False else mode  # YAML reads off without quotes as False
    if mode not in MODES:
        raise BadInput(f"data.verify is {mode!r}, must be one of {', '.join(MODES)}")
    return mode


def is_verified(mode: str, video_id: str) -> bool:
    """Returns whether the mode asks for a video with this id to be read."""
    return mode == "content" or (mode == "sampled" and video_id.startswith(SAMPLED))


def check_content(path: str, video: str, video_id: str, cache: FrameCache | None) -> None:
    """Raises VideoRejected(replaced) if the file at `path` has another content id. Reads it once, while it stays
    unchanged.

    Args:
        video: its name in the row.
        video_id: its id in the row.
        cache: where content ids are remembered beside frames.
    """
    status = check_file(path)
    state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    found = cache.content_id(path) if cache else _content_id(os.path.realpath(path), *state)
    if found != video_id:
        raise VideoRejected(
            RejectReason.REPLACED,
            f"{video} is another video than the one that its rows were drawn from (content id {found}, not {video_id})",
        )


@lru_cache(REMEMBERED)
def _content_id(path: str, *state: int) -> str:
    return content_id(path)
