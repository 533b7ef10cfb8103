"""What a plan says of known runs; tests/recipes/test_grpo_recipe.py plans every choice of train/config."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from videossr_verl.preflight.memory.gpus import KNOWN
from videossr_verl.preflight.memory.remedies import find_remedy
from videossr_verl.preflight.memory.verdict import problems

RECIPES = Path(__file__).parent.parent.parent.parent / "recipes"
SMALL = ("qwen2_5_vl_3b", "qwen2_5_vl_7b", "qwen3_vl_4b", "qwen3_vl_8b")
LARGE = ("qwen2_5_vl_32b", "qwen2_5_vl_72b", "qwen3_vl_30b_a3b", "qwen3_vl_32b")


@pytest.mark.parametrize(
    ("model", "cluster", "gpu", "reason"),
    [
        ("qwen2_5_vl_72b", "1x8", "rtx4090", "vLLM's 14.1 GiB leave no KV cache"),
        ("qwen2_5_vl_7b", "1x8", "rtx4090", "a GPU needs"),
        ("qwen3_vl_8b", "1x1", "h100", "in the optimizer's step a GPU needs"),
        ("qwen3_vl_32b", "1x1", "h200", "engines of 4 GPUs do not divide 1 GPUs"),
    ],
)
def test_what_does_not_fit(plan_of, model, cluster, gpu, reason):
    assert any(reason in wrong for wrong in problems(plan_of(model, cluster, gpu)))


@pytest.mark.parametrize(
    ("overrides", "reason", "remedy"),
    [
        (["rollout.max_model_len=null"], "cannot hold one request of 262,144 tokens", "max_model_len="),
        (["actor.ppo_micro_batch_size_per_gpu=64"], "in an update's backward pass", "micro_batch_size_per_gpu="),
        (["rollout.gpu_memory_utilization=0.95"], "while vLLM answers", "gpu_memory_utilization="),
        (["rollout.gpu_memory_utilization=0.2"], "leave no KV cache", "gpu_memory_utilization="),
        (["rollout.tensor_model_parallel_size=16"], "engines of 16 GPUs do not divide 8", "cluster=2x8"),
        (["actor.fsdp_config.fsdp_size=2"], "while vLLM answers a GPU needs", "actor.fsdp_config.fsdp_size=-1"),
        (["actor.ulysses_sequence_parallel_size=3"], "3 does not divide 8 GPUs", "parallel_size=1"),
        (
            ["actor.ulysses_sequence_parallel_size=2", "model.use_remove_padding=false"],
            "needs use_remove_padding and attention of packed rows",
            "parallel_size=1",
        ),
    ],
)
def test_a_reason_and_a_remedy_that_works(plan_of, overrides, reason, remedy):
    plan = plan_of("qwen3_vl_8b", "1x8", "h100", *(f"actor_rollout_ref.{one}" for one in overrides))
    assert any(reason in wrong for wrong in problems(plan)), problems(plan)
    assert remedy in (find_remedy(plan) or "")


def test_a_larger_node_shares_a_copy_among_all_its_gpus(plan_of):
    plan = plan_of("qwen3_vl_8b", "1x1", "h100", "actor_rollout_ref.rollout.tensor_model_parallel_size=2")
    assert find_remedy(plan) == "cluster=1x8"


def test_heads_that_a_group_does_not_divide(plan_of):
    size = "actor_rollout_ref.actor.ulysses_sequence_parallel_size=8"
    (wrong,) = problems(plan_of("qwen2_5_vl_7b", "1x8", "h100", size))
    assert wrong == "ulysses_sequence_parallel_size 8 does not divide the model's 28 attention heads"


def test_prompts_that_are_too_long(plan_of):
    plan = plan_of("qwen3_vl_8b", "1x8", "h100", "data.max_prompt_length=1024")
    assert "the longest prompt has 2,076 tokens and data.max_prompt_length is 1,024" in problems(plan)
    assert find_remedy(plan).startswith("data.max_prompt_length=2076")


def test_a_frozen_tower_has_no_gradients(plan_of):
    plan, frozen = (plan_of("qwen3_vl_8b", "1x8", "h200", *more) for more in ((), ("option=[frozen_vision]",)))
    assert plan.parameters.trained - frozen.parameters.trained == frozen.parameters.vision
    assert plan.parameters.total == frozen.parameters.total


def test_larger_gpus_never_lose(plan_of):
    for model in (*SMALL, *LARGE):
        fits = [not problems(plan_of(model, "1x8", gpu)) for gpu in sorted(KNOWN, key=KNOWN.get)]
        assert fits == sorted(fits), model


def recipe(script, *arguments, **environment):
    command = ["bash", str(RECIPES / script), *map(str, arguments)]
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(command, env=os.environ | path | environment, capture_output=True, text=True)


def test_the_papers_run_fits_where_the_paper_ran_it(tmp_path):
    said = recipe("videossr_8b.sh", tmp_path, "--plan", "--gpu", "h200", RUN=str(tmp_path / "run"))
    assert said.returncode == 0, said.stderr
    assert said.stdout.endswith("of each h200, on nodes with more than 65 GiB of memory\n")
    assert "8.77 B: language 8.19 B, vision 0.58 B" in said.stdout
    assert not (tmp_path / "run").exists()


def test_a_refusal_is_one_sentence_and_exit_code_2(tmp_path):
    said = recipe("grpo.sh", tmp_path, "model=qwen2_5_vl_72b", "--plan", "--gpu=rtx4090")
    assert said.returncode == 2
    assert said.stderr.startswith("videossr: Qwen/Qwen2.5-VL-72B-Instruct cannot run on 1 x 8 rtx4090: ")
    assert said.stderr.count("\n") == 1
    assert "optimizer" in said.stdout


def test_a_plan_of_a_built_data_set_and_a_folder_of_weights(tmp_path, dataset_folder, tiny_model):
    values = ("actor_rollout_ref.actor.ppo_mini_batch_size=8", "data.train_batch_size=8", "cluster=1x1")
    values += ("--plan", "--gpu", "24")
    said = recipe("grpo.sh", tmp_path, f"data={dataset_folder}", *values, MODEL=str(tiny_model))
    assert said.returncode == 0, said.stderr
    assert "train.parquet" in said.stdout
    assert "1 x 1 24 GiB GPU" in said.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--plan", "--gpu", "h900"], "unknown GPU 'h900': give one of rtx4090, a100-40g"),
        (["--plan", "trainer.nodes=3"], "Hydra refuses these settings"),
        (["--plan", "trainer.nnodes=0"], "trainer.nnodes is 0, must be a whole number of at least 1"),
        (["--plan", "--host-memory=much"], "--host-memory is 'much', must be a node's memory in GiB"),
        (["--gpu", "h100"], "--gpu goes with --plan"),
        (["--host-memory=64"], "--host-memory goes with --plan"),
        (["--plan", "--gpu"], "--gpu needs a value"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, sentence):
    said = recipe("grpo.sh", tmp_path, *arguments)
    assert said.returncode == 2
    assert sentence in said.stderr
    assert said.stderr.count("\n") == 1
