"""Motion primitives: shapes that were drawn over a video move; how? (After the motion primitives of SynRL, arXiv
2603.17693, drawn over real frames.)

Game        Coloured shapes move over the clip's frames. A question names one or some of them, by colour and shape.
Prompt      One video, then the question. The kinds of questions:
                direction   which way does a shape move?
                faster      which of two shapes moves faster?
                order       in which order do n shapes stop (or start, or turn round)?
                hidden      a shape hides behind one of k equal squares, which then change places in pairs: behind which
                            one is it in the end?
Label       "up-left"; "1" or "2"; n digits, the shapes from the earliest to the latest; the square's place from the
            left. Each is uniform, and drawn before anything that may be refused, so that it stays so.
Reward      reward_fns.motion_primitives.
Chance      0.25, 0.5, 0.333 (n = 3) and 0.333 (k = 3).
Knobs       kinds: to draw from, evenly; directions: 4 or 8; ratio: of the two speeds of faster; num_events: n, 3 to 6;
            min_gap: frames from one event to the next; num_cups: k, 3 to 5 (with two, the number of swaps would tell);
            num_swaps; distractors: other shapes that move, 0 to 6, by turns of a named one's colour and of a named
            one's shape; size: of the shapes, share of the short side; speed: short sides a frame, on average;
            see_through, flicker: see `frames.moving_shapes`.

No single frame tells an answer. The picture is a torus, on which straight paths start anywhere (`frames.paths`), so the
place of a shape is uniform in each frame, whichever way and however fast it moves. Shapes are there from the first
frame to the last, so no event shows in one frame. Squares are equal, and their last place does not depend on the first.
Named shapes are drawn over the others, and those of one question hide each other seldom, and never at an event.
Steps are the same from frame to frame, so each pair of frames that the vision tower merges shows them.

A clip is refused if a named shape does not stand out from what is behind it in any colour ("no_contrast"), if named
shapes find no room ("no_room"), or if it has too few frames for the events or swaps ("too_few_frames").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.contract import Sample
from videossr_verl.tasks.frames.moving_shapes import draw_moving
from videossr_verl.tasks.motion import direction, faster, hidden, order
from videossr_verl.tasks.motion.difficulty import Difficulty

NAME = "motion_primitives"
PRESETS = {"motion_primitives": Difficulty(ratio=1.5, distractors=4, see_through=0.25, flicker=0.3)}

_DRAW = {"direction": direction.draw, "faster": faster.draw, "order": order.draw, "hidden": hidden.draw}


def draw(
    clip: Clip,
    frames: np.ndarray,
    difficulty: Difficulty,
    rng: np.random.Generator,
    other: Clip | None = None,
) -> Sample:
    """Draws a kind of question, its answer, and shapes that move accordingly.

    Args:
        clip: T frames.
        frames: its frames, (T, H, W, 3) uint8.
        other: not used.

    Raises:
        CannotDraw: see the module.
    """
    kind = difficulty.kinds[rng.integers(len(difficulty.kinds))]
    question, answer, shapes, details = _DRAW[kind](frames, difficulty, rng)
    transform = {
        "shapes": shapes,
        "see_through": difficulty.see_through,
        "flicker": difficulty.flicker,
        "seed": int(rng.integers(2**31)),
    }
    return Sample(NAME, question, (clip.spec(NAME, transform),), answer, {"kind": kind, **details})


def render(transform: Mapping[str, Any], frames: np.ndarray, other_frames: np.ndarray | None = None) -> np.ndarray:
    """Returns frames (T, H, W, 3) uint8 with the shapes drawn, as a new array.

    Args:
        transform: {"shapes", "see_through", "flicker", "seed"}, see `frames.moving_shapes`.
        other_frames: not used.
    """
    out = np.array(frames, order="C")
    draw_moving(out, transform["shapes"], transform["see_through"], transform["flicker"], transform["seed"])
    return out
