"""An error in a reward comes from verl's own reward worker to the trainer, with its row and cause."""

import asyncio
import inspect
from pathlib import Path

import numpy as np
import pytest
import ray
import torch
from tensordict import TensorDict
from verl import DataProto
from verl.experimental.reward_loop import RewardLoopWorker
from verl.trainer.ppo.v1 import agent_loop_tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from videossr_verl.cluster.worker_reports import open_mailbox
from videossr_verl.patches.survival import lost_groups, reward_errors
from videossr_verl.patches.survival.reward_errors import RewardError, describe
from videossr_verl.preflight.memory.run_settings import compose_config

FUNCTION = """\
def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    if ground_truth == "B":
        raise ZeroDivisionError("a bug\\nof mine")
    return {} if ground_truth == "C" else 1.0
"""


@pytest.fixture(scope="module")
def worker(tiny_model, tmp_path_factory):
    """verl's reward worker with a function of the user's, as verl starts it."""
    file = tmp_path_factory.mktemp("rewards") / "my_rewards.py"
    file.write_text(FUNCTION)
    changes = [f"actor_rollout_ref.model.path={tiny_model}", f"reward.custom_reward_function.path={file}"]
    config = compose_config("videossr_grpo_cpu", changes)
    ray.shutdown()
    ray.init(num_cpus=2, log_to_driver=False)
    reward_errors._box.cache_clear()
    box = open_mailbox(reward_errors.MAILBOX)
    yield ray.remote(num_cpus=0)(RewardLoopWorker).remote(config)
    del box
    reward_errors._box.cache_clear()
    ray.shutdown()


def rollout(truth):
    tokens = {name: torch.ones(1, 4, dtype=torch.int64) for name in ("prompts", "responses")}
    tokens |= {name: torch.ones(1, 8, dtype=torch.int64) for name in ("input_ids", "attention_mask")}
    row = {"data_source": "my_qa", "reward_model": {"ground_truth": truth}, "extra_info": {"index": "q17"}}
    columns = {name: np.array([value], dtype=object) for name, value in row.items()}
    return DataProto(TensorDict(tokens, batch_size=1), columns)


def look():
    """The replay buffer's look at which rollouts have ended, without TransferQueue."""
    reward_errors.wrap_sync_metadata(lambda self: None)(None)


@pytest.mark.parametrize(("truth", "cause"), [("B", "ZeroDivisionError: a bug of mine"), ("C", "KeyError: 'score'")])
def test_the_trainer_hears_of_it_once_with_row_and_cause(worker, truth, cause):
    assert ray.get(worker.compute_score.remote(rollout("A")))["reward_score"] == 1
    look()
    with pytest.raises(RewardError, match=cause) as raised:
        ray.get(worker.compute_score.remote(rollout(truth)))
    message = (
        f"the reward of data_source 'my_qa' failed on the row with extra_info.index 'q17' and ground truth '{truth}'"
    )
    assert f"{message}: {cause}" in str(raised.value)
    with pytest.raises(RewardError) as raised:
        look()
    assert str(raised.value).startswith(f"{message}: {cause}; mend the reward or the row")
    assert "\n" not in str(raised.value)
    look()


def test_it_is_no_lost_group(worker):
    async def stock(self, *args, **kwargs):
        raise RewardError("x")

    box = open_mailbox(lost_groups.MAILBOX)
    with pytest.raises(RewardError):
        asyncio.run(lost_groups.wrap_run_agent_loop(stock)(None, {}))
    assert ray.get(box.take.remote()) == []


def test_a_long_ground_truth_is_shortened():
    message = describe({"data_source": "x", "reward_model": {"ground_truth": "y" * 5000}}, ValueError("z"))
    assert len(message) < 250
    assert message.endswith("yyy...: ValueError: z")


def test_both_sides_are_installed_and_verl_still_needs_them():
    """When this fails, verl looks for rollouts, or takes errors of rewards, in another way."""
    assert hasattr(RewardLoopWorker.compute_score, "stock")
    assert hasattr(ReplayBuffer._sync_metadata_from_transfer_queue, "stock")
    assert 'status = "failure"' in Path(inspect.getsourcefile(agent_loop_tq)).read_text()
