"""The files of a corpus as they are when a build begins, before any is read."""

from __future__ import annotations

import os
from typing import NamedTuple

from tqdm import tqdm

from data_preprocess.corpus import Corpus, Rejected
from videossr_verl.errors import MachineError
from videossr_verl.files.retry import retried
from videossr_verl.video.container import check_file
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.source_file import opening


class FileState(NamedTuple):
    """The state of a file. It differs after the file was changed or replaced: nobody can set `changed_ns`, the time of
    its last change.
    """

    size: int
    modified_ns: int
    changed_ns: int
    inode: int


def look_at(corpus: Corpus) -> tuple[dict[str, FileState], list[Rejected]]:
    """Returns the state of each video that can be opened, and a line for every other one.

    What keeps a file from being opened (permissions, a missing file) is no property of its bytes. So each build asks
    anew, and it is never stored.

    Raises:
        MachineError: an error that is not the file's own, also when tried again.
    """
    states: dict[str, FileState] = {}
    rejected = corpus.rejected()
    for video in tqdm(corpus.videos, "look", unit="video", delay=3):
        path = corpus.path(video)
        try:
            states[video] = _state(retried(check_file, path))
        except VideoRejected as error:
            detail = error.detail.replace(path, video)
            rejected.append({"video": video, "reason": error.reason.value, "detail": detail})
    return states, rejected


def check_unchanged(corpus: Corpus, video: str, state: FileState) -> None:
    """Raises MachineError if the file has changed: what was found in it may belong to either version."""
    path = corpus.path(video)
    try:
        with opening(path):
            now = _state(os.stat(path))
    except VideoRejected as error:
        raise MachineError(f"video '{video}' is gone since the build began") from error
    if now != state:
        raise MachineError(f"video '{video}' was changed since the build began; the same command begins with it anew")


def _state(status: os.stat_result) -> FileState:
    return FileState(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
