"""Reward workers run no code of a model's folder unless the config trusts it."""

import json

import pytest
from omegaconf import OmegaConf
from verl.experimental.reward_loop.reward_loop import RewardLoopWorker


@pytest.fixture
def model_with_code(tmp_path):
    """A folder whose tokenizer is a class of its own, which leaves a file when it is imported."""
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["code.Canary", None]}, "tokenizer_class": "Canary"})
    )
    (tmp_path / "config.json").write_text("{}")
    ran = tmp_path / "ran"
    (tmp_path / "code.py").write_text(
        f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n"
        "from transformers import PreTrainedTokenizer\nclass Canary(PreTrainedTokenizer):\n    pass\n"
    )
    return tmp_path, ran


def loads(initialize, folder, trusted):
    class Worker(RewardLoopWorker):
        def __init__(self):
            model = {"path": str(folder), "tokenizer_path": None, "trust_remote_code": trusted}
            self.config = OmegaConf.create({"actor_rollout_ref": {"model": model}})

    with pytest.raises(Exception):  # noqa: B017, PT011  what follows the tokenizer is not there
        initialize(Worker())


def test_not_trusted(model_with_code):
    folder, ran = model_with_code
    loads(RewardLoopWorker._init_reward_fn, folder, False)
    assert not ran.exists()


def test_trusted(model_with_code):
    folder, ran = model_with_code
    loads(RewardLoopWorker._init_reward_fn, folder, True)
    assert ran.exists()


def test_verl_still_needs_it(model_with_code):
    """When this fails, verl asks the config itself: the repair may go."""
    folder, ran = model_with_code
    loads(RewardLoopWorker._init_reward_fn.stock, folder, False)
    assert ran.exists()
