"""Share of useful groups of rollouts, with the fixed preset and with levels, from the rollouts that verl dumped.

python examples/adaptive_difficulty/compare.py RUN PICTURE.png     RUN/{fixed,adaptive}/*-seed*/rollouts/STEP.jsonl
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from videossr_verl.train.adaptive.level_chooser import is_useful

ARMS = {"fixed": "#8a8a8a", "adaptive": "#3266ad"}
SMOOTH = 5  # steps that a point of the picture averages


def useful_shares(rollouts: Path) -> np.ndarray:
    """For each step the share of groups whose rewards differ; a group's rollouts share the first part of their uid."""
    shares = []
    for file in sorted(rollouts.glob("*.jsonl"), key=lambda path: int(path.stem)):
        groups = defaultdict(list)
        for line in file.read_text().splitlines():
            rollout = json.loads(line)
            groups[rollout["uid"].rsplit("_", 2)[0]].append(rollout["score"])
        shares.append(np.mean([is_useful(rewards) for rewards in groups.values()]))
    return np.array(shares)


def level_shares(log: Path) -> dict[str, np.ndarray]:
    """For each level its share of its task's draws, one number a batch."""
    lines = [json.loads(line)["rates"] for line in log.read_text().splitlines()]
    return {
        level: np.array([line[task][level]["share"] for line in lines])
        for task, levels in lines[0].items()
        for level in levels
    }


def main(run: Path, picture: Path) -> None:
    """Prints the table, draws the picture."""
    found = {arm: [useful_shares(path) for path in sorted(run.glob(f"{arm}/*/rollouts"))] for arm in ARMS}
    print("| share of useful groups | each seed | mean | second half |")
    print("| --- | --- | --- | --- |")
    for arm, seeds in found.items():
        each = ", ".join(f"{shares.mean():.3f}" for shares in seeds)
        late = np.mean([shares[len(shares) // 2 :].mean() for shares in seeds])
        print(f"| {arm} | {each} | {np.mean([s.mean() for s in seeds]):.3f} | {late:.3f} |")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for arm, seeds in found.items():
        smooth = np.array([np.convolve(shares, np.ones(SMOOTH) / SMOOTH, "valid") for shares in seeds])
        steps = np.arange(smooth.shape[1]) + SMOOTH
        left.fill_between(steps, smooth.min(0), smooth.max(0), color=ARMS[arm], alpha=0.2, linewidth=0)
        left.plot(steps, smooth.mean(0), color=ARMS[arm], label=arm)
    left.set(xlabel="step", ylabel=f"useful groups, mean of {SMOOTH} steps", ylim=(0, 1))
    left.legend(frameon=False)
    logs = [level_shares(path) for path in sorted(run.glob("adaptive/*/steps/difficulty.jsonl"))]
    for level in (name for name in logs[0] if name.startswith("jigsaw")):
        right.plot(np.mean([log[level] for log in logs], axis=0), label=level.replace("_", " "))
    right.set(xlabel="batch", ylabel="share of the jigsaws drawn", ylim=(0, 1))
    right.legend(frameon=False)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
