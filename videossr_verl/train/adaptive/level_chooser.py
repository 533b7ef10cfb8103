"""Chooses the next difficulty level of a task, from the rewards of the groups drawn so far.

A group of rollouts teaches as much as its rewards differ. A level that the model always solves, or never, has groups
without variance; between these the variance is largest. So a level's probability is proportional to the square of its
mean group variance, the measure by which `videossr probe` recommends a difficulty. Every level starts with the variance
of half-solved questions, and old groups fade, so a level that was not drawn for long is tried again. This rule is ours:
neither paper has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PRIOR_GROUPS = 2.0  # each level's rates start with so many groups
PRIOR_VARIANCE = 0.1
_SAME = 1e-9  # rewards that differ by less are the same


def is_useful(rewards: Sequence[float]) -> bool:
    """Returns whether a group's rewards differ, so that it has advantages."""
    return max(rewards) - min(rewards) > _SAME


class LevelChooser:
    """Running rates of each level of each task. They depend only on the rewards observed, in order."""

    def __init__(self, levels: Mapping[str, Sequence[str]], memory: float) -> None:
        """
        Args:
            levels: names of each task's levels.
            memory: an old group counts 1/e after so many groups of its task; above 1.
        """
        self._fade = 1 - 1 / memory
        # Faded sums over groups: their number, their variance, the number of useful ones, their success.
        self._sums = {task: {level: [0.0] * 4 for level in names} for task, names in levels.items()}

    def observe(self, task: str, level: str, rewards: Sequence[float], chance: float) -> None:
        """Takes in one group's rewards, 0 to 1, and what the best blind guess earns."""
        for sums in self._sums[task].values():
            sums[:] = [self._fade * value for value in sums]
        success = (float(np.mean(rewards)) - chance) / (1 - chance) if chance < 1 else 1.0
        seen = (1.0, float(np.var(rewards)), float(is_useful(rewards)), min(max(success, 0.0), 1.0))
        sums = self._sums[task][level]
        sums[:] = [old + new for old, new in zip(sums, seen, strict=True)]

    def rates(self, task: str) -> dict[str, dict[str, float]]:
        """Returns the figures by level, over the groups that have not faded.

        Returns:
            groups: how many; variance: of a group's rewards, on average, with the prior; useful: share of groups
            whose rewards differ, and success: how far the mean reward is on the way from chance to 1, both 0 where
            there are no groups; share: of the next draws.
        """
        by_level = {}
        for level, (groups, variance, useful, success) in self._sums[task].items():
            by_level[level] = {
                "groups": groups,
                "variance": (variance + PRIOR_GROUPS * PRIOR_VARIANCE) / (groups + PRIOR_GROUPS),
                "useful": useful / groups if groups else 0.0,
                "success": success / groups if groups else 0.0,
            }
        total = sum(rates["variance"] ** 2 for rates in by_level.values())
        return {level: rates | {"share": rates["variance"] ** 2 / total} for level, rates in by_level.items()}

    def choose(self, task: str, rng: np.random.Generator) -> str:
        """Draws a level of the task."""
        rates = self.rates(task)
        return list(rates)[rng.choice(len(rates), p=[r["share"] for r in rates.values()])]

    def state_dict(self) -> dict[str, Any]:
        """Returns JSON data from which `load_state_dict` goes on."""
        return {task: {level: list(sums) for level, sums in levels.items()} for task, levels in self._sums.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state. A level that the state lacks starts anew; a level that only the state has is
        dropped.
        """
        for task, levels in self._sums.items():
            for level in levels:
                levels[level] = list(state.get(task, {}).get(level, levels[level]))
