"""verl's `skip.rollout_tq` writes a step's rollouts down, for a later run to train on in place of its own.

With pixel_transfer the rows only name their pixels, and the later run does not have them. So this patch puts the pixels
into the rows that are written down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import transfer_queue

from videossr_verl.patches.speed.pixel_transfer import PARTITION
from videossr_verl.prompt.pixels import PromptPixels


def wrap_prepare_data(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes `RolloutTqSkip` write down rows that need nothing else."""

    def prepare_data(self: Any, step: int, batch: Any, global_steps: int) -> None:
        part = self._find_first_missing_inner(step)
        stock(self, step=step, batch=batch, global_steps=global_steps)
        if part == -1:  # verl has the whole step already
            return
        file = self._get_v1_inner_dir(step, part) / self.tq_batch_name
        written = torch.load(file, weights_only=False)
        put_pixels_in(written["tensordict"].get("multi_modal_inputs", ()))
        torch.save(written, file)

    return prepare_data


def put_pixels_in(rows: Iterable[Any]) -> None:
    """Replaces the keys of pixels by the pixels. Rows of one prompt share them, on disk too."""
    fetched: dict[tuple[str, str], torch.Tensor] = {}
    for row in rows:
        for name, pixels in (getattr(row, "data", row) or {}).items():
            if isinstance(pixels, PromptPixels) and pixels.key is not None:
                place = pixels.key, name
                if place not in fetched:
                    found = transfer_queue.kv_batch_get(keys=[pixels.key], partition_id=PARTITION, select_fields=[name])
                    fetched[place] = found[name][0]
                pixels.patches, pixels.key = fetched[place], None
