"""Which way does a shape move?"""

from __future__ import annotations

import numpy as np

from reward_fns.directions import DIRECTIONS
from videossr_verl.tasks.motion.difficulty import Difficulty
from videossr_verl.tasks.motion.named_shapes import (
    INTRODUCTION,
    Drawn,
    draw_distractors,
    draw_named,
    draw_speed,
    name_of,
    step_in,
)


def draw(frames: np.ndarray, difficulty: Difficulty, rng: np.random.Generator) -> Drawn:
    """Draws a way, and a shape that moves that way among others."""
    ways = DIRECTIONS[:: len(DIRECTIONS) // difficulty.directions]
    answer = ways[rng.integers(len(ways))]
    move = step_in(frames, draw_speed(difficulty, rng), DIRECTIONS.index(answer) * 45)
    looks, shapes = draw_named(frames, [move], None, difficulty, rng)
    question = (
        f"{INTRODUCTION}In which direction does the {name_of(looks[0])} move? Answer only with one of these: "
        f"{', '.join(ways)}."
    )
    return question, answer, draw_distractors(frames, looks, None, difficulty, rng) + shapes, {}
