"""Which of two shapes moves faster?"""

from __future__ import annotations

import numpy as np

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


def draw(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> Drawn:
    """Draws which of two shapes is faster, and their ways."""
    answer = int(rng.integers(2))
    slow = draw_speed(difficulty, rng) / difficulty.ratio**0.5
    speeds = [slow * (difficulty.ratio if i == answer else 1) for i in range(2)]
    moves = [step_in(frames, speed, rng.uniform(0, 360)) for speed in speeds]
    looks, shapes = draw_named(frames, moves, None, difficulty, rng)
    question = f"{INTRODUCTION}Which of these moves faster? {numbered(looks)}Answer only with 1 or 2."
    details = {"speeds": [round(speed, 4) for speed in speeds]}
    return question, str(answer + 1), draw_distractors(frames, looks, None, difficulty, rng) + shapes, details
