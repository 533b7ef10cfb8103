"""Tells whether a run goes on with the data that it began with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = "training_data.json"  # in each checkpoint


def fingerprint(files: Sequence[str], num_rows: int) -> str:
    """16 hex digits of the training files' bytes, in their order, and of how many of their rows are used."""
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        with open(file, "rb") as content:
            digest.update(hashlib.file_digest(content, "blake2b").digest())
    digest.update(str(num_rows).encode())
    return digest.hexdigest()


def write_fingerprint(dataset: Any, folder: Path) -> None:
    """Puts the fingerprint of a `PretextDataset` into a checkpoint; other data sets have none."""
    if hasattr(dataset, "fingerprint"):
        (folder / FILE).write_text(json.dumps({"fingerprint": dataset.fingerprint(), "rows": len(dataset)}) + "\n")


def read_fingerprint(folder: Path) -> str | None:
    """That of a checkpoint, None where it holds none."""
    file = folder / FILE
    return json.loads(file.read_text())["fingerprint"] if file.is_file() else None
