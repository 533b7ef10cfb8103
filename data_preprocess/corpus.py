"""Finds the videos that folders, globs and file lists name, as sorted paths below one data root."""

from __future__ import annotations

import errno
import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NotRequired, TypedDict

from data_preprocess.file_names import is_utf8, readable
from data_preprocess.jobs import VideoFile
from videossr_verl.errors import BadInput, MachineError
from videossr_verl.printable import printable, tell
from videossr_verl.video.suffixes import VIDEO_SUFFIXES, has_video_suffix, suffix

_LINK_OUT = "is a link that leads out of the data root, where training does not follow it: copy what it leads to, or "
_LINK_OUT += "give the folder that holds both as --data-root"
_NOT_UTF8 = "rename it: a dataset can only name it in UTF-8"
_FORBIDDEN = "this folder cannot be listed (permission denied), so none of its videos is used"


class Rejected(TypedDict):
    """A line of rejected.jsonl; `task`: it could not carry this one only."""

    video: str
    reason: str
    detail: str
    task: NotRequired[str]
    duplicate_of: NotRequired[str]


@dataclass(frozen=True)
class Corpus:
    """Videos below a root.

    Attributes:
        root: the folder, absolute, links as the user wrote them; only `dataset.json` holds it.
        videos: paths relative to the root, with "/", sorted, each once.
        outside: likewise, links to files and folders that lead out of the root: training refuses to follow them.
        left_out: likewise, files of the folders and globs whose names are not those of videos.
        not_utf8: likewise, videos with a name that no row can hold; here its odd bytes are written as `\\xff`.
        forbidden: likewise, folders that cannot be listed.
    """

    root: str
    videos: tuple[str, ...]
    outside: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    not_utf8: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()

    def rejected(self) -> list[Rejected]:
        """Returns a line for each file that is found and not among `videos`."""
        reasons = (
            (self.outside, "outside_data_root", _LINK_OUT),
            (self.not_utf8, "name_not_utf8", _NOT_UTF8),
            (self.forbidden, "unreadable", _FORBIDDEN),
        )
        return [{"video": v, "reason": reason, "detail": detail} for names, reason, detail in reasons for v in names]

    def path(self, video: str) -> str:
        """Returns the file's absolute path: workers elsewhere have another working folder."""
        return os.path.join(self.root, *video.split("/"))

    def files(self, videos: Iterable[str]) -> Iterator[VideoFile]:
        """Jobs for these videos."""
        return (VideoFile(self.path(video), video) for video in videos)

    def left_out_by_suffix(self) -> dict[str, list[str]]:
        """Returns the files that are left out, by the suffixes of their names."""
        by_suffix: dict[str, list[str]] = {}
        for name in self.left_out:
            by_suffix.setdefault(suffix(name) or "no suffix", []).append(name)
        return dict(sorted(by_suffix.items()))


class _Found(Enum):
    VIDEO = "video"
    LINK_OUT = "link to a folder outside"
    FORBIDDEN = "folder that cannot be listed"
    OTHER = "no name of a video"


def find_videos(sources: Sequence[str], data_root: str | None = None) -> Corpus:
    """Returns all videos that the sources name.

    Args:
        sources: folders (searched in depth, files with a video suffix; each folder once, and links to folders only
            where these lie below the root), globs (`**` goes deep; same suffixes), single files (any suffix), or
            "@list.txt": one path a line, relative to the list's folder, `#` starts a comment.
        data_root: folder that the rows' paths are relative to; None: the deepest one that holds all videos.

    Raises:
        BadInput: a source is missing or names no video, or a video lies outside the data root.
        MachineError: a folder cannot be listed for another reason than its permissions.
    """
    if data_root is not None and not os.path.isdir(data_root):
        raise BadInput(f"data root '{data_root}' is not a folder")
    paths: dict[_Found, list[str]] = {kind: [] for kind in _Found}
    for source in sources:
        for path, kind in _expand(source, data_root):
            paths[kind].append(os.path.normpath(path))
    found, leaving, forbidden = paths[_Found.VIDEO], paths[_Found.LINK_OUT], paths[_Found.FORBIDDEN]
    everything = found + leaving
    if not everything:
        raise BadInput("no videos given")
    if data_root is None:
        root = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in everything])
    else:
        root = os.path.abspath(data_root)
    if not is_utf8(root):
        raise BadInput(f"the data root '{readable(root)}' has a name that is not UTF-8: rename it")
    videos = {os.path.relpath(os.path.abspath(path), root) for path in found}
    outside = sorted(v for v in videos if v.split(os.sep)[0] == os.pardir)
    if outside:
        raise BadInput(
            f"video '{readable(outside[0])}' lies outside the data root '{root}'; give a --data-root that holds all"
        )
    links = {os.path.relpath(os.path.abspath(path), root) for path in leaving}
    links |= {v for v in videos if not _is_below(os.path.join(root, v), root)}
    left_out = {os.path.relpath(os.path.abspath(path), root) for path in paths[_Found.OTHER]} - videos
    not_utf8 = {v for v in videos - links if not is_utf8(v)}
    closed = {os.path.relpath(os.path.abspath(path), root) for path in forbidden}
    named = (videos - links - not_utf8, links, left_out, not_utf8, closed)
    return Corpus(root, *(tuple(sorted(readable(Path(v).as_posix()) for v in names)) for names in named))


def note_left_out(corpus: Corpus) -> None:
    """Tells on stderr how many files are left out by their names, with an example for each suffix."""
    if corpus.left_out:
        named = [
            printable(f"{len(files)} {suffix} ('{files[0]}')") for suffix, files in corpus.left_out_by_suffix().items()
        ]
        tell(
            f"note: left out, because their names are not those of videos: {', '.join(named)}; a file that is given by "
            "its own name or in @list.txt is read whatever its name",
            file=sys.stderr,
        )


def _is_below(path: str, root: str) -> bool:
    """Returns the path with symbolic links followed, as `videossr_verl.prompt.render.resolve_path` does."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _expand(source: str, data_root: str | None) -> list[tuple[str, _Found]]:
    """Returns each file that the source names, and each link in it that leads out."""
    if source.startswith("@"):
        return [(path, _Found.VIDEO) for path in _read_list(source[1:])]
    path = os.path.expanduser(source)
    if os.path.isdir(path):
        if _is_forbidden(path):
            raise BadInput(f"folder '{source}' cannot be listed: permission denied")
        found = list(_files_below(path, data_root or path))
        if all(kind is _Found.OTHER for _, kind in found):
            raise BadInput(f"folder '{source}' holds no video file ({' '.join(sorted(VIDEO_SUFFIXES))})")
        return found
    if os.path.exists(path):
        return [(path, _Found.VIDEO)]
    if not glob.has_magic(path):
        raise BadInput(f"'{source}' does not exist; give a folder, a glob, a video or @list.txt")
    found = [(p, _kind(p)) for p in glob.glob(path, recursive=True) if not os.path.isdir(p)]
    if all(kind is _Found.OTHER for _, kind in found):
        raise BadInput(f"glob '{source}' matches no video file")
    return found + [(p, _Found.FORBIDDEN) for p in _folders_of_glob(path) if _is_forbidden(p)]


def _folders_of_glob(pattern: str) -> list[str]:
    """Returns the folders that a glob looks into. A glob itself passes over a folder that cannot be listed, in
    silence.
    """
    parts = pattern.split(os.sep)
    heads = [parts[: i + (part == "**")] for i, part in enumerate(parts) if glob.has_magic(part)]
    found = {p for head in heads for p in glob.glob(os.sep.join(head) or os.curdir, recursive=True)}
    return sorted(os.path.normpath(p) for p in found if os.path.isdir(p))


def _is_forbidden(folder: str) -> bool:
    """Returns whether permissions keep the folder from being listed. Raises MachineError if something else does."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        return _forbids(error)
    return False


def _forbids(error: OSError) -> bool:
    if error.errno in (errno.EACCES, errno.EPERM):
        return True
    message = f"folder '{readable(os.fspath(error.filename))}' cannot be listed now: {error.strerror}"
    raise MachineError(message) from error


def _read_list(name: str) -> list[str]:
    try:
        lines = Path(name).expanduser().read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError as error:
        raise BadInput(f"file list '{name}' cannot be read: {error}") from error
    folder = os.path.dirname(os.path.expanduser(name))
    names = [line.strip() for line in lines]
    if any("\0" in n for n in names):
        raise BadInput(f"file list '{name}' has a null character in a name")
    videos = [os.path.join(folder, os.path.expanduser(n)) for n in names if n and not n.startswith("#")]
    if not videos:
        raise BadInput(f"file list '{name}' names no video")
    return videos


def _files_below(folder: str, root: str) -> Iterator[tuple[str, _Found]]:
    """Works as `_expand`, but enters no folder twice: links may lead in circles, or meet in many ways."""
    seen, todo, failed = set(), [folder], []
    while todo:
        for parent, folders, names in os.walk(todo.pop(0), onerror=failed.append):
            real = os.path.realpath(parent)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders.sort()  # the order in which two links to a folder come must not depend on the disk
            for link in (path for name in folders if os.path.islink(path := os.path.join(parent, name))):
                if _is_below(link, root):
                    todo.append(link)
                else:
                    yield link, _Found.LINK_OUT
            yield from ((os.path.join(parent, name), _kind(name)) for name in names)
    yield from ((error.filename, _Found.FORBIDDEN) for error in failed if _forbids(error))


def _kind(name: str) -> _Found:
    return _Found.VIDEO if has_video_suffix(name) else _Found.OTHER
