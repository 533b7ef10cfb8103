"""A wrong value of the config is one sentence that names it."""

from copy import deepcopy

import pytest
from omegaconf import OmegaConf

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.run_settings import compose_config, read_settings

ROLLOUT, ACTOR = "actor_rollout_ref.rollout", "actor_rollout_ref.actor"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (f"{ROLLOUT}.gpu_memory_utilization", "high", "is high, must be a number above 0 and at most 1"),
        (f"{ROLLOUT}.gpu_memory_utilization", 1.5, "is 1.5, must be a number"),
        (f"{ROLLOUT}.gpu_memory_utilization", None, "is not set"),
        (f"{ROLLOUT}.max_model_len", 0, "is 0, must be a whole number of at least 1"),
        (f"{ACTOR}.fsdp_config.fsdp_size", "x", "is x, must be a whole number of at least -1"),
        (f"{ACTOR}.fsdp_config.param_offload", "maybe", "is maybe, must be true or false"),
        (f"{ACTOR}.ppo_mini_batch_size", "${nothing}", "cannot be read: Interpolation key 'nothing' not found"),
        (f"{ACTOR}.strategy", "fsdp", "a plan knows fsdp2 only"),
        (f"{ROLLOUT}.dtype", "fp8", "is 'fp8': a plan knows"),
        ("actor_rollout_ref.model.path", 8, "is 8, must be text"),
        ("data.train_batch_size", True, "is True, must be a whole number"),
        ("data.train_files", 3, "is 3, must be a file or a list of files"),
        ("trainer.v1", {"trainer_mode": "colocate_async", "colocate_async": {"num_warmup_batches": "few"}}, "is few"),
        ("trainer.v1.trainer_mode", "separate_async", "rollout.nnodes is 0, must be a whole number of at least 1"),
    ],
)
def test_wrong_values(config, key, value, sentence):
    wrong = deepcopy(config)
    OmegaConf.update(wrong, key, value)
    with pytest.raises(BadInput) as error:
        read_settings(wrong)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_base_model_of_ones_own_in_another_folder(tmp_path):
    (tmp_path / "base_model").mkdir()
    (tmp_path / "base_model" / "own.yaml").write_text(
        "# @package _global_\nactor_rollout_ref: {model: {path: my/model}}\n"
    )
    choices = [f"hydra.searchpath=[file://{tmp_path}]", "base_model=own", "cluster=2x8"]
    run = read_settings(compose_config("videossr_grpo", choices))
    assert (run.model, run.nodes) == ("my/model", 2)


def test_train_files(config):
    one_or_more = deepcopy(config)
    for files, found in (("a", ("a",)), (["a", "b"], ("a", "b")), (None, ())):
        one_or_more.data.train_files = files
        assert read_settings(one_or_more).train_files == found
