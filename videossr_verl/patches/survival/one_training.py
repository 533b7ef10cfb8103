"""Two runs with one `trainer.default_local_dir` would mix their checkpoints, so the second one ends before it has
begun.

The trainer's process holds the folder, wherever in the cluster it is; the other nodes of its run write for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from videossr_verl.cluster.nodes import on_each_node
from videossr_verl.files.one_writer import one_writer
from videossr_verl.patches.survival.shared_memory import remove_abandoned

PATIENCE = 60.0  # seconds: after a kill, the trainer ends later than the command


def wrap_init(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the trainer take the run's folder before it looks at what is in there."""

    def init(self: Any) -> None:
        self._videossr_folder = ExitStack()  # `fit` closes it; if the run never reaches `fit`, the process ends
        if not self.config.trainer.get("val_only"):
            folder = Path(self.config.trainer.default_local_dir)
            self._videossr_folder.enter_context(one_writer(folder, "training", PATIENCE))
        on_each_node(remove_abandoned)
        stock(self)

    return init


def wrap_fit(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the trainer leave the folder when it is done."""

    def fit(self: Any, agent_loop_manager: Any) -> None:
        with self._videossr_folder:
            stock(self, agent_loop_manager)

    return fit
