"""Makes verl's FSDP engine compute each micro-batch as shared sequences, and hand on what it would have without."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.metric import AggregationType, Metric

from videossr_verl.patches.speed.shared_prompts import attention
from videossr_verl.patches.speed.shared_prompts.groups import groups_of
from videossr_verl.patches.speed.shared_prompts.layout import Indices, Layout
from videossr_verl.patches.speed.shared_prompts.micro_batches import is_shared

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sharing:
    """A micro-batch that is computed as shared sequences."""

    layout: Layout
    indices: Indices


def wrap_forward_backward_batch(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Notes in a batch, and so in its micro-batches, whether prompts are shared."""

    def forward_backward_batch(self: Any, data: TensorDict, *args: Any, **kwargs: Any) -> Any:
        shared = getattr(self.engine_config, "shared_prompts", False)
        if shared and (reason := _hindrance(self, data)):
            _tell_once(reason)
            shared = False
        tu.assign_non_tensor(data, shared_prompts=shared)
        return stock(self, data, *args, **kwargs)

    return forward_backward_batch


def wrap_forward_step(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Looks for shared prompts before each micro-batch. In an update it counts the tokens that a rank
    computes."""

    def forward_step(self: Any, micro_batch: TensorDict, loss_function: Any, forward_only: bool) -> Any:
        self._sharing = _find(micro_batch) if is_shared(micro_batch) else None
        attention.use(self._sharing.layout if self._sharing else None)
        if self._sharing:
            _keep_states_that_predict(self)
        loss, output = stock(self, micro_batch, loss_function, forward_only)
        if is_shared(micro_batch) and not forward_only:
            layout = self._sharing.layout if self._sharing else None
            tokens = layout.tokens if layout else _nested(micro_batch, "input_ids").values().numel()
            output["metrics"]["computed_tokens"] = Metric(AggregationType.SUM, tokens)
        return loss, output

    return forward_step


def wrap_prepare_model_inputs(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the model the shared sequence, its media once, and as labels the answers' tokens alone."""

    def prepare_model_inputs(self: Any, micro_batch: TensorDict) -> Any:
        sharing: Sharing | None = getattr(self, "_sharing", None)
        if sharing is None:
            return stock(self, micro_batch)
        from verl.utils.model import extract_multi_modal_inputs

        ids, positions = (_nested(micro_batch, name).values() for name in ("input_ids", "position_ids"))
        places = sharing.indices
        labels = ids[places.labels]
        inputs: dict[str, Any] = {
            "input_ids": ids[places.tokens][None],
            "position_ids": positions[..., places.tokens].unsqueeze(-2),
            # Finished as it stands, for transformers: the attention itself knows who sees whom.
            "attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool, device=ids.device),
        }
        media = micro_batch.get("multi_modal_inputs", None)
        if media is not None:
            inputs |= extract_multi_modal_inputs(media, [group.rows[0] for group in sharing.layout.groups])
        outputs = {"input_ids_rmpad_rolled": labels, "pad_size": 0} | _temperatures(micro_batch, sharing)
        if tu.get_non_tensor_data(micro_batch, "use_fused_kernels", False):
            inputs |= {"temperature": micro_batch["temperature"], "return_dict": True, "shift_labels": labels[None]}
        return inputs, outputs

    return prepare_model_inputs


def wrap_prepare_model_outputs(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Puts what the answers' tokens got at the places of their rows; a prompt's places, which nobody reads, get 0."""

    def prepare_model_outputs(
        self: Any, output: Any, output_args: Any, micro_batch: TensorDict, logits_processor_func: Any
    ) -> Any:
        sharing: Sharing | None = getattr(self, "_sharing", None)
        if sharing is None:
            return stock(self, output, output_args, micro_batch, logits_processor_func)
        labels = output_args["input_ids_rmpad_rolled"]
        packed = torch.nested.nested_tensor_from_jagged(labels, labels.new_tensor([0, len(labels)]))
        answers = tu.get_tensordict({"input_ids": packed}, _settings(micro_batch) | {"use_remove_padding": True})
        found = stock(self, output, output_args, answers, logits_processor_func)
        offsets = _nested(micro_batch, "input_ids").offsets()
        return {name: _at_their_rows(value.values(), sharing, offsets) for name, value in found.items()}

    return prepare_model_outputs


def _at_their_rows(values: torch.Tensor, sharing: Sharing, offsets: torch.Tensor) -> torch.Tensor:
    rows = values.new_zeros(sum(sharing.layout.rows)).index_put((sharing.indices.targets,), values)
    return torch.nested.nested_tensor_from_jagged(rows, offsets)


def _nested(micro_batch: TensorDict, name: str) -> Any:
    """Returns a nested tensor of a batch, whose methods type checkers do not know."""
    return micro_batch[name]


def _settings(micro_batch: TensorDict) -> dict[str, Any]:
    names = ("pad_mode", "use_fused_kernels", "calculate_entropy", "calculate_sum_pi_squared")
    found = {name: tu.get_non_tensor_data(micro_batch, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _temperatures(micro_batch: TensorDict, sharing: Sharing) -> dict[str, Any]:
    """Returns the temperature of each answer token, and whether all are 1."""
    from verl.workers.engine.fsdp.transformer_impl import _is_scalar_unit_temperature

    temperature, layout = micro_batch["temperature"], sharing.layout
    rows = torch.as_tensor(temperature, dtype=torch.float32, device=sharing.indices.labels.device)
    rows = rows.expand(len(layout.rows)) if rows.ndim == 0 else rows
    order = torch.tensor([row for group in layout.groups for row in group.rows], device=rows.device)
    lengths = torch.tensor([length for group in layout.groups for length in group.answers], device=rows.device)
    return {
        "temperature_is_one": _is_scalar_unit_temperature(temperature),
        "temperature_rmpad": rows[order].repeat_interleave(lengths),
    }


def _find(micro_batch: TensorDict) -> Sharing | None:
    """Returns what a micro-batch shares, or None where that is nothing."""
    layout = groups_of(micro_batch)
    if not layout.saves or not any(any(group.answers) for group in layout.groups):
        return None
    return Sharing(layout, layout.indices(_nested(micro_batch, "input_ids").device))


def _hindrance(engine: Any, batch: TensorDict) -> str | None:
    """Returns what keeps an engine from sharing prompts."""
    if engine.use_ulysses_sp:
        return "Ulysses splits each sequence over GPUs"
    if engine.pad_to_length:
        return "pad_to_length gives each packed sequence a length of its own"
    if tu.get_non_tensor_data(batch, "distillation_use_topk", False):
        return "distillation reads the logits of prompts"
    responses = batch.get("responses", None)
    if responses is None or not responses.is_nested:
        return "the batch does not tell prompts from answers"
    return None


@cache
def _tell_once(reason: str) -> None:
    log.warning("shared_prompts: every row is computed by itself, because %s", reason)


def _keep_states_that_predict(engine: Any) -> None:
    """Makes the language model hand on the states that predict an answer token, so that no other reaches the output
    layer. Once for an engine.
    """
    if getattr(engine, "_keeps_states", False):
        return
    module = engine.module.get_base_model() if hasattr(engine.module, "get_base_model") else engine.module

    def keep(_module: torch.nn.Module, _inputs: Any, output: Any) -> Any:
        if engine._sharing is not None:
            output.last_hidden_state = output.last_hidden_state[:, engine._sharing.indices.source]
        return output

    module.model.register_forward_hook(keep)
    engine._keeps_states = True
