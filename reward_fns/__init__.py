"""Answer text -> reward. verl finds it through `reward.custom_reward_function`: `videossr_verl.train.reward_hook`,
or `pkg://reward_fns` itself where nothing is drawn at load.

A task's rewards live in one module with
    score(text, ground_truth, knobs) -> (score, acc, parsed)
    chance(knobs) -> float: expected score of the best blind guess for these difficulty knobs
        ({}: the paper's setting)
    exact_chance(knobs) -> float: expected `acc` of the best blind guess
    KNOBS: names of the knobs that a run may set besides `strict`, if any
and, where a reward has parts that are worth a curve of their own, some of PARTS in
    score_in_parts(text, ground_truth, knobs) -> (score, acc, parsed, {part: float})
Modules from other packages are found through the entry point group `videossr_verl.rewards`. The entry point's name
is the second part of the row's `data_source` ("videossr/<name>"), or, for rows of another data set, all of it: there
the ground truth may be of any type, the row's whole `extra_info` stands in place of the knobs, and the chances may be
missing. Pure Python: imports neither torch nor cv2, and verl only for rows of other sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from reward_fns import anomaly_grounding, masked_video_prediction, object_counting, temporal_jigsaw
from reward_fns.knobs import difficulty_knobs, run_knobs, verls_settings

__all__ = ["compute_score", "other_result", "task_of"]

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
            source that an installed module (see above) or verl can score.
        solution_str: the completion, without the prompt.
        ground_truth: the label in the task's answer format.
        extra_info: the row's `extra_info`; its `difficulty` (JSON string or mapping) has the task's knobs.
        **kwargs: verl's `reward.custom_reward_function.reward_kwargs`. `strict=True`: only the exact answer earns (the
            strict reward of VideoSSR's Table 4), `score` is `acc`. Under a task's name: knobs of its reward, e.g.
            masked_video_prediction={"order_weight": 0.3} or temporal_jigsaw={"strict": True}. The rest are verl's own
            (e.g. sandbox_fusion_url), for rows of other sources.

    Returns:
        score: the reward, smooth or strict (0..1 for our tasks).
        acc: 1.0 when exact, else 0.0; for other sources what verl reports.
        parsed: 1.0 when an answer was found, else 0.0; None for other sources.
        chance: expected `score` of the best blind guess; None where nobody tells. (verl leaves None
            out of its metrics, while NaN would spoil a mean.)
        task: the task's name; for other sources the data source.
        selection, order: parts of the reward of tasks that choose and order; None for others.

    Raises:
        ValueError: the ground truth, the difficulty or a knob is malformed, or the task is not installed.
        NotImplementedError: nobody scores this data source.
    """
    task = task_of(data_source)
    if task is None:
        return _score_by_verl(data_source, solution_str, ground_truth, extra_info, **verls_settings(kwargs))
    module = _task(task)
    strict, own_knobs = run_knobs(task, getattr(module, "KNOBS", ()), kwargs)
    knobs = extra_info or {}
    if data_source != task:
        if not isinstance(ground_truth, str):
            raise ValueError(f"ground truth of {task} must be a string, not {ground_truth!r}")
        knobs = difficulty_knobs(knobs.get("difficulty"))
    knobs = {**knobs, **own_knobs}
    score, acc, parsed, *parts = getattr(module, "score_in_parts", module.score)(solution_str, ground_truth, knobs)
    chance_of = getattr(module, "exact_chance" if strict else "chance", None)
    chance = chance_of(knobs) if chance_of else None
    whole = {"score": acc if strict else score, "acc": acc, "parsed": parsed, "chance": chance, "task": task}
    return whole | dict.fromkeys(PARTS) | (parts[0] if parts else {})


def other_result(data_source: str, scored: float | Mapping[str, Any]) -> dict[str, Any]:
    """What a function of one's own found for a row of another data set, with the keys of `compute_score`.

    Args:
        scored: the score, or a mapping with `score` and maybe `acc`; other keys are left out.
    """
    if not isinstance(scored, Mapping):
        scored = {"score": scored}
    score = float(scored["score"])
    # A source without its own accuracy gets its score, as verl's reward manager does.
    acc = float(scored.get("acc", score))
    return {"score": score, "acc": acc, "parsed": None, "chance": None, "task": data_source} | dict.fromkeys(PARTS)


def task_of(data_source: str) -> str | None:
    """Name of the module that scores a data source, installed or not; None where that is left to verl."""
    # A third part names a subset of the task, such as "blind"; it is scored alike and reported apart.
    prefix, *name = data_source.split("/")
    if prefix == "videossr" and name:
        return name[0]
    return _RELEASE.get(data_source) or (data_source if data_source in _installed() else None)


@cache
def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@cache
def _task(name: str) -> ModuleType:
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    if name not in _installed():
        known = ", ".join(sorted(_BUILT_IN | _installed()))
        raise ValueError(f"no reward for task '{name}' is installed (entry point group {GROUP}); known: {known}")
    return _installed()[name].load()


def _score_by_verl(data_source: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    from verl.utils.reward_score import default_compute_score

    return other_result(data_source, default_compute_score(data_source, *args, **kwargs))
