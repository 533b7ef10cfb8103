"""Reward of masked video prediction: which K frames of the pool fill the gap, and in which order?

MVP (arXiv 2601.03781) speaks of a fine-grained reward and trains two skills, choosing and ordering; its formula is not
public. What follows is ours. With K true frames, y the K labels of the answer:
    selection   share of the true frames that y names, 0..1
    order       mean over the true frames of 1 - |place in y - true place| / (K - 1), 0 for one that y misses; 0..1
    score       (1 - w) * selection + w * order, with the weight w = `order_weight`, 0.5 by default
Fixing one mistake never lowers the score: neither putting a true frame in the place of a distractor, nor exchanging
two frames that stood in the wrong order, nor putting the right frame into its place. For 0 < w <= 1 only the exact
answer scores 1, and only it has `acc` 1. For K = 1 there is no order, and a hit scores 1. To set another weight for a
run of verl:
    ++reward.custom_reward_function.reward_kwargs.masked_video_prediction.order_weight=0.3

Read as an answer: K different labels of the pool, written together ("CAF") or separated by what separates a list or a
sequence ("C, A and F", "Frame C -> Frame A -> Frame F"; `reward_fns.vocabulary`, notations: `reward_fns.plain_text`).
Small letters are labels only if nothing else is written. Another number of labels, a repeated label or one outside
the pool is no answer (`parsed` 0).

The ground truth is K letters in temporal order, "CAF"; the pool is the first K + `num_distractors` letters.

Chance: the pool is shuffled, so all answers that can be read earn the same on average. It is a sum over the places.
Strict (the exact answer): 1 / (pool! / l!).

Metric (ours): the mean of selection and order, whatever weight a run takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import perm
from statistics import fmean
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from reward_fns.final_answer import final_answer
from reward_fns.item_runs import item_runs
from reward_fns.knobs import whole_number
from reward_fns.vocabulary import ANSWER_WORDS, LABELS, ORDER_LINKS

if TYPE_CHECKING:
    from numpy.random import Generator

ORDER_WEIGHT = 0.5
NUM_MASKED = NUM_DISTRACTORS = 4
KNOBS = ("order_weight",)
PARTS = ("selection", "order")

_FILLERS = LABELS | {"first"}  # "frame H first, then frame A"
_ARTICLE = rf"(?!A (?:{'|'.join(LABELS)})\b)"
_LABEL = re.compile(rf"(?<![\w']){_ARTICLE}[A-Z](?![\w'])")
_TOGETHER = re.compile(r"(?<![\w'])[A-Z]{2,}(?![\w'])")
_SMALL = re.compile(r"(?<![\w'])[a-z](?![\w'])")


def score(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float, float]:
    """Returns (score, acc, parsed) of the completion `text`. Takes the knobs of `score_in_parts` and raises as it
    does.
    """
    return score_in_parts(text, ground_truth, knobs)[:3]


def score_in_parts(
    text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None
) -> tuple[float, float, float, dict[str, float]]:
    """Returns (score, acc, parsed, parts) of the completion `text`; the parts are `selection` and `order`.

    Args:
        knobs: num_distractors (l, default 4), order_weight (default 0.5).

    Raises:
        ValueError: the ground truth or a knob is malformed.
    """
    knobs = knobs or {}
    weight = _order_weight(knobs)
    answer = _read(text, len(ground_truth), _pool(ground_truth, knobs))
    if answer is None:
        return 0.0, 0.0, 0.0, {"selection": 0.0, "order": 0.0}
    selection, order = _selection_and_order(answer, ground_truth)
    reward = (1 - weight) * selection + weight * order
    return reward, float(answer == ground_truth), 1.0, {"selection": selection, "order": order}


def metric(text: str, ground_truth: str, knobs: Mapping[str, Any] | None = None) -> tuple[float, float]:
    """Returns (mean of selection and order, parsed). Raises as `score_in_parts` does."""
    answer = _read(text, len(ground_truth), _pool(ground_truth, knobs or {}))
    return (0.0, 0.0) if answer is None else (fmean(_selection_and_order(answer, ground_truth)), 1.0)


def chance(knobs: Mapping[str, Any]) -> float:
    """Returns the expected score of any constant answer.

    Args:
        knobs: num_masked (K, default 4), num_distractors (l, default 4), order_weight (default 0.5).
    """
    count, pool = _sizes(knobs)
    weight = _order_weight(knobs)
    # A label stands for a given true frame with probability 1 / pool.
    off = sum(abs(i - j) for i in range(count) for j in range(count))
    ordered = count * count - (off / (count - 1) if count > 1 else 0)
    return (1 - weight) * count / pool + weight * ordered / (count * pool)


def exact_chance(knobs: Mapping[str, Any]) -> float:
    """Returns the probability of any answer that can be read. Takes the knobs of `chance`."""
    count, pool = _sizes(knobs)
    return 1 / perm(pool, count)


def _uniform_guess(knobs: Mapping[str, Any], seconds: float, rng: Generator) -> str:
    """Guesses different labels at random."""
    count, pool = _sizes(knobs)
    return "".join(ascii_uppercase[i] for i in rng.permutation(pool)[:count])


GUESSES = {"uniform guess": _uniform_guess}


def _selection_and_order(answer: str, ground_truth: str) -> tuple[float, float]:
    count = len(ground_truth)
    right = [label for label in ground_truth if label in answer]
    off = sum(abs(answer.index(label) - ground_truth.index(label)) for label in right)
    order = (len(right) - off / (count - 1)) / count if count > 1 else float(len(right))
    return len(right) / count, order


def _sizes(knobs: Mapping[str, Any]) -> tuple[int, int]:
    """Returns the numbers of true frames and of all candidates."""
    count, distractors = whole_number(knobs, "num_masked", NUM_MASKED, 0, len(ascii_uppercase)), _distractors(knobs)
    if count < 1 or count + distractors > len(ascii_uppercase):
        raise ValueError(f"no pool of {count} true frames and {distractors} distractors: 1 to 26 frames are possible")
    return count, count + distractors


def _distractors(knobs: Mapping[str, Any]) -> int:
    return whole_number(knobs, "num_distractors", NUM_DISTRACTORS, 0, len(ascii_uppercase))


def _order_weight(knobs: Mapping[str, Any]) -> float:
    weight = knobs.get("order_weight", ORDER_WEIGHT)
    if not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise ValueError(f"order_weight of masked_video_prediction must be a number from 0 to 1, not {weight!r}")
    return weight


def _pool(ground_truth: str, knobs: Mapping[str, Any]) -> str:
    """Returns the pool's labels."""
    size = len(ground_truth) + _distractors(knobs)
    pool = ascii_uppercase[:size]
    if not ground_truth or len(set(ground_truth)) != len(ground_truth) or not set(ground_truth) <= set(pool):
        raise ValueError(
            f"ground truth of masked_video_prediction must be different letters of a pool of {size}, like 'CAF', not "
            f"{ground_truth!r}"
        )
    return pool


def _read(text: str, count: int, pool: str) -> str | None:
    def is_answer(word: str) -> bool:
        return len(word) == count and len(set(word)) == count and set(word) <= set(pool)

    def beside(word: str) -> bool:
        return len(word) == 1 or is_answer(word) or word.lower() in ANSWER_WORDS

    return final_answer(text, partial(_candidates, is_answer=is_answer), beside)


def _candidates(text: str, is_answer: Callable[[str], bool]) -> Iterator[str | None]:
    text = _in_capitals(text, is_answer)
    for run in item_runs(text, _LABEL, ORDER_LINKS, _FILLERS):
        answer = "".join(label[0] for label in run.items)
        if is_answer(answer):
            yield None if run.doubtful else answer
    for run in item_runs(text, _TOGETHER, ()):
        answer = run.items[0][0]
        if is_answer(answer) and answer.lower() not in ANSWER_WORDS:
            yield None if run.doubtful else answer


def _in_capitals(text: str, is_answer: Callable[[str], bool]) -> str:
    """Returns the text with small labels in capitals, if nothing else is written: "face" in a sentence is a word."""
    words = re.findall(r"[^\W\d_]+", text)
    if len(words) == 1 and is_answer(words[0].upper()):
        return text.upper()
    if all(len(word) == 1 or word.lower() in ANSWER_WORDS for word in words):
        return _SMALL.sub(lambda label: label[0].upper(), text)
    return text
