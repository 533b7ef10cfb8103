"""In which order do shapes stop, start, or turn round?"""

from __future__ import annotations

import numpy as np

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.apart import draw_apart
from videossr_verl.tasks.frames.paths import EVENTS
from videossr_verl.tasks.motion.difficulty import Difficulty
from videossr_verl.tasks.motion.named_shapes import (
    INTRODUCTION,
    Drawn,
    draw_distractors,
    draw_named,
    draw_speed,
    numbered,
    step_in,
)

_HAPPENS = {"stop": "stops moving", "start": "starts to move", "turn": "turns round and moves back"}


def draw(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> Drawn:
    """Draws in which order an event happens to n shapes, and when."""
    n, event = difficulty.num_events, EVENTS[rng.integers(len(EVENTS))]
    at = _event_frames(len(frames), n, difficulty.min_gap, rng)
    order = rng.permutation(n)  # the shapes from the earliest event to the latest
    happens = [(event, at[int(place)]) for place in np.argsort(order)]
    moves = [step_in(frames, draw_speed(difficulty, rng), rng.uniform(0, 360)) for _ in range(n)]
    looks, shapes = draw_named(frames, moves, happens, difficulty, rng)
    example = "".join(map(str, [*range(2, n + 1), 1]))
    question = (
        f"{INTRODUCTION}Each of these {_HAPPENS[event]} once. {numbered(looks)}In which order does that happen? "
        f"Answer only with the {n} numbers from the earliest to the latest, without spaces, for example {example}."
    )
    answer = "".join(str(i + 1) for i in order)
    others = draw_distractors(frames, looks, event, difficulty, rng)
    return question, answer, others + shapes, {"event": event, "frames": [frame for _, frame in happens]}


def _event_frames(num_frames: int, count: int, gap: int, rng: np.random.Generator) -> list[int]:
    """Draws the last frames of the old motions: the second frames of pairs that the vision tower merges."""
    pairs, apart = num_frames // 2 - 3, -(-gap // 2)
    if pairs <= (count - 1) * apart:
        raise CannotDraw(f"{num_frames} frames are too few for {count} events, {gap} frames apart", "too_few_frames")
    return [2 * pair + 3 for pair in draw_apart(pairs, count, apart, rng)]
