"""A file or a folder that is there wholly or not at all, whenever the process or the machine stops."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: str | os.PathLike[str], flush: bool = True) -> Iterator[Path]:
    """Yields a file beside `path` to write in the body; it takes the name `path` when the body ends well.

    Its name is nobody else's, so any number of processes may write `path` at once: the last one's stays. A killed
    process leaves it behind, as `.NAME.xxxxxxxx.partial`.

    Args:
        flush: whether the bytes are on disk before the name changes. Where a reader tells damage by itself, as in a
            cache, that wait is worth nothing.

    Raises:
        OSError: it cannot be written; `path` is as it was, and nothing is left beside it.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        if flush:
            with open(partial, "rb") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to make and fill in the body; it takes the place of `path` when the body ends well.

    For one process at a time: what a killed one left behind, which may be gigabytes, is removed first.

    Raises:
        OSError: it cannot be written, and `path` is as it was; or what was there cannot be removed.
    """
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, as `whole_file` does. A character that UTF-8 lacks becomes its escape."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")
