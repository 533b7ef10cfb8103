"""verl's custom reward function for runs that ask the questions of `tiny.questions`, beside pretext rows or without
them (`reward.custom_reward_function.path=pkg://videossr_verl.tiny.question_rewards`).

Words and counts earn 1 if they are right, else 0. Seconds earn 1 - |error| / D, and not less than 0, where D are the
seconds from the first to the last shown frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from statistics import fmean, median
from typing import Any

import reward_fns
from reward_fns.final_answer import final_answer
from videossr_verl.tiny.question_scenes import KINDS, LAST
from videossr_verl.tiny.questions import DATA_SET
from videossr_verl.train import reward_hook

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Scores the rows of the questions, with their chance. Leaves all others to `reward_hook.compute_score`.

    Raises ValueError for a kind or a ground truth that no question has.
    """
    data_set, _, kind = data_source.partition("/")
    if data_set != DATA_SET:
        return reward_hook.compute_score(data_source, solution_str, ground_truth, extra_info, **kwargs)
    kind = kind.partition("/")[0]  # a control's name follows
    if ground_truth not in KINDS.get(kind, ()):
        raise ValueError(f"{data_source} has no ground truth {ground_truth!r}: make the rows again")
    score = score_answer(kind, solution_str, ground_truth)
    return reward_fns.other_result(data_source, {"score": score, "acc": float(score == 1), "chance": chance(kind)})


def score_answer(kind: str, text: str, truth: str) -> float:
    """Returns what a completion earns, 0 to 1."""
    answer = final_answer(text, _NUMBER.findall if truth[0].isdigit() else _words(kind).findall)
    if answer is None:
        return 0.0
    if kind == "when":
        return max(0.0, 1 - abs(float(answer) - float(truth)) / LAST)
    return float(answer.lower() == truth)


def chance(kind: str) -> float:
    """Returns the expected score of the best blind answer: any of the words or counts, or the median of the times."""
    answers = KINDS[kind]
    best = f"{median(map(float, answers))}" if kind == "when" else answers[0]
    return fmean(score_answer(kind, best, truth) for truth in answers)


def _words(kind: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(KINDS[kind])})\b", re.IGNORECASE)
