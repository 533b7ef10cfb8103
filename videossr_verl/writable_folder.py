"""A folder that is written to much later is tried when the work begins."""

from __future__ import annotations

import os
import tempfile


def make_writable(folder: str | os.PathLike[str]) -> None:
    """Makes the folder where there is none, and writes a file there that is gone at once; OSError where it cannot."""
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"tried")
        file.flush()
