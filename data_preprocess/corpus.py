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
        outside: likewise, links to files and folders that lead out of the root: training refuses to follow them.
    """

    root: str
    videos: tuple[str, ...]
    outside: tuple[str, ...] = ()

    def path(self, video: str) -> str:
        """Where the file is on this machine, absolute: workers elsewhere have another working folder."""
        return os.path.abspath(os.path.join(self.root, *video.split("/")))


def find_videos(sources: Sequence[str], data_root: str | None = None) -> Corpus:
    """All videos that the sources name.

    Args:
        sources: folders (searched in depth, files with a video suffix; each folder once, and links to folders only
            where these lie below the root), globs (`**` goes deep; same suffixes), single files (any suffix), or
            "@list.txt": one path a line, relative to the list's folder, `#` starts a comment.
        data_root: folder that the rows' paths are relative to; None: the deepest one that holds all videos.

    Raises:
        BadInput: a source is missing or names no video, or a video lies outside the data root.
    """
    if data_root is not None and not os.path.isdir(data_root):
        raise BadInput(f"data root '{data_root}' is not a folder")
    found, leaving = [], []
    for source in sources:
        for path, leads_out in _expand(source, data_root):
            (leaving if leads_out else found).append(os.path.normpath(path))
    everything = found + leaving
    if not everything:
        raise BadInput("no videos given")
    if data_root is None:
        is_alike = len({os.path.isabs(p) for p in everything}) == 1
        made_alike = everything if is_alike else [os.path.abspath(p) for p in everything]
        root = os.path.commonpath([os.path.dirname(p) for p in made_alike]) or "."
    else:
        root = data_root
    absolute_root = os.path.abspath(root)
    videos = {os.path.relpath(os.path.abspath(path), absolute_root) for path in found}
    outside = sorted(v for v in videos if v.split(os.sep)[0] == os.pardir)
    if outside:
        raise BadInput(f"video '{outside[0]}' lies outside the data root '{root}'; give a --data-root that holds all")
    links = {os.path.relpath(os.path.abspath(path), absolute_root) for path in leaving}
    links |= {v for v in videos if not _is_below(os.path.join(absolute_root, v), absolute_root)}
    return Corpus(root, *(tuple(sorted(Path(v).as_posix() for v in names)) for names in (videos - links, links)))


def _is_below(path: str, root: str) -> bool:
    """Symbolic links followed, as `videossr_verl.render.resolve_path` does."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _expand(source: str, data_root: str | None) -> list[tuple[str, bool]]:
    """(path, whether it is a link to a folder outside) of each video, and of each such link."""
    if source.startswith("@"):
        return [(path, False) for path in _read_list(source[1:])]
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        found = sorted(_videos_below(path, data_root or path))
        if not found:
            raise BadInput(f"folder '{source}' holds no video file ({' '.join(sorted(SUFFIXES))})")
        return found
    if os.path.exists(path):
        return [(path, False)]
    if not glob.has_magic(path):
        raise BadInput(f"'{source}' does not exist; give a folder, a glob, a video or @list.txt")
    videos = sorted(p for p in glob.glob(path, recursive=True) if _is_video(p) and os.path.isfile(p))
    if not videos:
        raise BadInput(f"glob '{source}' matches no video file")
    return [(video, False) for video in videos]


def _read_list(name: str) -> list[str]:
    try:
        lines = Path(name).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"file list '{name}' cannot be read: {error}") from error
    folder = os.path.dirname(os.path.expanduser(name))
    names = [line.strip() for line in lines]
    if any("\0" in n for n in names):
        raise BadInput(f"file list '{name}' has a null character in a name")
    videos = [os.path.join(folder, os.path.expanduser(n)) for n in names if n and not n.startswith("#")]
    if not videos:
        raise BadInput(f"file list '{name}' names no video")
    return videos


def _videos_below(folder: str, root: str) -> Iterator[tuple[str, bool]]:
    """As `_expand`. No folder is entered twice: links may lead in circles, or meet in many ways."""
    seen, todo = set(), [folder]
    while todo:
        for parent, folders, names in os.walk(todo.pop(0)):
            real = os.path.realpath(parent)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders.sort()  # which of two ways comes first must not depend on the disk
            for link in (path for name in folders if os.path.islink(path := os.path.join(parent, name))):
                if _is_below(link, root):
                    todo.append(link)
                else:
                    yield link, True
            yield from ((os.path.join(parent, name), False) for name in names if _is_video(name))


def _is_video(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES
