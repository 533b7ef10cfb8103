"""The commonest of some answers: the best constant where only the exact one counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def commonest(values: Iterable[str]) -> str:
    """The value that comes most often, of several the first by its text."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))
