"""The folder that a user names for results."""

from __future__ import annotations

from pathlib import Path

from videossr_verl.errors import BadInput, machine_failure


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
