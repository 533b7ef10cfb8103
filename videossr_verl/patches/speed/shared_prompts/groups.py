"""Finds the rows of a batch that begin with the same prompt: the same tokens, and the same media."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from tensordict import TensorDict

from videossr_verl.patches.speed.shared_prompts.layout import Group, Layout
from videossr_verl.prompt.pixels import PromptPixels

# What a row's images and videos become for the model: names to tensors, or None for text.
Media = Mapping[str, torch.Tensor | PromptPixels | None] | None


def groups_of(batch: TensorDict) -> Layout:
    """Returns the layout of a batch of verl's, whose rows are nested tensors."""
    rows: Any = batch["input_ids"]
    answers: Any = batch["responses"]
    media = batch.get("multi_modal_inputs", None)
    of_rows = [getattr(inputs, "data", inputs) for inputs in media] if media is not None else [None] * len(rows)
    return find_groups(rows.unbind(), answers.offsets().diff().tolist(), of_rows)


def find_groups(rows: Sequence[torch.Tensor], answers: Sequence[int], media: Sequence[Media]) -> Layout:
    """Returns the layout of a batch. It never depends on how rows came here: only equal prompts are shared.

    Args:
        rows: token ids of each row, (prompt + answer,). answers: tokens of each row's answer.
        media: of each row.
    """
    known: dict[bytes, list[list[int]]] = {}
    for number, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        prompt = row[: len(row) - answer]
        alike = known.setdefault(prompt.cpu().numpy().tobytes(), [])
        home = next((group for group in alike if _same(media[group[0]], media[number])), None)
        if home is None:
            alike.append(home := [])
        home.append(number)
    found = sorted((tuple(group) for alike in known.values() for group in alike), key=lambda group: group[0])
    return Layout(tuple(_group(numbers, rows, answers) for numbers in found))


def _group(numbers: tuple[int, ...], rows: Sequence[torch.Tensor], answers: Sequence[int]) -> Group:
    prompt = len(rows[numbers[0]]) - answers[numbers[0]]
    return Group(numbers, prompt, tuple(answers[number] for number in numbers))


def _same(one: Media, other: Media) -> bool:
    if one is other:
        return True
    if not one or not other or one.keys() != other.keys():
        return not one and not other
    return all(_equal(one[name], other[name]) for name in one)


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, PromptPixels) and isinstance(other, PromptPixels):
        settings = one.mean == other.mean and one.std == other.std and one.key == other.key
        return settings and (one.key is not None or _equal(one.patches, other.patches))
    if not isinstance(one, torch.Tensor) or not isinstance(other, torch.Tensor):
        return False
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
