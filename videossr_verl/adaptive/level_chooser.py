"""Which difficulty level of a task to draw next, from the rewards of the groups drawn so far.

A group of rollouts teaches something if its rewards differ, and if they differ because the model can do the question
sometimes, not because it guesses. So the worth of a level is u * 4 s (1 - s), where over the groups seen lately
    u   share of groups whose rewards differ
    s   success: how far the mean reward is on the way from chance to 1
and a level is drawn with a probability in proportion to its worth squared. Both start as if a level had been half
solved, and old groups fade, so a level that nobody has seen for long is tried again. Ours: neither paper has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

PRIOR = 2.0  # groups that each level's rates start with, all useful and half solved
_SAME = 1e-9  # rewards that differ by less are the same


def is_useful(rewards: Sequence[float]) -> bool:
    """Whether a group's rewards differ, so that it has advantages."""
    return max(rewards) - min(rewards) > _SAME


class LevelChooser:
    """Running rates of each level of each task; a pure function of what it observed, in order."""

    def __init__(self, levels: Mapping[str, Sequence[str]], memory: float) -> None:
        """
        Args:
            levels: names of each task's levels.
            memory: groups of a task after which an old one counts 1/e; above 1.
        """
        self._fade = 1 - 1 / memory
        # Faded sums over groups: how many, how many useful, success.
        self._sums = {task: {level: [0.0, 0.0, 0.0] for level in names} for task, names in levels.items()}

    def observe(self, task: str, level: str, rewards: Sequence[float], chance: float) -> None:
        """Takes in one group's rewards, 0 to 1, and what the best blind guess earns."""
        for sums in self._sums[task].values():
            sums[:] = [self._fade * value for value in sums]
        success = (float(np.mean(rewards)) - chance) / (1 - chance) if chance < 1 else 1.0
        seen = (1.0, float(is_useful(rewards)), min(max(success, 0.0), 1.0))
        sums = self._sums[task][level]
        sums[:] = [old + new for old, new in zip(sums, seen, strict=True)]

    def rates(self, task: str) -> dict[str, dict[str, float]]:
        """By level: faded number of `groups`, `useful` and `success` as estimated, and `share` of the next draws."""
        told = {}
        for level, (groups, useful, success) in self._sums[task].items():
            told[level] = {
                "groups": groups,
                "useful": (useful + PRIOR) / (groups + PRIOR),
                "success": (success + PRIOR / 2) / (groups + PRIOR),
            }
        worth = {level: (r["useful"] * 4 * r["success"] * (1 - r["success"])) ** 2 for level, r in told.items()}
        total = sum(worth.values())
        return {level: rates | {"share": worth[level] / total} for level, rates in told.items()}

    def choose(self, task: str, rng: np.random.Generator) -> str:
        """A level of the task."""
        rates = self.rates(task)
        return list(rates)[rng.choice(len(rates), p=[r["share"] for r in rates.values()])]

    def state_dict(self) -> dict[str, Any]:
        """JSON data from which `load_state_dict` goes on."""
        return {task: {level: list(sums) for level, sums in levels.items()} for task, levels in self._sums.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state; levels that it does not know start anew, and those it alone knows are dropped."""
        for task, levels in self._sums.items():
            for level in levels:
                levels[level] = list(state.get(task, {}).get(level, levels[level]))
