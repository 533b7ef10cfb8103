"""Answer text -> reward. verl finds it through `reward.custom_reward_function`: `videossr_verl.adaptive.reward_hook`,
or `pkg://reward_fns` itself where nothing is drawn at load.

A task's rewards live in one module with
    score(text, ground_truth, knobs) -> (score, acc, parsed)
    chance(knobs) -> float: expected score of the best blind guess for these difficulty knobs
        ({}: the paper's setting)
and, where a reward has parts that are worth a curve of their own, some of PARTS in
    parts(text, ground_truth, knobs) -> {part: float}
Modules from other packages are found through the entry point group `videossr_verl.rewards`; the entry point's
name is the second part of the row's `data_source` ("videossr/<name>"). Pure Python: imports neither torch nor
cv2, and verl only for rows of other sources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from reward_fns import anomaly_grounding, masked_video_prediction, object_counting, temporal_jigsaw

__all__ = ["compute_score"]

GROUP = "videossr_verl.rewards"
PARTS = ("selection", "order")
_BUILT_IN = {
    "anomaly_grounding": anomaly_grounding,
    "masked_video_prediction": masked_video_prediction,
    "object_counting": object_counting,
    "temporal_jigsaw": temporal_jigsaw,
}
# data_source names of the reference release's parquet files
_RELEASE = {
    "grounding": "anomaly_grounding",
    "counting": "object_counting",
    "shuffled": "temporal_jigsaw",
    "jigsaw": "temporal_jigsaw",
}


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """The reward of one completion, always with the same keys because verl collects them over mixed batches.

    Args:
        data_source: "videossr/<task>" or "videossr/<task>/<subset>", a name of the reference release, or any
            source that verl can score.
        solution_str: the completion, without the prompt.
        ground_truth: the label in the task's answer format.
        extra_info: the row's `extra_info`; its `difficulty` (JSON string or mapping) has the task's knobs.
        **kwargs: verl's `reward.custom_reward_function.reward_kwargs`. Under a task's name: knobs of its reward, e.g.
            masked_video_prediction={"order_weight": 0.3}. All are handed to verl for rows of other sources
            (e.g. sandbox_fusion_url).

    Returns:
        score: the smooth reward (0..1 for our tasks).
        acc: 1.0 when exact, else 0.0; for other sources what verl reports.
        parsed: 1.0 when an answer was found, else 0.0; None for other sources.
        chance: expected score of the best blind guess; None for other sources. (verl leaves None
            out of its metrics, while NaN would spoil a mean.)
        task: the task's name; for other sources the data source.
        selection, order: parts of the reward of tasks that choose and order; None for others.

    Raises:
        ValueError: the ground truth or the difficulty is malformed, or the task is not installed.
    """
    task = _task_name(data_source)
    if task is None:
        return _score_by_verl(data_source, solution_str, ground_truth, extra_info, **kwargs)
    module = _task(task)
    if not isinstance(ground_truth, str):
        raise ValueError(f"ground truth of {task} must be a string, not {ground_truth!r}")
    knobs = {**_knobs((extra_info or {}).get("difficulty")), **kwargs.get(task, {})}
    score, acc, parsed = module.score(solution_str, ground_truth, knobs)
    parts = module.parts(solution_str, ground_truth, knobs) if hasattr(module, "parts") else {}
    whole = {"score": score, "acc": acc, "parsed": parsed, "chance": module.chance(knobs), "task": task}
    return whole | dict.fromkeys(PARTS) | parts


def _task_name(data_source: str) -> str | None:
    # A third part names a subset of the task, such as "blind"; it is scored alike and reported apart.
    prefix, *name = data_source.split("/")
    return name[0] if prefix == "videossr" and name else _RELEASE.get(data_source)


@cache
def _task(name: str) -> ModuleType:
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join(sorted(_BUILT_IN | found))
        raise ValueError(f"no reward for task '{name}' is installed (entry point group {GROUP}); known: {known}")
    return found[name].load()


def _knobs(difficulty: str | Mapping[str, Any] | None) -> Mapping[str, Any]:
    knobs = {} if difficulty is None else difficulty
    if isinstance(knobs, str):
        try:
            knobs = json.loads(knobs)
        except json.JSONDecodeError:
            knobs = None
    if not isinstance(knobs, Mapping):
        raise ValueError(f"extra_info['difficulty'] must be a JSON object, not {difficulty!r}")
    return knobs


def _score_by_verl(data_source: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    from verl.utils.reward_score import default_compute_score

    result = default_compute_score(data_source, *args, **kwargs)
    if not isinstance(result, Mapping):
        result = {"score": result}
    score = float(result["score"])
    # A source without its own accuracy gets its score, as verl's reward manager does.
    acc = float(result.get("acc", score))
    return {"score": score, "acc": acc, "parsed": None, "chance": None, "task": data_source} | dict.fromkeys(PARTS)
