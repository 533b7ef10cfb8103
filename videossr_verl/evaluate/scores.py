"""Scores answers by subset: reward, exact, read, beside chance, with intervals; as data, table and picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reward_fns import compute_metric, compute_score
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.bootstrap import bootstrap
from videossr_verl.rows.schema import Row


@dataclass(frozen=True)
class SubsetScore:
    """Means over a subset's questions, each 0 to 1.

    Attributes:
        subset: the rows' `data_source` without "videossr/".
        reward, exact, read, chance: as `reward_fns.compute_score` has them; a missing answer earns 0.
        metric: the task's published figure, whatever training pays.
        low, high: interval of 95 % of the reward, resampling videos.
        questions, missing: numbers.
    """

    subset: str
    reward: float
    low: float
    high: float
    metric: float
    exact: float
    read: float
    chance: float
    questions: int
    missing: int


def score_rows(rows: Iterable[Row], answers: Mapping[int, str], seed: int = 0) -> list[SubsetScore]:
    """Returns one entry per subset, by name. Raises BadInput if an answer belongs to no row."""
    graded: dict[str, list[tuple[str, bool, dict[str, Any]]]] = {}
    known = set()
    for row in rows:
        extra, source = row["extra_info"], row["data_source"]
        known.add(extra["index"])
        answer = answers.get(extra["index"])
        asked = (source, answer or "", row["reward_model"]["ground_truth"], extra)
        result = compute_score(*asked) | {"metric": compute_metric(*asked)[0]}
        graded.setdefault(source.removeprefix("videossr/"), []).append((extra["video_id"], answer is None, result))
    unknown = sorted(set(answers) - known)
    if unknown:
        raise BadInput(f"{len(unknown)} answers are for no question of the data, first id {unknown[0]}")
    return [_subset(name, of_subset, seed) for name, of_subset in sorted(graded.items())]


def _subset(name: str, graded: Sequence[tuple[str, bool, dict[str, Any]]], seed: int) -> SubsetScore:
    videos, missing, results = zip(*graded, strict=True)
    mean = {kind: float(np.mean([r[kind] for r in results])) for kind in ("score", "metric", "acc", "parsed", "chance")}
    low, high = bootstrap(videos, [r["score"] for r in results], seed)
    return SubsetScore(
        subset=name,
        reward=mean["score"],
        low=low,
        high=high,
        metric=mean["metric"],
        exact=mean["acc"],
        read=mean["parsed"],
        chance=mean["chance"],
        questions=len(results),
        missing=sum(missing),
    )


def scores_as_data(model: str, scores: Sequence[SubsetScore]) -> dict[str, Any]:
    """Returns JSON data."""
    return {
        "model": model,
        "mean_reward": float(np.mean([s.reward for s in scores])),
        "subsets": [asdict(s) for s in scores],
    }


def scores_as_markdown(model: str, scores: Sequence[SubsetScore]) -> str:
    """Returns a table of the subsets and their plain mean."""
    lines = [
        f"{model}: reward by subset, 95 % interval over resampled videos",
        "",
        "| subset | reward | interval | metric | exact | read | chance | questions | missing |",
        "|" + " --- |" * 9,
    ]
    lines += [
        f"| {s.subset} | {s.reward:.3f} | {s.low:.3f} to {s.high:.3f} | {s.metric:.3f} | {s.exact:.3f} | {s.read:.3f} "
        f"| {s.chance:.3f} | {s.questions} | {s.missing} |"
        for s in scores
    ]
    kinds = ("reward", "metric", "chance")
    mean, metric, chance = (float(np.mean([getattr(s, kind) for s in scores])) for kind in kinds)
    questions = sum(s.questions for s in scores)
    lines.append(f"| **mean** | {mean:.3f} | | {metric:.3f} | | | {chance:.3f} | {questions} | |")
    return "\n".join(lines) + "\n"


def draw_scores(scores: Sequence[SubsetScore], out: Path) -> None:
    """Draws a bar per subset with its interval, and chance as a line across it, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 0.5 * len(scores) + 1.2), layout="constrained")
    places = np.arange(len(scores))[::-1]
    errors = np.array([[s.reward - s.low, s.high - s.reward] for s in scores]).T.clip(0)
    axis.barh(places, [s.reward for s in scores], xerr=errors, color="#3266ad", ecolor="#222222", height=0.6)
    axis.vlines([s.chance for s in scores], places - 0.4, places + 0.4, color="#c2571a", label="chance")
    axis.set_yticks(places, [s.subset.replace("_", " ") for s in scores])
    axis.set_xlim(0, 1)
    axis.set_xlabel("reward")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(out, dpi=120, format="png")
    plt.close(figure)
