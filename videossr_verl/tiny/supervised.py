"""Supervised training of a tiny model on drawn samples, on the tokens and positions that verl computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from torch.utils.data import IterableDataset
from transformers import PreTrainedModel
from verl.utils.tokenizer import build_multimodal_processor_inputs

from videossr_verl.prompt.tokens import content_parts
from videossr_verl.rows.schema import SYSTEM_PROMPT
from videossr_verl.tasks.contract import Sample
from videossr_verl.tiny.scenes import Drawn
from videossr_verl.video.metadata import video_metadata

IGNORED = -100  # label of a token that is not to be predicted

Batch = tuple[dict[str, torch.Tensor], torch.Tensor, list[str]]


class Encoded(TypedDict):
    """A sample as a model takes it.

    Attributes:
        task: its task.
        ids: (L,) tokens of prompt and answer.
        positions: (3, L), M-RoPE's.
        pixels, grid: of the videos.
        num_prompt_tokens: how many of the L are the prompt's.
    """

    task: str
    ids: torch.Tensor
    positions: torch.Tensor
    pixels: torch.Tensor
    grid: torch.Tensor
    num_prompt_tokens: int


def prompt(sample: Sample) -> list[dict[str, Any]]:
    """Returns the messages that a row of the built dataset holds."""
    turns = [("system", SYSTEM_PROMPT), ("user", sample.question)]
    return [{"role": role, "content": content_parts(text)} for role, text in turns]


def encode(drawn: Drawn, processor: Any) -> Encoded:
    """Returns the sample's prompt and answer as tokens.

    Args:
        processor: of `verl.utils.tokenizer.hf_processor`, which gives it the positions that verl's training uses.
    """
    sample, videos = drawn.sample, drawn.videos
    text = processor.apply_chat_template(prompt(sample), tokenize=False, add_generation_prompt=True)
    pairs = [
        (torch.from_numpy(np.ascontiguousarray(v.transpose(0, 3, 1, 2))), video_metadata(spec.clock))
        for v, spec in zip(videos, sample.videos, strict=True)
    ]
    inputs = build_multimodal_processor_inputs(processor, text=[text], videos=pairs)
    answer = [*processor.tokenizer(sample.answer)["input_ids"], processor.tokenizer.eos_token_id]
    ids = torch.cat([inputs["input_ids"][0], torch.tensor(answer)])[None]
    positions, _ = processor.get_rope_index(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=2 * (ids == processor.video_token_id).long(),
        image_grid_thw=None,
        video_grid_thw=inputs["video_grid_thw"],
        **getattr(processor, "get_rope_index_kwargs", lambda _: {})(inputs),
    )
    return {
        "task": sample.task,
        "ids": ids[0],
        "positions": positions[:, 0],
        "pixels": inputs["pixel_values_videos"],
        "grid": inputs["video_grid_thw"],
        "num_prompt_tokens": ids.shape[1] - len(answer),
    }


class Samples(IterableDataset[Encoded]):
    """Endless encoded samples: what `draws` yields, which is called once in each process that reads them."""

    def __init__(self, draws: Callable[[], Iterator[Drawn]], processor: Any) -> None:
        self._draws, self._processor = draws, processor

    def __iter__(self) -> Iterator[Encoded]:
        torch.set_num_threads(1)
        for drawn in self._draws():
            yield encode(drawn, self._processor)


def collate(rows: Sequence[Encoded]) -> Batch:
    """Returns right-padded model inputs, labels (`IGNORED` outside the answers) and the rows' tasks."""
    length = max(len(row["ids"]) for row in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.zeros(len(rows), length, dtype=torch.long)
    labels = torch.full((len(rows), length), IGNORED)
    positions = torch.zeros(4, len(rows), length, dtype=torch.long)
    for i, row in enumerate(rows):
        n = len(row["ids"])
        ids[i, :n], mask[i, :n] = row["ids"], 1
        labels[i, row["num_prompt_tokens"] : n] = row["ids"][row["num_prompt_tokens"] :]
        positions[0, i, :n], positions[1:, i, :n] = torch.arange(n), row["positions"]
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions,
        "pixel_values_videos": torch.cat([row["pixels"] for row in rows]),
        "video_grid_thw": torch.cat([row["grid"] for row in rows]),
    }
    return inputs, labels, [row["task"] for row in rows]


def train(
    model: PreTrainedModel,
    batches: Iterable[Batch],
    steps: int,
    lr: float,
    snapshot: Callable[[int], None] = lambda step: None,
) -> None:
    """Trains with AdamW: a short warm-up to the rate `lr`, which goes evenly to 0. Prints the mean nats per answer of
    each task every 100 steps.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    losses: dict[str, list[float]] = {}
    started = time.monotonic()
    for step, (inputs, labels, tasks) in zip(range(1, steps + 1), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(step / 50, 1 - (step - 1) / steps)
        logits = model(**inputs, use_cache=False).logits[:, :-1].transpose(1, 2).float()
        nats = torch.nn.functional.cross_entropy(logits, labels[:, 1:], reduction="none").sum(1)
        optimizer.zero_grad()
        nats.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 4.0)
        optimizer.step()
        for task, value in zip(tasks, nats.tolist(), strict=True):
            losses.setdefault(task, []).append(value)
        if step % 100 == 0:
            figures = "  ".join(f"{task} {np.mean(values):.3f}" for task, values in losses.items())
            print(f"step {step}/{steps}  {time.monotonic() - started:.0f} s  nats: {figures}", flush=True)
            losses.clear()
        snapshot(step)


@torch.no_grad()
def greedy_answers(model: PreTrainedModel, asked: Sequence[Encoded], end: int, most: int = 16) -> list[list[int]]:
    """Returns the most likely tokens after each prompt, up to `end` (left out) or `most` of them.

    Nothing is cached between tokens: the positions stay those of training, whatever a model's own `generate` makes of
    them.
    """
    rows = [_prompt_alone(row) for row in asked]
    for _ in range(most):
        inputs, _, _ = collate(rows)
        logits = model(**inputs, use_cache=False).logits
        following = [int(logits[i, len(row["ids"]) - 1].argmax()) for i, row in enumerate(rows)]
        rows = [_longer(row, token) for row, token in zip(rows, following, strict=True)]
        if all(end in row["ids"][row["num_prompt_tokens"] :] for row in rows):
            break
    answers = [row["ids"][row["num_prompt_tokens"] :].tolist() for row in rows]
    return [answer[: answer.index(end)] if end in answer else answer for answer in answers]


def _prompt_alone(row: Encoded) -> Encoded:
    n = row["num_prompt_tokens"]
    return {**row, "ids": row["ids"][:n], "positions": row["positions"][:, :n]}


def _longer(row: Encoded, token: int) -> Encoded:
    """Returns the row with one more text token, whose position is the next after all others."""
    next_position = (row["positions"].max() + 1).expand(3, 1)
    ids = torch.cat([row["ids"], torch.tensor([token])])
    return {**row, "ids": ids, "positions": torch.cat([row["positions"], next_position], dim=1)}


def scale_weights(model: PreTrainedModel, seed: int) -> None:
    """Gives matrices unit gain: at the config's std of 0.02 a model this small passes hardly any signal at first."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() >= 2 and "embed" not in name:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
