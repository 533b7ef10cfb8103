"""The scratch folder OUT/.build. It holds finished pieces of an unfinished build, so that a killed build goes on where
it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from videossr_verl.errors import BadInput, MachineError
from videossr_verl.files.one_writer import HOLDER, one_writer
from videossr_verl.files.whole_file import whole_file
from videossr_verl.tasks.seeds import digest

NAME = ".build"


class WorkFolder:
    """Small JSON pieces by key. A piece is there wholly or not at all. A file without JSON counts as missing.

    Its methods raise MachineError for what the disk fails at.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, *key: Any) -> Path:
        name = digest(*key)
        return self.folder / name[:2] / f"{name[2:]}.json"

    def load(self, *key: Any) -> Any:
        """Returns the piece stored under the JSON data `key`, or None."""
        try:
            return json.loads(self._path(*key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise MachineError(f"'{self.folder}' cannot be read now: {error.strerror}") from error

    def store(self, piece: Any, *key: Any) -> None:
        path = self._path(*key)
        try:
            path.parent.mkdir(exist_ok=True)
            with whole_file(path, flush=False) as partial:
                partial.write_text(json.dumps(piece), encoding="utf-8")
        except OSError as error:
            raise MachineError(f"'{self.folder}' cannot be written to: {error.strerror}") from error


@contextmanager
def open_work_folder(out: Path) -> Iterator[WorkFolder]:
    """Makes OUT/.build and holds OUT against a second build. Raises BadInput if another process has it.

    An OUT that is empty at the end is deleted.
    """
    try:
        with one_writer(out, "build"):
            (out / NAME).mkdir(exist_ok=True)
            yield WorkFolder(out / NAME)
    finally:
        with suppress(OSError):  # the folder holds a dataset or other files
            out.rmdir()


def remove_work_folder(out: Path) -> None:
    """Deletes OUT/.build."""
    shutil.rmtree(out / NAME, ignore_errors=True)


def remove_leftovers(out: Path) -> None:
    """Deletes from a finished OUT what a build left that was killed right after its last step."""
    if (out / NAME).exists() or (out / HOLDER).exists():
        with suppress(BadInput, MachineError), open_work_folder(out):  # one that still runs does so itself
            remove_work_folder(out)
