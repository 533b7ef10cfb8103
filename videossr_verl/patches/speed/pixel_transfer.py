"""verl 0.9.1: each rollout sends the pixels of its prompt to the trainer, as floats, and a second time for SGLang.

Here the n rows of a prompt carry a key, and the pixels lie in the TransferQueue once, one byte each, in a partition
of their own. verl fetches them when it collects a micro-batch's inputs, and they are normalised on the device. They go
when the trainer clears the rows. Rows of a validation need no pixels and send none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import transfer_queue

from videossr_verl.prompt.pixels import PIXELS, PromptPixels
from videossr_verl.prompt.shared_media import SharedVideos

PARTITION = "videossr_pixels"

# The place that the rows being written name for their pixels: a key, or "" for nowhere. If unset, the row holds them.
_SENT_AS: ContextVar[str | None] = ContextVar("sent_as", default=None)


# Ray sends AgentLoopWorkerTQ to its workers by value, with whatever its methods refer to: they refer to functions here.


def wrap_postprocess(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a rollout worker send the pixels of shared videos once, before the rows that name them."""

    async def _agent_loop_postprocess(self: Any, output: Any, validate: bool, **kwargs: Any) -> None:
        key = await send_pixels(output, "" if validate else kwargs["uid"])
        with rows_name(key):
            await stock(self, output, validate, **kwargs)

    return _agent_loop_postprocess


def wrap_compute_multi_modal_inputs(stock: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Makes rows name their pixels, where these are sent apart."""

    def _compute_multi_modal_inputs(self: Any, output: Any, input_ids: torch.Tensor) -> dict[str, Any]:
        return name_pixels(stock(self, output, input_ids))

    return _compute_multi_modal_inputs


async def send_pixels(output: Any, uid: str) -> str | None:
    """Puts the pixels of a rollout's shared videos under `uid`, once. Returns `uid`, or None if there are none to
    put.
    """
    outputs = output if isinstance(output, list) else [output]
    for one in outputs:
        one.mm_processor_output = None  # SGLang has used it
    videos, *others = [(one.multi_modal_data or {}).get("videos") for one in outputs] or [None]
    if not isinstance(videos, SharedVideos) or any(other is not videos for other in others):
        return None
    if not (fields := _patches(videos)):
        return None
    if uid:
        await videos.send_once(uid, lambda: transfer_queue.async_kv_put(key=uid, partition_id=PARTITION, fields=fields))
    return uid


@contextmanager
def rows_name(key: str | None) -> Iterator[None]:
    """Makes the rows of the body say that their pixels are under `key` ("": nowhere). With None the rows carry the
    pixels.
    """
    token = _SENT_AS.set(key)
    try:
        yield
    finally:
        _SENT_AS.reset(token)


def name_pixels(inputs: dict[str, Any]) -> dict[str, Any]:
    """Returns a row's inputs with the key in place of the pixels, inside `rows_name`."""
    key = _SENT_AS.get()
    for name in PIXELS:
        pixels = inputs.get(name)
        if key is not None and isinstance(pixels, PromptPixels):
            inputs[name] = PromptPixels(pixels.mean, pixels.std, key=key or None)
    return inputs


def _patches(videos: SharedVideos) -> dict[str, torch.Tensor]:
    """Returns what must be sent for a prompt's shared media, by name; empty if the rows hold it."""
    found = {name: (videos.any_processed() or {}).get(name) for name in PIXELS}
    return {
        name: pixels.patches
        for name, pixels in found.items()
        if isinstance(pixels, PromptPixels) and pixels.patches is not None
    }


def wrap_extract_multi_modal_inputs(stock: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Makes `extract_multi_modal_inputs` put the pixels in the place of their keys."""

    def extract_multi_modal_inputs(batch_data: list[Any], indices: list[int] | None = None) -> dict[str, Any]:
        rows = [getattr(row, "data", row) for row in batch_data]
        if indices is not None:
            rows = [rows[i] for i in indices if i < len(rows)]
        return stock(_with_pixels(rows))

    return extract_multi_modal_inputs


def _with_pixels(rows: list[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
    from verl.utils.device import get_device_name

    carried = [row[name] for row in rows if row for name in PIXELS if row.get(name) is not None]
    # Rows that are not ours bring their pixels to the CPU; all must be in one place.
    device = get_device_name() if all(isinstance(pixels, PromptPixels) for pixels in carried) else "cpu"
    fetched: dict[tuple[str, str], torch.Tensor] = {}

    def plain(name: str, value: Any) -> Any:
        if not isinstance(value, PromptPixels):
            return value
        if value.patches is not None:
            patches = value.patches.to(device)
        elif value.key is None:
            raise RuntimeError("the pixels of a validation row are asked for, but validation rows send none")
        else:
            if (value.key, name) not in fetched:
                fetched[value.key, name] = _fetch(value.key, name).to(device)
            patches = fetched[value.key, name]
        return value.normalised(patches)

    return [row and {name: plain(name, value) for name, value in row.items()} for row in rows]


def _fetch(key: str, name: str) -> torch.Tensor:
    return transfer_queue.kv_batch_get(keys=[key], partition_id=PARTITION, select_fields=[name])[name][0]


def wrap_kv_clear(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes `kv_clear` of a prompt's rows clear its pixels too."""

    def kv_clear(keys: list[str] | str, partition_id: str) -> None:
        stock(keys=keys, partition_id=partition_id)
        # A row's key is {uid}_{rollout}_{turn}; a key that is only a uid is verl's note that a prompt waits.
        uids = {key.split("_")[0] for key in ([keys] if isinstance(keys, str) else keys) if "_" in key}
        if partition_id == "train" and uids:
            kept = uids.intersection(transfer_queue.kv_list(partition_id=PARTITION).get(PARTITION, ()))
            if kept:
                stock(keys=sorted(kept), partition_id=PARTITION)

    return kv_clear
