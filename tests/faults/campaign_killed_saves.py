"""A run is killed at every file operation of saving a checkpoint, and the next one looks for what to go on from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from kill_at_file_operation import run_and_kill
from saving import trainer

from videossr_verl.patches.survival import checkpoints, resume

NAME = "a kill at each file operation of saving a checkpoint"
MEANS = "the next run goes on from a whole checkpoint, the one before or the new one, and saves it again"
TRIES = 400
FILES = ("data.pt", "actor/model_world_size_1_rank_0.pt", "actor/optim_world_size_1_rank_0.pt")
# Step that is saved over steps 1 and 2, how many are kept, and whether the disk can swap two names.
CASES = {
    "a new step": (3, 2, True),
    "a new step, the oldest goes": (3, 1, True),
    "a step that is there": (2, 2, True),
    "a step that is there, on a disk without swaps": (2, 2, False),
}


def _saving(steps: Path, step: int, keep: int, tag: str, swaps: bool = True) -> Callable[[], None]:
    """The package's own saving around files as verl's; nodes are left out."""

    def stock(self: SimpleNamespace) -> None:
        for name in FILES:
            file = Path(self.config.trainer.default_local_dir, f"global_step_{step}", name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(tag)

    def save() -> None:
        with patch.object(checkpoints, "on_each_node", lambda function, *arguments: function(*arguments)):
            if swaps:
                checkpoints.wrap_save_checkpoint(stock)(trainer(steps, step, keep))
            else:
                with patch.object(checkpoints, "_exchange", lambda one, other: False):
                    checkpoints.wrap_save_checkpoint(stock)(trainer(steps, step, keep))

    return save


def _found(steps: Path, step: int, keep: int) -> tuple[str, str] | None:
    """Name and tag of the checkpoint that the next run goes on from; None where it is not whole."""
    try:
        config = trainer(steps, step, keep).config.trainer
        folder = resume.checkpoint_to_resume(config)
        resume.check_whole(folder, config)
        tags = {(folder / name).read_text() for name in FILES}
    except (OSError, ValueError, TypeError):
        return None
    return (folder.name, tags.pop()) if len(tags) == 1 else None


def killed_saves(folder: Path, case: str) -> Iterator[tuple[str, bool]]:
    """What came out of a kill at each file operation of the case, in their order."""
    step, keep, swaps = CASES[case]
    before = folder / "before"
    shutil.rmtree(folder, ignore_errors=True)
    for earlier in (1, 2):
        _saving(before, earlier, 2, "old")()
    steps, number, killed = folder / "steps", 0, True
    while killed:
        number += 1
        shutil.rmtree(steps, ignore_errors=True)
        shutil.copytree(before, steps)
        killed = run_and_kill(_saving(steps, step, keep, "new", swaps), steps, number)
        found = _found(steps, step, keep)
        survived = found in (("global_step_2", "old"), (f"global_step_{step}", "new"))
        if survived:  # the run goes on, and saves the step once more
            _saving(steps, step, keep, "again", swaps)()
            survived = _found(steps, step, keep) == (f"global_step_{step}", "again")
        yield f"{case}, killed before operation {number}: goes on from {found}", survived


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """All kill points of all cases, up to `tries` of them; nothing in them is random."""
    outcomes = (outcome for case in CASES for outcome in killed_saves(folder, case))
    for _, outcome in zip(range(tries), outcomes, strict=False):
        yield outcome
