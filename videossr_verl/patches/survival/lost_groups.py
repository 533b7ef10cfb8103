"""A video that vanishes or breaks costs its group of rollouts, which is counted; too many of them end the run.

verl 0.9.1 leaves a group whose rollouts failed out of the update, and says so in the workers' logs only. Here each lost
group reaches the trainer, with its videos and reason. It appears in the metrics, in `lost_groups.jsonl` in the run's
folder, and in the message with which a run ends.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import ray

from videossr_verl.cluster.worker_reports import open_mailbox
from videossr_verl.errors import BadInput, MachineError
from videossr_verl.patches.survival.causes import cause
from videossr_verl.patches.survival.reward_errors import RewardError

MAILBOX = "videossr_lost_groups"
FILE = "lost_groups.jsonl"
WINDOW = 10  # batches over which the share is taken
SHOWN = 10  # groups in an error message


class LostGroup(TypedDict):
    """Rollouts of one prompt that have no answer; `videos` are all files that the prompt names."""

    group: str
    validation: bool
    videos: list[str]
    reason: str


class TooManyLostGroupsError(RuntimeError):
    """The error for a run that cannot go on, because too few of its groups can be answered."""


def wrap_run_agent_loop(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a rollout worker's `_run_agent_loop` tell the trainer what could not be answered."""

    async def _run_agent_loop(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await stock(self, *args, **kwargs)
        except RewardError:  # here no video is to blame
            raise
        except Exception as error:
            await open_mailbox(MAILBOX).post.remote(_report(kwargs, error))
            raise

    return _run_agent_loop


def _report(prompt: Mapping[str, Any], error: Exception) -> LostGroup:
    return {
        "group": str(prompt["uid"]),
        "validation": bool(prompt["trajectory"]["validate"]),
        "videos": media_of(prompt["raw_prompt"]),
        "reason": cause(error),
    }


def media_of(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the files that a prompt names."""
    contents = [message.get("content") for message in messages]
    items = [item for content in contents if isinstance(content, list) for item in content if isinstance(item, dict)]
    named = [item.get("video") or item.get("image") for item in items]
    return sorted({name for name in named if isinstance(name, str)})


class Ledger:
    """The lost groups of one run.

    Args:
        folder: where `lost_groups.jsonl` is kept; a resumed run adds to it.
        groups: of a batch.
        max_share: of the groups of WINDOW batches that may be lost.
    """

    def __init__(self, folder: Path, groups: int, max_share: float) -> None:
        self._file, self._groups, self._max_share = folder / FILE, groups, max_share
        self._recent: deque[list[LostGroup]] = deque(maxlen=WINDOW)
        self._so_far = 0

    def after_step(self, step: int, reports: list[LostGroup]) -> dict[str, float]:
        """Writes the step's losses down and returns its metrics. Raises TooManyLostGroupsError above the limit."""
        lost = self.write(step, reports)
        training = [group for group in lost if not group["validation"]]
        self._recent.append(training)
        self._so_far += len(training)
        recent = [group for batch in self._recent for group in batch]
        share = len(recent) / (WINDOW * self._groups)
        if share > self._max_share:
            raise TooManyLostGroupsError(
                f"{len(recent)} groups were lost within {len(self._recent)} steps, more than data.max_lost_share="
                f"{self._max_share:g} of {WINDOW} batches: {self.reasons_of(recent)}"
            )
        return {
            "training/lost_groups": len(training),
            "training/lost_groups_so_far": self._so_far,
            "training/lost_share": share,
            "validation/lost_groups": len(lost) - len(training),
        }

    def write(self, step: int, reports: list[LostGroup]) -> list[LostGroup]:
        """Returns one line for each group, with the reason of the first of its rollouts that failed."""
        lost = {report["group"]: report for report in reversed(reports)}
        if lost:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                for group in lost.values():
                    file.write(json.dumps({"step": step, **group}, ensure_ascii=False) + "\n")
        return list(lost.values())

    def reasons_of(self, lost: list[LostGroup]) -> str:
        """The distinct reasons, shortened, and where all are."""
        reasons = list(dict.fromkeys(group["reason"] for group in lost))
        more = f" and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        return f"{'; '.join(reasons[:SHOWN])}{more} (all in {self._file})"


def max_lost_share(data: Mapping[str, Any]) -> float:
    """Returns `data.max_lost_share`. Raises BadInput outside [0, 1]."""
    share = data.get("max_lost_share", 0.05)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise BadInput(f"data.max_lost_share is {share}, must be between 0 (none may be lost) and 1 (all may)")
    return float(share)


def _ledger(trainer: Any) -> Ledger:
    if not hasattr(trainer, "_videossr_lost_groups"):
        data, folder = trainer.config.data, Path(trainer.config.trainer.default_local_dir)
        trainer._videossr_lost_groups = Ledger(folder, data.train_batch_size, max_lost_share(data))
    return trainer._videossr_lost_groups


def _take() -> list[LostGroup]:
    return ray.get(open_mailbox(MAILBOX).take.remote())


def wrap_step(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the trainer's `step` count and judge the lost groups."""

    def step(self: Any, metrics: dict[str, Any], timing_raw: dict[str, float]) -> Any:
        batch = stock(self, metrics, timing_raw)
        metrics.update(_ledger(self).after_step(self.global_steps, _take()))
        return batch

    return step


def wrap_fit(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the trainer's `fit` name the lost groups where verl says of a batch only that it has no answers."""

    def fit(self: Any, agent_loop_manager: Any) -> None:
        box = open_mailbox(MAILBOX)  # it lives as long as the trainer
        try:
            stock(self, agent_loop_manager)
        except MachineError:  # this error says it all
            raise
        except Exception as error:
            lost = _ledger(self).write(self.global_steps, ray.get(box.take.remote()))
            if not lost:
                raise
            said = (str(error).strip() or type(error).__name__).splitlines()[-1]
            reasons = _ledger(self).reasons_of(lost)
            raise RuntimeError(f"{said} ({len(lost)} groups were lost in this step: {reasons})") from error

    return fit
