"""The knobs of motion primitives."""

from __future__ import annotations

from dataclasses import dataclass

from reward_fns.motion_primitives import FEWEST_CUPS, FEWEST_EVENTS, KINDS, MOST_CUPS, MOST_EVENTS

SPREAD = 0.25  # speeds lie so far around `speed`, as a share
FASTEST = 0.25  # short sides a frame: a longer step could be one to the other side


@dataclass(frozen=True)
class Difficulty:
    """Knobs of motion primitives; see `tasks.motion_primitives`."""

    kinds: tuple[str, ...] = KINDS
    directions: int = 8
    ratio: float = 2.0
    num_events: int = 3
    min_gap: int = 6
    num_cups: int = 3
    num_swaps: int = 4
    distractors: int = 2
    size: float = 0.16
    speed: float = 0.04
    see_through: float = 0.0
    flicker: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.kinds, str):
            raise ValueError(f"kinds must be a list of names, got the text '{self.kinds}'")
        object.__setattr__(self, "kinds", tuple(self.kinds))  # JSON and YAML give lists
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds or len(set(self.kinds)) < len(self.kinds):
            got = f"unknown kind '{unknown[0]}'" if unknown else f"kinds is {list(self.kinds)}"
            raise ValueError(f"{got}; choose from, each once: {', '.join(KINDS)}")
        if self.directions not in (4, 8):
            raise ValueError(f"directions must be 4 or 8, got {self.directions}")
        for name, low, high in (
            ("num_events", FEWEST_EVENTS, MOST_EVENTS),
            ("min_gap", 2, 100),
            ("num_cups", FEWEST_CUPS, MOST_CUPS),
            ("num_swaps", 1, 20),
            ("distractors", 0, 6),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low} to {high}, got {getattr(self, name)}")
        if not 1.1 <= self.ratio <= 6:
            raise ValueError(f"ratio must be from 1.1 to 6 (of the faster to the slower speed), got {self.ratio}")
        if not 0.08 <= self.size <= 0.3 or ("hidden" in self.kinds and self.size > 0.7 / self.num_cups):
            raise ValueError(
                f"size must be 0.08 to 0.3, with {self.num_cups} cups to {0.7 / self.num_cups:.2f}, got {self.size}"
            )
        if not 0.01 <= self.speed <= FASTEST / (1 + SPREAD) / self.ratio**0.5:
            raise ValueError(
                f"speed must be from 0.01 short sides a frame to {FASTEST / (1 + SPREAD) / self.ratio**0.5:.3f} with "
                f"the ratio {self.ratio:g}, got {self.speed}"
            )
        if not (0 <= self.see_through <= 0.8 and 0 <= self.flicker <= 0.8):
            raise ValueError(f"see_through and flicker must be 0 to 0.8, got {self.see_through} and {self.flicker}")
