"""Reads what a run's Hydra config says about memory. It composes the config as verl's entry point would, and reads
plain numbers.
"""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from videossr_verl.cluster.reserved_cpus import ReservedCpus, reserved_cpus
from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.config_values import ConfigValues
from videossr_verl.preflight.memory.parameters import Lora

_BYPASS = "algorithm.rollout_correction.bypass_mode"
_BYTES = {"fp32": 4, "float32": 4, "float": 4, "32": 4, "bf16": 2, "bfloat16": 2, "fp16": 2, "float16": 2, "16": 2}


@dataclass(frozen=True)
class Engine:
    """How FSDP keeps a model: bytes of a stored and of a gathered parameter, and what waits in host memory.

    `always_offloaded` is FSDP2's own policy: parameters are copied in layer by layer, and Adam runs on the CPU.
    """

    stored: int
    gathered: int
    param_offload: bool
    optimizer_offload: bool
    always_offloaded: bool
    fsdp_size: int
    reshard: bool


@dataclass(frozen=True)
class MicroBatch:
    """A micro batch: what one GPU runs at once. It has so many samples, or with dynamic batches so many tokens (then
    `samples` is None).
    """

    samples: int | None
    tokens: int | None


@dataclass(frozen=True)
class Rollout:
    """vLLM's part. `max_model_len` None: the model's longest context."""

    tensor_parallel: int
    group: int
    utilization: float
    max_model_len: int | None
    batched_tokens: int
    max_seqs: int
    chunked_prefill: bool
    frees_cache: bool
    dtype_bytes: int
    bucket_bytes: int


@dataclass(frozen=True)
class Answering:
    """The GPUs that only answer, beside those that train (separate_async).

    `sync_step` is the number of updates between two exchanges of weights. With `trainers_too` there are engines on the
    GPUs that train as well: they sleep while it trains, and answer in validations.
    """

    nodes: int
    gpus_per_node: int
    sync_step: int
    trainers_too: bool

    @property
    def gpus(self) -> int:
        """GPUs of all these nodes."""
        return self.nodes * self.gpus_per_node


@dataclass(frozen=True)
class Run:
    """A run's settings.

    A step has `prompts` prompts with `rollouts` answers each, an update has `mini_batch` prompts. `batches_ahead` are
    in flight beside the one that is trained on (asynchronous modes). Lengths are in tokens. `compares` is true if a
    reference policy takes part; with an adapter it is the actor without it, and `reference` is None. `fused` is a
    backend or None. With `shares_prompts` a micro batch computes the prompt of its answers once; with
    `reuses_log_probs` the old log-probs are the rollout's. `answering` is None if the GPUs that train do all the
    answering. `saved_weights` are the versions of the actor that wait in host memory for old log-probs
    (separate_async).
    """

    model: str
    nodes: int
    gpus_per_node: int
    answering: Answering | None
    train_files: tuple[str, ...]
    prompts: int
    mini_batch: int
    batches_ahead: float
    rollouts: int
    prompt_length: int
    answer_length: int
    actor: Engine
    reference: Engine | None
    compares: bool
    lora: Lora | None
    checkpointing: bool
    fused: str | None
    remove_padding: bool
    attention: str
    sequence_parallel: int
    shares_prompts: bool
    reuses_log_probs: bool
    compiled_entropy: bool
    entropy_in_update: bool
    freezes_vision: bool
    saved_weights: int
    update: MicroBatch
    log_prob: MicroBatch
    reference_log_prob: MicroBatch
    rollout: Rollout
    cpus: ReservedCpus

    @property
    def gpus(self) -> int:
        """GPUs of all nodes that train."""
        return self.nodes * self.gpus_per_node

    @property
    def trainers_answer(self) -> bool:
        """Whether the GPUs that train hold an engine too."""
        return self.answering is None or self.answering.trainers_too


def compose_config(config_name: str, overrides: Sequence[str]) -> Any:
    """Returns the config that `python -m verl.trainer.main_ppo --config-name NAME OVERRIDES` would get. Starts nothing.

    Raises:
        BadInput: verl is not installed, or Hydra refuses the overrides.
    """
    verl = importlib.util.find_spec("verl")
    if verl is None or not verl.submodule_search_locations:
        raise BadInput("a plan is read from verl's config: pip install 'videossr-verl[train]'")
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(f"{verl.submodule_search_locations[0]}/trainer/config", version_base=None):
            return compose(config_name, overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise BadInput(f"Hydra refuses these settings: {' '.join(str(error).split())}") from error


def read_settings(config: Any) -> Run:
    """Returns the numbers of a composed config. Raises BadInput if one is missing, or cannot be planned for."""
    ask = ConfigValues(config)
    model, actor, rollout = "actor_rollout_ref.model", "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    rank = ask.number(f"{model}.lora_rank", 0)
    strategy = ask(f"{actor}.strategy")
    if strategy != "fsdp2":
        raise BadInput(
            f"actor_rollout_ref.actor.strategy is '{strategy}': a plan knows fsdp2 only, as in videossr_grpo"
        )
    has_reference = ask.flag(f"{actor}.use_kl_loss", False) or ask.flag("algorithm.use_kl_in_reward", False)
    answering = _answering(ask)
    parallel = ask.number(f"{actor}.ulysses_sequence_parallel_size")
    return Run(
        model=ask.text(f"{model}.path"),
        nodes=ask.number("trainer.nnodes"),
        gpus_per_node=ask.number("trainer.n_gpus_per_node"),
        answering=answering,
        train_files=_files(ask("data.train_files", ())),
        prompts=ask.number("data.train_batch_size"),
        mini_batch=ask.number(f"{actor}.ppo_mini_batch_size"),
        batches_ahead=_batches_ahead(ask),
        rollouts=ask.number(f"{rollout}.n"),
        prompt_length=ask.number("data.max_prompt_length"),
        answer_length=ask.number("data.max_response_length"),
        actor=_engine(ask, actor),
        # With an adapter the reference is the actor without it.
        reference=_engine(ask, "actor_rollout_ref.ref") if has_reference and not rank else None,
        compares=has_reference,
        lora=Lora(rank, ask.text(f"{model}.exclude_modules", None)) if rank else None,
        checkpointing=ask.flag(f"{model}.enable_gradient_checkpointing"),
        fused=_fused(ask, model),
        remove_padding=ask.flag(f"{model}.use_remove_padding"),
        attention=ask.text(f"{model}.override_config.attn_implementation", "flash_attention_2"),
        sequence_parallel=parallel,
        reuses_log_probs=ask.flag(_BYPASS, False),
        # Under Ulysses nothing is shared.
        shares_prompts=parallel == 1 and ask.flag(f"{actor}.shared_prompts", False),
        compiled_entropy=ask.flag(f"{actor}.fsdp_config.use_torch_compile"),
        entropy_in_update=ask.flag(f"{actor}.calculate_entropy", False) or ask(f"{actor}.entropy_coeff", 0) != 0,
        freezes_vision=ask.flag(f"{actor}.freeze_vision_tower", False),
        saved_weights=_saved_weights(ask, answering),
        update=_micro_batch(ask, actor, "ppo_", "use_dynamic_bsz"),
        log_prob=_micro_batch(ask, rollout, "log_prob_", "log_prob_use_dynamic_bsz"),
        reference_log_prob=_micro_batch(ask, "actor_rollout_ref.ref", "log_prob_", "log_prob_use_dynamic_bsz"),
        rollout=_rollout(ask, rollout),
        cpus=reserved_cpus(config),
    )


def _answering(ask: ConfigValues) -> Answering | None:
    if ask("trainer.v1.trainer_mode", "sync") != "separate_async":
        return None
    return Answering(
        nodes=ask.number("actor_rollout_ref.rollout.nnodes"),
        gpus_per_node=ask.number("actor_rollout_ref.rollout.n_gpus_per_node"),
        sync_step=ask.number("trainer.v1.separate_async.parameter_sync_step", 1),
        trainers_too=ask.flag("actor_rollout_ref.hybrid_engine", True),
    )


def _batches_ahead(ask: ConfigValues) -> float:
    key = f"trainer.v1.{ask.text('trainer.v1.trainer_mode', 'sync')}.num_warmup_batches"
    ahead = ask(key, 0)
    if isinstance(ahead, bool) or not isinstance(ahead, int | float) or not 0 <= ahead < math.inf:
        raise BadInput(f"{key} is {ahead}, must be a number of batches")
    return float(ahead)


def _saved_weights(ask: ConfigValues, answering: Answering | None) -> int:
    if not answering or ask.flag(_BYPASS, False):
        return 0
    # The weights that answered; and for the second and further updates the current ones, which the former replace for a
    # while.
    return min(answering.sync_step, 2)


def _fused(ask: ConfigValues, part: str) -> str | None:
    if not ask.flag(f"{part}.use_fused_kernels", False):
        return None
    return ask.text(f"{part}.fused_kernel_options.impl_backend")


def _engine(ask: ConfigValues, part: str) -> Engine:
    fsdp = f"{part}.fsdp_config"
    forward_only = ask.flag(f"{fsdp}.forward_only", False)
    # verl's own: fp32 for a model that is trained, bf16 for one that is not.
    stored = ask(f"{fsdp}.model_dtype", "bf16" if forward_only else "fp32")
    return Engine(
        stored=_bytes(f"{fsdp}.model_dtype", stored),
        gathered=_bytes(f"{fsdp}.mixed_precision", ask(f"{fsdp}.mixed_precision.param_dtype", "bf16")),
        param_offload=ask.flag(f"{fsdp}.param_offload"),
        optimizer_offload=ask.flag(f"{fsdp}.optimizer_offload"),
        always_offloaded=forward_only or ask.flag(f"{fsdp}.offload_policy", False),
        fsdp_size=ask.number(f"{fsdp}.fsdp_size", -1, least=-1),
        reshard=ask.flag(f"{fsdp}.reshard_after_forward"),
    )


def _micro_batch(ask: ConfigValues, part: str, prefix: str, dynamic: str) -> MicroBatch:
    if ask.flag(f"{part}.{dynamic}", False):
        return MicroBatch(None, ask.number(f"{part}.{prefix}max_token_len_per_gpu"))
    return MicroBatch(ask.number(f"{part}.{prefix}micro_batch_size_per_gpu"), None)


def _rollout(ask: ConfigValues, part: str) -> Rollout:
    tensor = ask.number(f"{part}.tensor_model_parallel_size")
    return Rollout(
        tensor_parallel=tensor,
        group=tensor * ask.number(f"{part}.data_parallel_size") * ask.number(f"{part}.pipeline_model_parallel_size"),
        utilization=ask.share(f"{part}.gpu_memory_utilization"),
        max_model_len=ask.number(f"{part}.max_model_len", None),
        batched_tokens=ask.number(f"{part}.max_num_batched_tokens"),
        max_seqs=ask.number(f"{part}.max_num_seqs"),
        chunked_prefill=ask.flag(f"{part}.enable_chunked_prefill"),
        frees_cache=ask.flag(f"{part}.free_cache_engine"),
        dtype_bytes=_bytes(f"{part}.dtype", ask(f"{part}.dtype")),
        bucket_bytes=ask.number(f"{part}.checkpoint_engine.update_weights_bucket_megabytes") << 20,
    )


def _bytes(key: str, dtype: Any) -> int:
    if str(dtype) not in _BYTES:
        raise BadInput(f"{key} is '{dtype}': a plan knows {', '.join(k for k in _BYTES if re.match('[bf]', k))}")
    return _BYTES[str(dtype)]


def _files(files: Any) -> tuple[str, ...]:
    if not isinstance(files, str | Sequence):
        raise BadInput(f"data.train_files is {files}, must be a file or a list of files")
    return (files,) if isinstance(files, str) else tuple(map(str, files))
