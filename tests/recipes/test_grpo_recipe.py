"""recipes/grpo.sh: every choice composes, passes verl's own checks, is planned, and says what it does."""

import os
import shlex
import subprocess
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from verl.utils.config import validate_config
from verl.utils.tensordict_utils import get_tensordict
from verl.workers.engine.utils import prepare_micro_batches

from videossr_verl.preflight.memory.estimate import make_plan
from videossr_verl.preflight.memory.gpus import find_gpu
from videossr_verl.preflight.memory.prompts import prompts_of_preset
from videossr_verl.preflight.memory.report import report
from videossr_verl.preflight.memory.run_settings import read_settings
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.preflight.memory.verdict import problems

RECIPES = Path(__file__).parent.parent.parent / "recipes"
CONFIG = RECIPES.parent / "videossr_verl" / "train" / "config"
VALUES = {
    "data.train_files": "a",
    "data.val_files": "b",
    "data.data_root": "c",
}


LENGTHS = {"mvp": 2048, "mvp_easy": 2048, "mvp_hard": 6144, "mvp_harder": 6144}
LENGTHS |= {"motion_primitives": 2048, "spatial_jigsaw": 2048, "arrow_of_time": 3072, "snippet_localisation": 3072}
OTHER_TASKS = ("arrow_of_time", "motion_primitives", "snippet_localisation", "spatial_jigsaw")


@pytest.fixture(scope="module", autouse=True)
def each_yaml_is_parsed_once():
    """Hydra reads all files anew for each of some 200 configs here, and parsing them takes a third of its time."""
    parsed = cache(lambda text: yaml.load(text, get_yaml_loader()) or {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", lambda file: OmegaConf.create(parsed(file.read())))
        yield


def names(group):
    return sorted(path.stem for path in (CONFIG / group).glob("*.yaml"))


def composed(*choices):
    values = [f"{key}={value}" for key, value in VALUES.items()]
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose("videossr_grpo", overrides=[*choices, *values])


def test_the_choices_of_the_issue_are_there():
    qwen2_5 = [f"qwen2_5_vl_{size}" for size in ("3b", "7b", "32b", "72b")]
    qwen3 = [f"qwen3_vl_{size}" for size in ("4b", "8b", "30b_a3b", "32b")]
    assert names("base_model") == sorted(qwen2_5 + qwen3)
    papers = ["mvp", "mvp_easy", "mvp_hard", "mvp_harder", "videossr", "videossr_mvp"]
    assert names("dataset") == sorted([*papers, *OTHER_TASKS])
    assert {"1x8", "2x8", "4x8"} <= set(names("cluster"))


def planned(config, data, gpu="h200", **changes):
    run = replace(read_settings(config), **changes)
    shape = model_shape(run.model)
    return make_plan(run, shape, prompts_of_preset(data, shape), find_gpu(gpu))


def cut_as_verl_does(config, gpus):
    """What a GPU gets at once goes through verl's own cutting into micro batches, which asserts that it divides."""
    actor, rollout, v1 = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout, config.trainer.v1
    taken = config.data.train_batch_size // v1[v1.trainer_mode].get("parameter_sync_step", 1)
    log_prob = rollout.log_prob_micro_batch_size_per_gpu, config.actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu
    asked = [(actor.ppo_mini_batch_size, actor.ppo_micro_batch_size_per_gpu), *((taken, size) for size in log_prob)]
    for prompts, size in asked:
        answers, rest = divmod(prompts * rollout.n * actor.ulysses_sequence_parallel_size, gpus)
        assert rest == 0
        rows = {"input_ids": torch.zeros(answers, 1)}
        settings = {"use_dynamic_bsz": False, "micro_batch_size_per_gpu": size}
        assert len(prepare_micro_batches(get_tensordict(rows, settings))[0]) == answers // size


@pytest.mark.parametrize("model", names("base_model"))
def test_every_model_data_set_and_cluster_passes_verls_checks_and_is_planned(model):
    alike = [("mvp_easy", "1x8"), ("mvp_hard", "1x8"), ("mvp_harder", "1x8")]  # as mvp, but for the length
    for data, cluster in [*product(("mvp", "videossr", "videossr_mvp"), names("cluster")), *alike]:
        config = composed(f"base_model={model}", f"dataset={data}", f"cluster={cluster}")
        validate_config(config, use_reference_policy=True, use_critic=False)
        nodes, gpus = map(int, cluster.split("x"))
        assert (config.trainer.nnodes, config.trainer.n_gpus_per_node) == (nodes, gpus)
        rollout = config.actor_rollout_ref.rollout
        assert rollout.tensor_model_parallel_size in (1, 4, 8)
        large = rollout.tensor_model_parallel_size > 1
        parts = config.actor_rollout_ref.actor, config.actor_rollout_ref.ref
        assert [part.fsdp_config.fsdp_size for part in parts] == [-1 if large else gpus] * 2
        assert config.data.max_prompt_length == LENGTHS.get(data, 8192)
        assert config.actor_rollout_ref.model.path.startswith("Qwen/Qwen")
        for gpu in ("h100", "h200"):
            plan = planned(config, data, gpu)
            wrong = problems(plan)
            assert all("GiB" in reason or "divide" in reason for reason in wrong)
            # From one node of 80 GB on, every model's own settings do.
            assert not wrong or cluster == "1x1", (data, cluster, gpu, wrong)
            assert f"of {plan.gpu.memory / 2**30:.1f}" in report(plan)


@pytest.mark.parametrize("option", names("option"))
def test_every_option_with_every_model(option):
    for model in names("base_model"):
        config = composed(f"base_model={model}", "dataset=videossr", "cluster=2x8", f"option=[{option}]")
        lora = config.actor_rollout_ref.model.lora_rank > 0
        validate_config(config, use_reference_policy=not lora, use_critic=False)
        # What the separate trainer asserts when it starts.
        mode, actor = config.trainer.v1, config.actor_rollout_ref.actor
        if mode.trainer_mode == "separate_async":
            steps = mode.separate_async.parameter_sync_step
            assert config.data.train_batch_size == steps * actor.ppo_mini_batch_size
            assert config.actor_rollout_ref.rollout.checkpoint_engine.backend != "naive"
        longest = config.data.max_prompt_length + config.data.max_response_length
        assert not actor.use_dynamic_bsz or actor.ppo_max_token_len_per_gpu >= longest
        for nodes, gpus in (map(int, cluster.split("x")) for cluster in names("cluster")):
            if gpus == 8:
                assert problems(planned(config, "videossr", nodes=nodes)) == []
            if not actor.use_dynamic_bsz and (nodes * gpus) % actor.ulysses_sequence_parallel_size == 0:
                cut_as_verl_does(config, nodes * gpus)


def test_options_go_together():
    config = composed("base_model=qwen3_vl_8b", "dataset=mvp", "cluster=1x8", "option=[lora,frozen_vision]")
    assert config.actor_rollout_ref.model.lora_rank == 64
    assert config.actor_rollout_ref.actor.freeze_vision_tower
    assert config.reward.custom_reward_function.reward_kwargs.masked_video_prediction.order_weight == 0.5


def recipe(*arguments, **environment):
    command = ["bash", str(RECIPES / "grpo.sh"), *map(str, arguments)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


def test_a_dry_run_prints_what_would_be_done(tmp_path):
    said = recipe(
        tmp_path, "model=qwen2_5_vl_7b", "data=mvp", "cluster=2x8", "option=lora", "trainer.save_freq=5", DRY_RUN="1"
    )
    build, train = map(shlex.split, said.stdout.splitlines())
    assert build[:2] == ["videossr", "build"]
    assert "--keep-embeddings" in build
    assert train[:3] == ["python", "-m", "verl.trainer.main_ppo"]
    assert train[-1] == "trainer.save_freq=5"
    choices = train[train.index("videossr_grpo") + 1 :][:4]
    assert choices == ["base_model=qwen2_5_vl_7b", "dataset=mvp", "cluster=2x8", "option=[lora]"]
    config = composed(
        *choices, *[a for a in train[train.index(choices[-1]) + 1 :] if "files" not in a and "root" not in a]
    )
    assert config.trainer.save_freq == 5


def test_a_built_data_set_is_not_built_again(tmp_path, dataset_folder):
    said = recipe(tmp_path, f"data={dataset_folder}", DRY_RUN="1").stdout.splitlines()
    assert len(said) == 1
    assert f"data.train_files='{dataset_folder}/train.parquet'" in shlex.split(said[0])


def test_the_papers_run(tmp_path):
    """Its values, each from the paper or the released script (VideoSSR, section 4)."""
    command = ["bash", str(RECIPES / "videossr_8b.sh"), str(tmp_path)]
    environment = os.environ | {"DRY_RUN": "1", "RUN": str(tmp_path / "run")}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    build, train = map(shlex.split, said.splitlines())
    assert build[build.index("--mix") + 1] == "anomaly_grounding=12000,temporal_jigsaw=12000,object_counting=6000"
    first = train.index("videossr_grpo") + 1
    config = composed(*[a for a in train[first:] if "files" not in a and "root" not in a])
    validate_config(config, use_reference_policy=True, use_critic=False)
    actor, rollout, data = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout, config.data
    assert config.actor_rollout_ref.model.path == "Qwen/Qwen3-VL-8B-Instruct"
    assert (data.train_batch_size, actor.ppo_mini_batch_size, rollout.n) == (64, 64, 8)
    assert (data.max_prompt_length, data.max_response_length) == (8192, 2048)
    assert (actor.ppo_micro_batch_size_per_gpu, actor.optim.lr, actor.kl_loss_coef) == (8, 1e-6, 1e-3)
    assert config.actor_rollout_ref.model.use_fused_kernels
    assert config.actor_rollout_ref.ref.fsdp_config.param_offload
    assert not actor.fsdp_config.param_offload
    assert (rollout.tensor_model_parallel_size, rollout.gpu_memory_utilization) == (1, 0.6)
    assert not rollout.enable_chunked_prefill
    assert rollout.engine_kwargs.vllm.mm_processor_cache_gb == 0
    assert (config.trainer.nnodes, config.trainer.n_gpus_per_node, config.trainer.total_epochs) == (1, 8, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/folder"], "'no/such/folder' is not a folder"),
        ([".", "model=gpt"], "unknown base_model 'gpt': give one of qwen2_5_vl_32b"),
        ([".", "cluster=3x7"], "unknown cluster '3x7': give one of 1x1 1x8"),
        ([".", "option=lora,magic"], "unknown option 'magic': give one of as_published colocate_async"),
        ([".", "option=separate_async,lora,colocate_async"], "are two trainers: give one of them"),
        ([".", "option=lora,separate_async"], "sends the nodes that only answer no adapter: leave out lora"),
        ([".", "data=./nothing"], "'./nothing' holds no train.parquet"),
        (
            [".", "data=nothing"],
            "unknown dataset 'nothing': give one of arrow_of_time motion_primitives mvp mvp_easy mvp_hard mvp_harder",
        ),
    ],
)
def test_wrong_arguments(arguments, message):
    finished = recipe(*arguments)
    assert finished.returncode == 2
    assert message in finished.stderr
