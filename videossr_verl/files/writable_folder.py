"""Folders to write to. If a folder is written to much later, this tries it when the work begins."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from videossr_verl.errors import BadInput, machine_failure


def make_writable(folder: str | os.PathLike[str]) -> None:
    """Makes the folder if it is missing, and tries it with a file that it deletes at once. Raises OSError if this
    fails.
    """
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"tried")
        file.flush()


def make_result_folder(folder: Path) -> None:
    """Makes the folder where there is none.

    Raises:
        BadInput: there can be none of this name.
        OSError: the machine fails, or does not let this user write there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if machine_failure(error):
            raise
        raise BadInput(f"'{folder}' cannot be made a folder ({error.strerror}); give another --out") from error
