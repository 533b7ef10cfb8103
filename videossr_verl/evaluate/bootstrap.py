"""How sure a mean is when several questions share a video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000


def bootstrap(videos: Sequence[str], values: Sequence[float], seed: int) -> tuple[float, float]:
    """Returns the 95 % interval for the mean of `values`. Resamples whole videos, because questions of a video are
    alike.
    """
    names, index = np.unique(np.asarray(videos), return_inverse=True)
    sums = np.bincount(index, weights=np.asarray(values, np.float64))
    counts = np.bincount(index)
    drawn = np.random.default_rng(seed).integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
