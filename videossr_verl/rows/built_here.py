"""Remembers which datasets this user built on this machine, and from which videos. No file of a dataset can tell that.

A dataset from elsewhere may name any folder as the root of its videos, and eval sends what lies there to a server. So
the package believes only its own notes in the user's state folder ($XDG_STATE_HOME, or ~/.local/state).
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from videossr_verl.files.whole_file import whole_file


def note_built(folder: str | Path, data_root: str) -> None:
    """Notes that this user made the dataset in `folder` from the videos below `data_root`.

    If it cannot be noted, verbs ask the user for the root later.
    """
    note = _note(folder)
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(note) as partial:
            partial.write_text(data_root, encoding="utf-8", errors="surrogateescape")


def was_built(folder: str | Path, data_root: str) -> bool:
    """Returns whether this user made the dataset in `folder` from the videos below `data_root`."""
    try:
        return _note(folder).read_text(encoding="utf-8", errors="surrogateescape") == data_root
    except OSError:
        return False


def _note(folder: str | Path) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    name = sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    return Path(state).expanduser() / "videossr-verl" / "built" / name
