"""Reward of masked video prediction: which K frames of the pool fill the gap, and in which order?

MVP (arXiv 2601.03781) speaks of a fine-grained reward and trains two skills, choosing and ordering; its formula is not
public. What follows is ours. With K true frames, y the K labels of the answer:
    selection   share of the true frames that y names, 0..1
    order       mean over the true frames of 1 - |place in y - true place| / (K - 1), 0 for one that y misses; 0..1
    score       (1 - w) * selection + w * order, with w = ORDER_WEIGHT
Fixing one mistake never lowers it: neither a true frame in the place of a distractor, nor two frames exchanged that
stood in the wrong order, nor the right frame put into its place. Only the exact answer scores 1, and only it has `acc`
1. For K = 1 there is no order, and a hit scores 1.

Read as an answer: K different labels of the pool, as letters in either case ("C, A, F", "C A F", "caf", "[C, A, F]",
"C -> A -> F"). Another number of labels, a repeated one or one outside the pool is no answer (`parsed` 0).

The ground truth names the size of the pool too, "CAF of 8": K labels in temporal order, out of the first 8 letters.

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

_TRUTH = re.compile(r"([A-Z]+) of (\d+)")
# Capital letters that stand alone, with nothing but links between them, or that are written together.
_LINK = r"(?:\s*(?:,\s*then|,|;|-|→|then)\s*|[^\S\n]+)"  # "->" has become "-"
_SPACED = re.compile(rf"(?<![\w'])[A-Z](?:{_LINK}[A-Z](?![\w']))*(?![\w'])")
_TOGETHER = re.compile(r"(?<![\w'])[A-Z]+(?![\w'])")


def parts(text: str, ground_truth: str) -> dict[str, float]:
    """`selection` and `order` of the completion `text`; both 0 without an answer."""
    truth, pool = _truth(ground_truth)
    answer = final_answer(text, partial(_candidates, count=len(truth), pool=pool))
    if answer is None:
        return {"selection": 0.0, "order": 0.0}
    count = len(truth)
    right = [label for label in truth if label in answer]
    off = sum(abs(answer.index(label) - truth.index(label)) for label in right)
    order = (len(right) - off / (count - 1)) / count if count > 1 else float(len(right))
    return {"selection": len(right) / count, "order": order}


def score(text: str, ground_truth: str) -> tuple[float, float, float]:
    """(score, acc, parsed) of the completion `text`; ValueError when the ground truth is malformed."""
    truth, pool = _truth(ground_truth)
    answer = final_answer(text, partial(_candidates, count=len(truth), pool=pool))
    if answer is None:
        return 0.0, 0.0, 0.0
    earned = parts(text, ground_truth)
    total = (1 - ORDER_WEIGHT) * earned["selection"] + ORDER_WEIGHT * earned["order"]
    return total, float(answer == truth), 1.0


def chance(knobs: Mapping[str, Any]) -> float:
    """Expected score of any constant answer.

    Args:
        knobs: num_masked (K, default 4), num_distractors (l, default 4).
    """
    count, distractors = int(knobs.get("num_masked", 4)), int(knobs.get("num_distractors", 4))
    if count < 1 or distractors < 0 or count + distractors > len(ascii_uppercase):
        raise ValueError(f"no pool of {count} true frames and {distractors} distractors: 1 to 26 frames are possible")
    # A label stands for a given true frame with probability 1 / pool.
    off = sum(abs(i - j) for i in range(count) for j in range(count))
    ordered = count * count - (off / (count - 1) if count > 1 else 0)
    pool = count + distractors
    return (1 - ORDER_WEIGHT) * count / pool + ORDER_WEIGHT * ordered / (count * pool)


def _truth(ground_truth: str) -> tuple[str, str]:
    """The labels in temporal order, and the pool's labels."""
    match = _TRUTH.fullmatch(ground_truth)
    pool = ascii_uppercase[: int(match[2])] if match else ""
    if not match or len(set(match[1])) != len(match[1]) or not set(match[1]) <= set(pool) or int(match[2]) > 26:
        raise ValueError(
            "ground truth of masked_video_prediction must be different labels and the pool's size, like 'CAF of 8',"
            f" not {ground_truth!r}"
        )
    return match[1], pool


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
