"""Turns answer text into a reward. verl finds this package through `reward.custom_reward_function`: as
`videossr_verl.train.reward_hook`, or as `pkg://reward_fns` itself if nothing is drawn at load.

A task's rewards live in one module, found by the task's name in the entry point group `videossr_verl.rewards`. It has
    score(text, ground_truth, knobs) -> (score, acc, parsed): what training pays
    chance(knobs) -> float: expected score of the best blind guess for these difficulty knobs
        ({}: the task's default ones)
    exact_chance(knobs) -> float: expected `acc` of the best blind guess
    metric(text, ground_truth, knobs) -> (value, parsed): what benchmarks report, 0..1. It never calls `score`, so
        that published figures stay when training pays for something else
    GUESSES: {name: guess(knobs, seconds, rng) -> answer}: blind answers, shown beside a model's, to a clip of so many
        seconds; rng is a numpy Generator
and may have
    score_in_parts(text, ground_truth, knobs) -> (score, acc, parsed, {part: float}), called in place of `score` if
        the reward has parts that deserve a curve of their own; PARTS: their names
    KNOBS: names of the knobs that a run may set besides `strict`
    best_constant(truths, seconds) -> answers: one blind answer to all of these questions, adapted to each clip;
        without it the commonest truth is taken
    RELEASE_NAMES: {data_source of the reference release's parquet files: knobs that its rows were drawn with}
A row's `data_source` is "videossr/<name>", or for rows of another data set the name alone. Such a module needs only
`score`, its ground truth may be of any type, and it gets the row's whole `extra_info` in place of the knobs.

The package is pure Python: it imports neither torch nor cv2, and verl only for rows of other sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from reward_fns.knobs import difficulty_knobs, run_knobs, verls_settings
from reward_fns.registry import REWARDS, RegistryError, check_has, entries, load

__all__ = ["compute_metric", "compute_score", "other_result", "parts", "reward_of", "task_of"]

_NEEDED = ("score", "chance", "exact_chance", "metric", "GUESSES")


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Returns the reward of one completion, always with the same keys because verl collects them over mixed batches.

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
        acc: 1.0 if the answer is exact, else 0.0; for other sources what verl reports.
        parsed: 1.0 when an answer was found, else 0.0; None for other sources.
        chance: expected `score` of the best blind guess; None if it is not known. (verl leaves None
            out of its metrics, while NaN would spoil a mean.)
        task: the task's name; for other sources the data source.
        and each of `parts()`, such as selection and order; None for tasks without it.

    Raises:
        ValueError: the ground truth, the difficulty or a knob is malformed, or the task is not installed.
        NotImplementedError: nobody scores this data source.
    """
    task = task_of(data_source)
    if task is None:
        return _score_by_verl(data_source, solution_str, ground_truth, extra_info, **verls_settings(kwargs))
    module = reward_of(task, ("score",) if data_source == task else _NEEDED)
    strict, own_knobs = run_knobs(task, getattr(module, "KNOBS", ()), kwargs)
    knobs = {**_row_knobs(task, data_source, ground_truth, extra_info), **own_knobs}
    score, acc, parsed, *own_parts = getattr(module, "score_in_parts", module.score)(solution_str, ground_truth, knobs)
    chance_of = getattr(module, "exact_chance" if strict else "chance", None)
    chance = chance_of(knobs) if chance_of else None
    whole = {"score": acc if strict else score, "acc": acc, "parsed": parsed, "chance": chance, "task": task}
    return {**whole, **dict.fromkeys(parts()), **(_known_parts(task, own_parts[0]) if own_parts else {})}


def compute_metric(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None
) -> tuple[float, bool]:
    """Returns what a completion earns by its task's published metric, 0..1, whatever training pays, and whether an
    answer was read.

    Args and errors as of `compute_score`, for rows of our tasks.
    """
    task = task_of(data_source)
    if task is None or task == data_source:
        raise RegistryError(f"data_source '{data_source}' is no pretext task's, so it has no published metric")
    knobs = _row_knobs(task, data_source, ground_truth, extra_info)
    value, parsed = reward_of(task).metric(solution_str, ground_truth, knobs)
    return value, bool(parsed)


def other_result(data_source: str, scored: float | Mapping[str, Any]) -> dict[str, Any]:
    """Returns the result of a user's own function for a row of another data set, with the keys of `compute_score`.

    Args:
        scored: the score, or a mapping with `score` and maybe `acc` and `chance`; other keys are left out.
    """
    if not isinstance(scored, Mapping):
        scored = {"score": scored}
    score = float(scored["score"])
    # A source without its own accuracy gets its score, as verl's reward manager does.
    acc = float(scored.get("acc", score))
    chance = scored.get("chance")
    return {"score": score, "acc": acc, "parsed": None, "chance": chance, "task": data_source} | dict.fromkeys(parts())


def task_of(data_source: str) -> str | None:
    """Returns the name of the module that scores a data source, installed or not, or None where that is left to
    verl.
    """
    # A third part names a subset of the task, such as "blind"; it is scored alike and reported apart.
    prefix, *name = data_source.split("/")
    if prefix == "videossr" and name:
        return name[0]
    if data_source in _release_names():
        return _release_names()[data_source][0]
    return data_source if data_source in entries(REWARDS) else None


@cache
def reward_of(task: str, needed: tuple[str, ...] = _NEEDED) -> ModuleType:
    """Returns the reward module of a task. Raises RegistryError if none is installed, or if it lacks something
    `needed`.
    """
    module = load(REWARDS, task)
    check_has(module, needed, REWARDS, task)
    return module


@cache
def parts() -> tuple[str, ...]:
    """Returns the names of the parts of all installed rewards, because verl collects the same keys over mixed
    batches.
    """
    return tuple(dict.fromkeys(part for task in entries(REWARDS) for part in getattr(load(REWARDS, task), "PARTS", ())))


@cache
def _release_names() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Returns data_source of the reference release -> (task, knobs)."""
    named = {task: getattr(load(REWARDS, task), "RELEASE_NAMES", {}) for task in entries(REWARDS)}
    return {name: (task, knobs) for task, names in named.items() for name, knobs in names.items()}


def _row_knobs(
    task: str, data_source: str, ground_truth: Any, extra_info: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """Returns the difficulty knobs of a row of ours, or the whole `extra_info` of another data set's row."""
    if data_source == task:
        return extra_info or {}
    if not isinstance(ground_truth, str):
        raise ValueError(f"ground truth of {task} must be a string, not {ground_truth!r}")
    _, released = _release_names().get(data_source, (task, {}))
    return {**released, **difficulty_knobs((extra_info or {}).get("difficulty"))}


def _known_parts(task: str, given: Mapping[str, float]) -> Mapping[str, float]:
    if unknown := sorted(set(given) - set(getattr(load(REWARDS, task), "PARTS", ()))):
        raise RegistryError(f"the reward of task '{task}' tells '{unknown[0]}', which is not in its PARTS")
    return given


def _score_by_verl(data_source: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    from verl.utils.reward_score import default_compute_score

    return other_result(data_source, default_compute_score(data_source, *args, **kwargs))
