"""Reward of masked video prediction: which K frames of the pool fill the gap, and in which order?

MVP (arXiv 2601.03781) speaks of a fine-grained reward and trains two skills, choosing and ordering; its formula is not
public. What follows is ours. With K true frames, y the K labels of the answer:
    selection   share of the true frames that y names, 0..1
    order       mean over the true frames of 1 - |place in y - true place| / (K - 1), 0 for one that y misses; 0..1
    score       (1 - w) * selection + w * order, with the weight w = `order_weight`, 0.5 by default
Fixing one mistake never lowers it: neither a true frame in the place of a distractor, nor two frames exchanged that
stood in the wrong order, nor the right frame put into its place. For 0 < w <= 1 only the exact answer scores 1, and
only it has `acc` 1. For K = 1 there is no order, and a hit scores 1. Another weight for a run of verl:
    +reward.custom_reward_function.reward_kwargs.masked_video_prediction.order_weight=0.3

Read as an answer: K different labels of the pool, as letters in either case ("C, A, F", "C A F", "caf", "[C, A, F]",
"C -> A -> F"). Another number of labels, a repeated one or one outside the pool is no answer (`parsed` 0).

The ground truth is K letters in temporal order, "CAF"; the pool is the first K + `num_distractors` letters.

Chance: the pool is shuffled, so all answers that can be read earn the same on average; a sum over the places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from string import ascii_uppercase
from typing import Any

from reward_fns.final_answer import final_answer

ORDER_WEIGHT = 0.5
NUM_MASKED = NUM_DISTRACTORS = 4

# Capital letters that stand alone, with nothing but links between them, or that are written together.
_LINK = r"(?:\s*(?:,\s*then|,|;|-|→|then)\s*|[^\S\n]+)"  # "->" has become "-"
_SPACED = re.compile(rf"(?<![\w'])[A-Z](?:{_LINK}[A-Z](?![\w']))*(?![\w'])")
_TOGETHER = re.compile(r"(?<![\w'])[A-Z]+(?![\w'])")


def parts(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> dict[str, float]:
    """`selection` and `order` of the completion `text`; both 0 without an answer. Knobs and errors as in `score`."""
    answer = final_answer(text, partial(_candidates, count=len(ground_truth), pool=_pool(ground_truth, knobs or {})))
    if answer is None:
        return {"selection": 0.0, "order": 0.0}
    count = len(ground_truth)
    right = [label for label in ground_truth if label in answer]
    off = sum(abs(answer.index(label) - ground_truth.index(label)) for label in right)
    order = (len(right) - off / (count - 1)) / count if count > 1 else float(len(right))
    return {"selection": len(right) / count, "order": order}


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """(score, acc, parsed) of the completion `text`.

    Args:
        knobs: num_distractors (l, default 4), order_weight (default 0.5).

    Raises:
        ValueError: the ground truth or a knob is malformed.
    """
    knobs = knobs or {}
    weight = _order_weight(knobs)
    answer = final_answer(text, partial(_candidates, count=len(ground_truth), pool=_pool(ground_truth, knobs)))
    if answer is None:
        return 0.0, 0.0, 0.0
    earned = parts(text, ground_truth, knobs)
    return (1 - weight) * earned["selection"] + weight * earned["order"], float(answer == ground_truth), 1.0


def chance(knobs: Mapping[str, Any]) -> float:
    """Expected score of any constant answer.

    Args:
        knobs: num_masked (K, default 4), num_distractors (l, default 4), order_weight (default 0.5).
    """
    count, distractors = int(knobs.get("num_masked", NUM_MASKED)), int(knobs.get("num_distractors", NUM_DISTRACTORS))
    weight = _order_weight(knobs)
    if count < 1 or distractors < 0 or count + distractors > len(ascii_uppercase):
        raise ValueError(f"no pool of {count} true frames and {distractors} distractors: 1 to 26 frames are possible")
    # A label stands for a given true frame with probability 1 / pool.
    off = sum(abs(i - j) for i in range(count) for j in range(count))
    ordered = count * count - (off / (count - 1) if count > 1 else 0)
    pool = count + distractors
    return (1 - weight) * count / pool + weight * ordered / (count * pool)


def _order_weight(knobs: Mapping[str, Any]) -> float:
    weight = float(knobs.get("order_weight", ORDER_WEIGHT))
    if not 0 <= weight <= 1:
        raise ValueError(f"order_weight of masked_video_prediction must be from 0 to 1, not {weight:g}")
    return weight


def _pool(ground_truth: str, knobs: Mapping[str, Any]) -> str:
    """The pool's labels."""
    size = len(ground_truth) + int(knobs.get("num_distractors", NUM_DISTRACTORS))
    pool = ascii_uppercase[:size]
    if not ground_truth or len(set(ground_truth)) != len(ground_truth) or not set(ground_truth) <= set(pool):
        raise ValueError(
            f"ground truth of masked_video_prediction must be different letters of a pool of {size}, like 'CAF', not "
            f"{ground_truth!r}"
        )
    return pool


def _candidates(text: str, count: int, pool: str) -> Iterator[str]:
    # Small letters are labels only where nothing else is written: "face" in a sentence is a word.
    alone = re.sub(r"then|[^a-z]", "", text.lower())
    if re.fullmatch(r"[a-z](?:\W+(?:then\W+)?[a-z])*|[a-z]+", text.strip(" .,;:!\n").lower()) and len(alone) == count:
        text = alone.upper()
    for pattern in (_SPACED, _TOGETHER):
        for match in pattern.finditer(text):
            answer = re.sub(r"[^A-Z]", "", match[0])
            if len(answer) == count and len(set(answer)) == count and set(answer) <= set(pool):
                yield answer
