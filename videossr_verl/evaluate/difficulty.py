"""Whether the difficulty fits the model. GRPO learns from groups whose rewards differ; this samples groups and looks.

For each task and difficulty (the rows' `data_source`): the share of groups without variance, which teach nothing,
the mean reward beside chance, and a histogram of the groups' mean rewards. For each task this recommends the
difficulty whose groups vary most: their advantages carry the most signal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from reward_fns import compute_score
from videossr_verl.errors import BadInput, MachineError
from videossr_verl.evaluate.asking import ask, tell_unanswered
from videossr_verl.evaluate.engine import Engine, Lost, Sampling
from videossr_verl.files.whole_file import write_whole
from videossr_verl.rows.schema import Row
from videossr_verl.video.rejected import VideoRejected

BINS = 10
_BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Fit:
    """How one difficulty of a task fits.

    Attributes:
        task, subset: the row's task, and its `data_source` without "videossr/".
        groups: questions that were asked.
        reward, chance: means, 0 to 1.
        variance: mean variance of the rewards within a group.
        useless: share of groups whose rewards are all the same.
        histogram: groups by mean reward, 10 bins from 0 to 1.
    """

    task: str
    subset: str
    groups: int
    reward: float
    chance: float
    variance: float
    useless: float
    histogram: tuple[int, ...]


@dataclass(frozen=True)
class Sampled:
    """Sampled groups, and why others are missing.

    Attributes:
        groups: completions by the question's id.
        left_out: which questions have none and why, in one sentence; "" where all have theirs.
        ended: what ended the sampling before the last question.
    """

    groups: dict[int, list[str]]
    left_out: str
    ended: BadInput | MachineError | None


def sample_groups(rows: Sequence[Row], data_root: str | Path, engine: Engine, how: Sampling) -> Sampled:
    """Returns completions of each row's question, and keeps what was sampled before an error.

    Raises:
        BadInput, MachineError: nothing was sampled.
    """
    groups: dict[int, list[str]] = {}
    not_shown, lost, ended = [], [], None
    try:
        for identity, outcome in ask(rows, data_root, engine, how):
            match outcome:
                case Lost(reason):
                    lost.append(reason)
                case VideoRejected():
                    not_shown.append(str(outcome))
                case completions:
                    groups[identity] = completions
    except (BadInput, MachineError) as error:
        ended = error
    left_out = tell_unanswered(len(rows), not_shown, lost)
    if not groups:
        raise ended or BadInput(left_out)
    return Sampled(groups, left_out, ended)


def fits(rows: Iterable[Row], sampled: Mapping[int, Sequence[str]]) -> list[Fit]:
    """Returns one entry for each difficulty of each task that was sampled."""
    graded: dict[tuple[str, str], list[tuple[list[float], float]]] = {}
    for row in rows:
        extra, source = row["extra_info"], row["data_source"]
        if extra["index"] not in sampled:
            continue
        truth = row["reward_model"]["ground_truth"]
        results = [compute_score(source, text, truth, extra) for text in sampled[extra["index"]]]
        key = (extra["task"], source.removeprefix("videossr/"))
        graded.setdefault(key, []).append(([r["score"] for r in results], results[0]["chance"]))
    return [_fit(task, subset, groups) for (task, subset), groups in sorted(graded.items())]


def _fit(task: str, subset: str, groups: Sequence[tuple[list[float], float]]) -> Fit:
    rewards = np.array([rewards for rewards, _ in groups])
    means = rewards.mean(axis=1)
    return Fit(
        task=task,
        subset=subset,
        groups=len(groups),
        reward=float(means.mean()),
        chance=float(np.mean([chance for _, chance in groups])),
        variance=float(rewards.var(axis=1).mean()),
        useless=float(np.mean(np.ptp(rewards, axis=1) < 1e-9)),
        histogram=tuple(np.histogram(means, bins=BINS, range=(0, 1))[0].tolist()),
    )


def recommended(found: Sequence[Fit]) -> dict[str, str]:
    """Returns the task -> the subset whose groups vary most."""
    best: dict[str, Fit] = {}
    for fit in found:
        if fit.task not in best or fit.variance > best[fit.task].variance:
            best[fit.task] = fit
    return {task: fit.subset for task, fit in best.items()}


def as_text(found: Sequence[Fit]) -> str:
    """Returns a table of one screen, and a sentence for each task."""
    lines = [
        f"{'task and difficulty':<44}{'groups':>7}{'reward':>8}{'chance':>8}{'no variance':>13}{'variance':>10}  "
        "mean reward 0..1"
    ]
    best = recommended(found)
    for fit in found:
        most = max(fit.histogram)
        bars = "".join(_BARS[round(8 * count / most)] for count in fit.histogram)
        lines.append(
            f"{fit.subset:<44}{fit.groups:>7}{fit.reward:>8.3f}{fit.chance:>8.3f}{fit.useless:>13.1%}"
            f"{fit.variance:>10.4f}  |{bars}|"
        )
    for task, subset in best.items():
        rivals = sum(fit.task == task for fit in found)
        fit = next(f for f in found if f.subset == subset)
        lines.append(
            f"{task}: {subset} fits best of {rivals}" if rivals > 1 else f"{task}: one difficulty only, {_verdict(fit)}"
        )
    return "\n".join(lines)


def _verdict(fit: Fit) -> str:
    if fit.useless < 0.5:
        return "most groups teach something"
    return "most groups teach nothing: " + ("make it harder" if fit.reward > 0.5 * (1 + fit.chance) else "ease it")


def write_probe(found: Sequence[Fit], out: str | Path) -> None:
    """Writes JSON data into the file `out`."""
    data = {"subsets": [asdict(fit) for fit in found], "recommended": recommended(found)}
    write_whole(Path(out), json.dumps(data, indent=2) + "\n")
