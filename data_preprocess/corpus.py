"""Finds the videos: folders, globs and file lists -> sorted paths below one data root."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from videossr_verl.errors import BadInput

SUFFIXES = frozenset({".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"})


@dataclass(frozen=True)
class Corpus:
    """Videos below a root.

    Attributes:
        root: the folder, as the user wrote it where possible; only `dataset.json` holds it.
        videos: paths relative to the root, with "/", sorted, each once.
    """

    root: str
    videos: tuple[str, ...]

    def path(self, video: str) -> str:
        """Where the file is on this machine, absolute: workers elsewhere have another working folder."""
        return os.path.abspath(os.path.join(self.root, *video.split("/")))


def find_videos(sources: Sequence[str], data_root: str | None = None) -> Corpus:
    """All videos that the sources name.

    Args:
        sources: folders (searched in depth, files with a video suffix), globs (`**` goes deep; same
            suffixes), single files (any suffix), or "@list.txt": one path a line, relative to the list's
            folder, `#` starts a comment.
        data_root: folder that the rows' paths are relative to; None: the deepest one that holds all videos.

    Raises:
        BadInput: a source is missing or names no video, or a video lies outside the data root.
    """
    found = [os.path.normpath(path) for source in sources for path in _expand(source)]
    if not found:
        raise BadInput("no videos given")
    if data_root is None:
        made_alike = found if len({os.path.isabs(p) for p in found}) == 1 else [os.path.abspath(p) for p in found]
        root = os.path.commonpath([os.path.dirname(p) for p in made_alike]) or "."
    elif os.path.isdir(data_root):
        root = data_root
    else:
        raise BadInput(f"data root '{data_root}' is not a folder")
    absolute_root = os.path.abspath(root)
    videos = {os.path.relpath(os.path.abspath(path), absolute_root) for path in found}
    outside = sorted(v for v in videos if v.split(os.sep)[0] == os.pardir)
    if outside:
        raise BadInput(f"video '{outside[0]}' lies outside the data root '{root}'; give a --data-root that holds all")
    return Corpus(root, tuple(sorted(Path(v).as_posix() for v in videos)))


def _expand(source: str) -> list[str]:
    if source.startswith("@"):
        return _read_list(source[1:])
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        videos = sorted(_videos_below(path))
        if not videos:
            raise BadInput(f"folder '{source}' holds no video file ({' '.join(sorted(SUFFIXES))})")
        return videos
    if os.path.exists(path):
        return [path]
    if not glob.has_magic(path):
        raise BadInput(f"'{source}' does not exist; give a folder, a glob, a video or @list.txt")
    videos = sorted(p for p in glob.glob(path, recursive=True) if _is_video(p) and os.path.isfile(p))
    if not videos:
        raise BadInput(f"glob '{source}' matches no video file")
    return videos


def _read_list(name: str) -> list[str]:
    try:
        lines = Path(name).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"file list '{name}' cannot be read: {error}") from error
    folder = os.path.dirname(os.path.expanduser(name))
    names = [line.strip() for line in lines]
    videos = [os.path.join(folder, os.path.expanduser(n)) for n in names if n and not n.startswith("#")]
    if not videos:
        raise BadInput(f"file list '{name}' names no video")
    return videos


def _videos_below(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(folder, followlinks=True):
        yield from (os.path.join(parent, name) for name in names if _is_video(name))


def _is_video(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES
