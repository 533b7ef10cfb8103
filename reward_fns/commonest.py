"""The commonest answer: the best constant where only the exact answer counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def commonest(values: Iterable[str]) -> str:
    """Returns the value that comes most often. Of several it takes the first in the order of their text."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))
