"""Turns stored training rows into rows drawn anew from the same videos, each at the level that its task's rewards call
for.

The state depends only on the seed and on the rewards that came back, so a run that resumes from a checkpoint draws what
it would have drawn.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import ray
from ray.exceptions import RayError

from videossr_verl.cluster.worker_reports import open_mailbox
from videossr_verl.errors import BadInput
from videossr_verl.rows.check import is_pretext
from videossr_verl.rows.row_files import AnyRow
from videossr_verl.rows.schema import Row
from videossr_verl.tasks.draw import DrawSettings
from videossr_verl.tasks.partners import partners
from videossr_verl.tasks.presets import Preset, load_preset, with_embedding
from videossr_verl.tasks.seeds import digest, rng
from videossr_verl.train.adaptive.draw_online import draw_row
from videossr_verl.train.adaptive.level_chooser import LevelChooser, is_useful
from videossr_verl.train.reward_hook import MAILBOX, Report
from videossr_verl.video.embedding import describe_embedding

logger = logging.getLogger(__name__)

_OPEN_KEPT = 10_000  # the most draws waited for; those whose rollouts were lost are forgotten in the end


class AdaptiveDraws:
    """Draws rows, and learns from the rewards that the reward hook reports."""

    def __init__(self, config: Mapping[str, Any], seed: int, data_root: str, rows: Iterable[AnyRow]) -> None:
        """
        Args:
            config: `data.adaptive` of the Hydra config `videossr_grpo`, with `levels` set.
            seed: of the run.
            data_root: folder that the rows' paths are relative to.
            rows: all stored rows, at least their data_source, videos and extra_info; those of other data sets stay.

        Raises:
            BadInput: a preset that does not exist, an embedding that cannot be had, or impossible numbers.
        """
        memory, group = float(config["memory"]), int(config["group_size"])
        if memory <= 1 or group < 2:
            raise BadInput(
                f"data.adaptive needs memory above 1 and group_size of 2 or more, got {memory:g} and {group}"
            )
        tasks, videos, look_alikes = set(), {}, {}
        for row in rows:
            if is_pretext(row["data_source"]):
                tasks.add(row["extra_info"]["task"])
                videos[row["extra_info"]["video_id"]] = row["videos"][0]["video"]
                look_alikes[row["extra_info"]["video_id"]] = row["extra_info"]["look_alike_id"]
        preset = load_preset(str(config["levels"]))
        if config.get("embedding") and any(hasattr(s.difficulty, "embedding") for s in preset.subsets.values()):
            preset = with_embedding(preset, str(config["embedding"]))
        self._levels = _levels(preset, tasks)
        subsets = {name: preset.subsets[name] for names in self._levels.values() for name in names}
        embeddings = {s.difficulty.embedding for s in subsets.values() if hasattr(s.difficulty, "embedding")}
        self._draw = DrawSettings(
            seed=seed,
            subsets=subsets,
            embeddings={name: describe_embedding(name) for name in sorted(embeddings)},
            embedding_folder=config.get("keep_embeddings") or None,
            use_gpus=False,
        )
        self._chooser, self._preset = LevelChooser(self._levels, memory), preset.name
        self._group_size, self._data_root, self._log = group, data_root, config.get("log")
        self._partners = {video: videos[other] for video, other in partners(look_alikes, seed).items()}
        self._drawn = 0
        self._open: dict[int, tuple[str, str]] = {}  # number of the draw -> task, level
        self._reports: dict[int, list[tuple[float, float]]] = {}  # (reward, chance), of groups that are not whole yet
        self._mailbox = open_mailbox(MAILBOX)

    def rows(self, stored: Sequence[AnyRow], fits: Callable[[Row], bool]) -> list[AnyRow]:
        """Draws for each stored row one of the same task and video. Returns the stored row if that cannot be.

        Args:
            fits: whether a drawn row's prompt is short enough.
        """
        groups = self._learn()
        numbers = range(self._drawn, self._drawn + len(stored))
        levels = [self._level(row, number) for row, number in zip(stored, numbers, strict=True)]
        self._drawn += len(stored)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            drawn = list(pool.map(self._row, stored, levels, numbers))
        rows = []
        for number, old, level, new in zip(numbers, stored, levels, drawn, strict=True):
            if new is not None and not fits(new):
                logger.warning("level '%s': a prompt is longer than data.max_prompt_length and is not used", level)
                new = None
            if new is None or level is None:
                rows.append(old)
                continue
            new["extra_info"]["draw"] = number
            self._open[number] = (new["extra_info"]["task"], level)
            rows.append({**old, **new})
        self._write_log(groups, rows)
        return rows

    def state_dict(self) -> dict[str, Any]:
        """Returns JSON data from which `load_state_dict` goes on, with the rewards that have come so far."""
        with suppress(RayError):  # a dead mailbox ends the run by itself, but must not cost a checkpoint
            self._take_reports()
        return {
            "drawn": self._drawn,
            "levels": self._chooser.state_dict(),
            "open": [[number, *where] for number, where in self._open.items()],
            "reports": [[number, reports] for number, reports in self._reports.items()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state."""
        self._drawn = state["drawn"]
        self._chooser.load_state_dict(state["levels"])
        self._open = {number: (task, level) for number, task, level in state["open"]}
        self._reports = {number: [tuple(report) for report in reports] for number, reports in state["reports"]}

    def _level(self, row: AnyRow, number: int) -> str | None:
        task = row["extra_info"]["task"] if is_pretext(row["data_source"]) else None
        if task not in self._levels:
            return None
        return self._chooser.choose(task, rng(int(digest("level", self._draw.seed, number)[:16], 16)))

    def _row(self, stored: AnyRow, level: str | None, number: int) -> Row | None:
        if level is None:  # also where it is of another data set
            return None
        partner = self._partners.get(stored["extra_info"]["video_id"])
        return draw_row(cast(Row, stored), partner, level, self._preset, self._draw, self._data_root, number)

    def _take_reports(self) -> None:
        taken: list[Report] = ray.get(self._mailbox.take.remote())
        for report in taken:
            if report.draw in self._open:
                self._reports.setdefault(report.draw, []).append((report.reward, report.chance))

    def _learn(self) -> list[list[float]]:
        """Returns the rewards of the groups that have become whole. The chooser has seen them in the order of their
        draws.
        """
        self._take_reports()
        whole = sorted(number for number, reports in self._reports.items() if len(reports) >= self._group_size)
        groups = []
        for number in whole:
            task, level = self._open.pop(number)
            reports = sorted(self._reports.pop(number))  # the rollouts of a group end in any order
            groups.append([score for score, _ in reports])
            if level in self._levels.get(task, ()):  # it is missing if the run went on with other levels
                self._chooser.observe(task, level, groups[-1], reports[0][1])
        for number in sorted(self._open)[:-_OPEN_KEPT]:
            del self._open[number]
            self._reports.pop(number, None)
        return groups

    def _write_log(self, groups: Sequence[Sequence[float]], rows: Sequence[AnyRow]) -> None:
        """Writes one line a batch into `data.adaptive.log`: what was learned from, what was drawn, and how each level
        stands.
        """
        if not self._log:
            return
        drawn = Counter(row["data_source"] for row in rows if "draw" in (row["extra_info"] or ()))
        line = {
            "drawn": self._drawn,
            "groups": len(groups),
            "useful": sum(map(is_useful, groups)),
            "stored": len(rows) - drawn.total(),
            "levels": dict(sorted(drawn.items())),
            "rates": {task: self._chooser.rates(task) for task in self._levels},
        }
        path = Path(self._log)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _levels(preset: Preset, tasks: set[str]) -> dict[str, list[str]]:
    """Returns the names of the preset's subsets by task, for the tasks that the data has."""
    found = {
        task: [name for name, subset in preset.subsets.items() if subset.task == task]
        for task in sorted({subset.task for subset in preset.subsets.values()} & tasks)
    }
    if not found:
        known = ", ".join(sorted(tasks))
        raise BadInput(f"data.adaptive.levels='{preset.name}' has no level of the data's tasks: {known}")
    return found
