"""verl's own entry point finds our configs, and verl's own checks accept them."""

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.utils.config import validate_config

from reward_fns import compute_score

OVERRIDES = [
    "actor_rollout_ref.model.path=model",
    "data.train_files=a",
    "data.val_files=b",
    "data.data_root=c",
]


def composed(name, *overrides):
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose(name, overrides=[*OVERRIDES, *overrides])


def test_the_papers_settings():
    config = composed("videossr_grpo")
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    assert (config.data.train_batch_size, actor.ppo_mini_batch_size, rollout.n) == (64, 64, 8)
    assert (config.data.max_prompt_length, config.data.max_response_length) == (8192, 2048)
    assert (actor.optim.lr, actor.kl_loss_coef, actor.kl_loss_type) == (1e-6, 1e-3, "low_var_kl")
    assert (actor.use_kl_loss, config.algorithm.use_kl_in_reward) == (True, False)
    assert (rollout.temperature, config.algorithm.adv_estimator) == (1.0, "grpo")
    assert config.trainer.total_epochs == 1


@pytest.mark.parametrize(("name", "longest"), [("mvp_grpo", 2048), ("videossr_mvp_grpo", 8192)])
def test_masked_video_prediction_changes_only_what_it_needs(name, longest):
    config, papers = composed(name), composed("videossr_grpo")
    assert config.data.max_prompt_length == longest
    settings = reward_kwargs(config)
    assert compute_score("videossr/masked_video_prediction", "CAFD", "CAFD", {}, **settings)["acc"] == 1
    assert config.actor_rollout_ref.actor == papers.actor_rollout_ref.actor
    assert config.actor_rollout_ref.rollout.n == papers.actor_rollout_ref.rollout.n


@pytest.mark.parametrize("name", ["mvp_grpo", "videossr_mvp_grpo"])
def test_a_choice_takes_the_place_of_the_configs_own(name):
    """As `CONFIG=mvp_grpo DATA=mvp_hard bash recipes/mvp.sh` asks for."""
    assert composed(name, "dataset=mvp_hard").data.max_prompt_length == 6144


def test_choices_leave_what_a_cpu_cannot_do():
    """`cluster` is for GPUs: its workers would be too many for a laptop."""
    config = composed("videossr_grpo_cpu", "cluster=1x8")
    assert (config.trainer.n_gpus_per_node, config.actor_rollout_ref.rollout.agent.num_workers) == (1, 1)


def test_a_strict_reward_by_one_override():
    name = "reward.custom_reward_function.reward_kwargs"
    overrides = [f"{name}.strict=true", f"+{name}.object_counting.strict=false"]
    nearly = {"videossr/temporal_jigsaw": ("431562", "341562"), "videossr/object_counting": ("3,1,5", "3,1,4")}

    def scores(settings):
        return [compute_score(source, *texts, {}, **settings)["score"] for source, texts in nearly.items()]

    smooth = scores(reward_kwargs(composed("videossr_grpo")))
    assert all(0.8 < score < 1 for score in smooth)
    assert scores(reward_kwargs(composed("videossr_grpo", *overrides))) == [0, smooth[1]]


def reward_kwargs(config):
    """As verl hands them to the reward."""
    return get_custom_reward_fn(config).args[1]


@pytest.mark.parametrize("name", ["videossr_grpo", "videossr_grpo_cpu", "mvp_grpo", "videossr_mvp_grpo"])
def test_verl_accepts_the_config(name):
    validate_config(composed(name), use_reference_policy=True, use_critic=False)


def test_verls_entry_point_finds_the_config_and_its_choices_by_name(tmp_path):
    command = [
        sys.executable,
        "-m",
        "verl.trainer.main_ppo",
        "--config-name",
        "videossr_grpo",
        "--cfg",
        "job",
    ]
    choices = ["base_model=qwen3_vl_4b", "dataset=mvp_hard", "cluster=2x8", "option=[lora,dynamic_batch]"]
    settings = [*choices, *OVERRIDES[1:]]
    shown = subprocess.run([*command, *settings], cwd=tmp_path, capture_output=True, text=True, check=True)
    config = OmegaConf.create(shown.stdout)
    assert config.data.custom_cls.path == "pkg://videossr_verl.train.dataset"
    assert config.actor_rollout_ref.model.path == "Qwen/Qwen3-VL-4B-Instruct"
    assert (config.data.max_prompt_length, config.trainer.nnodes) == (6144, 2)
    assert (config.actor_rollout_ref.model.lora_rank, config.actor_rollout_ref.actor.use_dynamic_bsz) == (64, True)
