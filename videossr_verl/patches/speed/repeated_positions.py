"""verl 0.9.1: each rollout computes its M-RoPE positions two times on the event loop, a loop over frames each time.

Rollouts of a prompt differ after its last video only, and there every token is one further than the largest
position before it, on all axes. So the positions up to the last video are computed once and remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch

from videossr_verl.families import family_of

REMEMBERED = 64  # prompts; some 40 KB each


def _is_known(processor: object) -> bool:
    family = family_of(processor)
    return family is not None and family.TEXT_GOES_ON


def wrap_compute_position_ids(stock: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Makes a rollout worker's `_compute_position_ids` go on from what it remembers."""

    def _compute_position_ids(
        self: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        multi_modal_inputs: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        def compute(upto: int) -> torch.Tensor:
            ids, mask = input_ids[:, :upto], attention_mask[:, :upto]
            try:
                return stock(self, ids, mask, multi_modal_inputs, *args, **kwargs)
            except StopIteration as error:  # transformers' own way to say it
                raise ValueError(
                    "the token ids hold more placeholders than there are media; was one sampled?"
                ) from error

        length = input_ids.shape[1]
        if len(input_ids) != 1 or not _is_known(self.processor) or not attention_mask.all():
            return compute(length)
        is_visual = (input_ids[0] == self.processor.video_token_id) | (input_ids[0] == self.processor.image_token_id)
        upto = int(is_visual.nonzero().max()) + 1 if is_visual.any() else 0
        if upto == 0:
            return compute(length)
        prompts: OrderedDict[Hashable, torch.Tensor] = vars(self).setdefault("_prompt_positions", OrderedDict())
        key = (input_ids[0, :upto].numpy().tobytes(), *_media(multi_modal_inputs))
        if key not in prompts:
            prompts[key] = compute(upto)
            while len(prompts) > REMEMBERED:
                prompts.popitem(last=False)
        prompts.move_to_end(key)
        multi_modal_inputs.pop("mm_token_type_ids", None)  # as the stock code does
        before = prompts[key]  # (1, 4, upto): the text's own count, then time, height, width
        steps = torch.arange(1, length - upto + 1)
        ends = torch.stack([before[0, 0].max(), *[before[0, 1:].max()] * 3])
        return torch.cat([before, (ends[:, None] + steps)[None]], dim=2)

    return _compute_position_ids


def _media(inputs: dict[str, Any]) -> list[tuple[str, Hashable]]:
    names = ("image_grid_thw", "video_grid_thw", "second_per_grid_ts")
    return [(name, repr(torch.as_tensor(inputs[name]).tolist())) for name in names if inputs.get(name) is not None]
