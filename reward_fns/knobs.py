"""Knobs of a reward: some come with the row's difficulty, some are set by a run in verl's `reward_kwargs`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

# What verl itself hands to a reward.
_VERLS_SETTINGS = {
    "sandbox_fusion_url",
    "concurrent_semaphore",
    "memory_limit_mb",
    "reward_router_address",
    "reward_model_tokenizer",
}


def difficulty_knobs(difficulty: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Returns the knobs in a row's `extra_info.difficulty`, a mapping or its JSON. Raises ValueError for anything
    else.
    """
    knobs = {} if difficulty is None else difficulty
    if isinstance(knobs, str):
        try:
            knobs = json.loads(knobs)
        except (ValueError, RecursionError):
            knobs = None
    if not isinstance(knobs, Mapping):
        raise ValueError(f"extra_info['difficulty'] must be a JSON object, not {str(difficulty)[:80]!r}")
    return knobs


def whole_number(knobs: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """Returns a knob that counts something. Raises ValueError if it is no whole number, or outside of [low, high].

    The bounds are needed because a reward's time grows with its knobs, and a row may come from anywhere.
    """
    value = knobs.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {repr(value)[:40]}")
    return value


def verls_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the part of `reward_kwargs` that is for verl's own rewards."""
    return {name: value for name, value in settings.items() if name in _VERLS_SETTINGS}


def run_knobs(task: str, names: Collection[str], settings: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Returns (strict, other knobs) of a task's reward in a run.

    Args:
        names: the task's own knobs besides `strict`.
        settings: `reward_kwargs`: `strict` for all tasks, and under a task's name its knobs, which go first.

    Raises:
        ValueError: a name that nothing reads, or a value that cannot be.
    """
    for name, value in settings.items():
        if name != "strict" and name not in _VERLS_SETTINGS and not isinstance(value, Mapping):
            raise ValueError(
                f"reward_kwargs has no '{name}': it takes strict=true or false, and the knobs of a task under its name"
            )
    own = {"strict": settings.get("strict", False), **settings.get(task, {})}
    known = ("strict", *names)
    for name in own:
        if name not in known:
            raise ValueError(f"reward_kwargs.{task} has no '{name}': it takes {', '.join(known)}")
    strict = own.pop("strict")
    if not isinstance(strict, bool):
        raise ValueError(f"strict of reward_kwargs must be true or false, not {strict!r}")
    return strict, own
