"""Makes every random choice of a build a function of names. No order, clock or worker number enters."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import numpy as np


def digest(*parts: object) -> str:
    """Returns 32 hex digits for any JSON data, the same on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def sample_seed(seed: int, content_id: str, task: str, knobs: dict[str, Any], index: int) -> int:
    """Returns the seed (63 bits, so that it fits a parquet int64) of sample number `index` of a task from a video."""
    return int(digest("sample", seed, content_id, task, knobs, index)[:16], 16) >> 1


def rng(seed: int) -> np.random.Generator:
    """Returns the generator that draws the sample with that seed. PCG64 is the same in all NumPy versions."""
    return np.random.Generator(np.random.PCG64(seed))
