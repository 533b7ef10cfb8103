"""Tells whether a run goes on with the data that it began with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = "training_data.json"  # in each checkpoint


def fingerprint(files: Sequence[str], num_rows: int) -> str:
    """Returns 16 hex digits of the training data.

    Args:
        files: fingerprint of each file, in their order, as it was when it was read.
        num_rows: how many of their rows are used.
    """
    return hashlib.blake2b(json.dumps([list(files), num_rows]).encode(), digest_size=8).hexdigest()


def write_fingerprint(dataset: Any, folder: Path) -> None:
    """Puts the fingerprint of a `PretextDataset` into a checkpoint. Other data sets have none."""
    if hasattr(dataset, "fingerprint"):
        (folder / FILE).write_text(json.dumps({"fingerprint": dataset.fingerprint(), "rows": len(dataset)}) + "\n")


def read_fingerprint(folder: Path) -> str | None:
    """Returns the fingerprint of a checkpoint, or None if it holds none."""
    file = folder / FILE
    return json.loads(file.read_text())["fingerprint"] if file.is_file() else None
