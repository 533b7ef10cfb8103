"""Repairs of verl 0.9.1, vLLM 0.28.0 and transformers 5.10.4 that video prompts need, on any device.

Without some of them the rollout and the trainer see different prompts, without an error; without saved_weights the old
log-probs of separate_async may be those of newer weights; without fused_output_layer and
text_only_rows a run ends with an error; without rollout_dump the rollouts that a run wrote down cannot be used
again; without frozen_vision and remote_code a setting does nothing; without silenced_warnings no warning is seen;
without open_server strangers may ask the rollout's servers; without the
others (repeated_media, repeated_positions, pixel_transfer, slow_polling) all is right and slow. One file each; a file
can be deleted when its test in tests/patches says that the library no longer needs it.
"""

from __future__ import annotations

import functools
from types import ModuleType

from videossr_verl.patches.correctness import silenced_warnings
from videossr_verl.patches.hooks import after_import


def install_in_verl() -> None:
    """Patches verl's modules as they are imported."""
    silenced_warnings.apply()
    after_import("verl.utils.tokenizer.tokenizer", _positions)
    after_import("verl.utils.tokenizer.tokenizer", _media_in_tokenizer)
    after_import("verl.experimental.agent_loop.agent_loop", _media_in_agent_loop)
    after_import("verl.experimental.agent_loop.agent_loop", _repeated_positions)
    after_import("verl.workers.rollout.llm_server", _media_in_llm_server)
    after_import("verl.trainer.ppo.v1.agent_loop_tq", _pixels_in_agent_loop)
    after_import("verl.utils.model", _pixels_in_model)
    after_import("transfer_queue", _pixels_in_transfer_queue)
    after_import("verl.utils.skip.rollout_skip", _rollout_dump)
    after_import("verl.utils.tensordict_utils", _nested_position_ids)
    after_import("verl.workers.rollout.utils", _unexpanded_prompts)
    after_import("verl.trainer.ppo.v1.replay_buffer", _slow_polling)
    after_import("verl.models.transformers.qwen2_vl", _text_only_rows)
    after_import("verl.models.transformers.qwen2_vl", _fused_output_layer)
    after_import("verl.models.transformers.qwen3_vl", _fused_output_layer)
    after_import("verl.experimental.reward_loop.reward_loop", _remote_code)
    after_import("verl.workers.engine_workers", _frozen_vision_in_workers)
    after_import("verl.workers.engine.fsdp.transformer_impl", _frozen_vision_in_engine)
    after_import("verl.utils.fsdp_utils", _saved_weights)
    after_import("verl.workers.rollout.vllm_rollout.vllm_async_server", _open_server)


@functools.cache
def install_in_vllm() -> None:
    """Patches vLLM's model modules as they are imported."""
    after_import("vllm.model_executor.models.vision", _input_normalization)
    after_import("vllm.model_executor.models.qwen2_5_vl", _video_times)


# Each fix is imported only where its target is: transformers, torch and vLLM are heavy.


def _positions(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import qwen2_5_vl_positions

    qwen2_5_vl_positions.apply(module)


def _media_in_tokenizer(module: ModuleType) -> None:
    from videossr_verl.patches.speed import repeated_media

    repeated_media.apply_to_tokenizer(module)


def _media_in_agent_loop(module: ModuleType) -> None:
    from videossr_verl.patches.speed import repeated_media

    repeated_media.apply_to_agent_loop(module)


def _repeated_positions(module: ModuleType) -> None:
    from videossr_verl.patches.speed import repeated_positions

    repeated_positions.apply(module)


def _media_in_llm_server(module: ModuleType) -> None:
    from videossr_verl.patches.speed import repeated_media

    repeated_media.apply_to_llm_server(module)


def _pixels_in_agent_loop(module: ModuleType) -> None:
    from videossr_verl.patches.speed import pixel_transfer

    pixel_transfer.apply_to_agent_loop_tq(module)


def _pixels_in_model(module: ModuleType) -> None:
    from videossr_verl.patches.speed import pixel_transfer

    pixel_transfer.apply_to_model(module)


def _pixels_in_transfer_queue(module: ModuleType) -> None:
    from videossr_verl.patches.speed import pixel_transfer

    pixel_transfer.apply_to_transfer_queue(module)


def _rollout_dump(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import rollout_dump

    rollout_dump.apply(module)


def _nested_position_ids(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import nested_position_ids

    nested_position_ids.apply(module)


def _unexpanded_prompts(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import unexpanded_prompts

    unexpanded_prompts.apply(module)


def _slow_polling(module: ModuleType) -> None:
    from videossr_verl.patches.speed import slow_polling

    slow_polling.apply(module)


def _fused_output_layer(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import fused_output_layer

    fused_output_layer.apply(module)


def _text_only_rows(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import text_only_rows

    text_only_rows.apply(module)


def _frozen_vision_in_workers(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import frozen_vision

    frozen_vision.apply_to_workers(module)


def _frozen_vision_in_engine(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import frozen_vision

    frozen_vision.apply_to_engine(module)


def _saved_weights(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import saved_weights

    saved_weights.apply(module)


def _open_server(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import open_server

    open_server.apply(module)


def _remote_code(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import remote_code

    remote_code.apply(module)


def _video_times(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import qwen2_5_vl_video_times

    qwen2_5_vl_video_times.apply(module)


def _input_normalization(module: ModuleType) -> None:
    from videossr_verl.patches.correctness import input_normalization

    # vLLM before 0.28 normalises in the processor.
    if hasattr(module, "FusedInputNorm"):
        input_normalization.apply(module)
