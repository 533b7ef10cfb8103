"""What a trial tells, against figures counted by hand."""

import pytest

from videossr_verl.preflight.memory.gpus import find_gpu
from videossr_verl.preflight.memory.plan_config import plan_config
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.tiny.shaped_model import with_layers
from videossr_verl.trial.figures import hours_of_papers_run, read_gap, read_seconds, trainers_share

WHOLE = model_shape("Qwen/Qwen3-VL-8B-Instruct")
PROMPT = Prompt(tokens=2000, vision_tokens=1500, patches=6000, frame_bytes=0, patch_bytes=0)


def metrics(largest, mean):
    probabilities = {"training/rollout_probs_diff_max": largest, "training/rollout_probs_diff_mean": mean}
    seconds = {"gen": 8.0, "old_log_prob": 2.0, "ref": 1.5, "update_actor": 6.5, "update_weights": 0.5, "step": 20.0}
    return probabilities | {f"timing_s/{name}": value for name, value in seconds.items()}


def test_the_gap_is_the_worst_steps():
    gap = read_gap({1: metrics(0.03, 0.002), 2: metrics(0.02, 0.004)})
    assert (gap.largest, gap.mean, gap.small) == (0.03, 0.004, True)
    assert not read_gap({1: metrics(0.9, 0.02)}).small


def test_phases_have_the_readers_names():
    phases = {
        "answers": 8.0,
        "old log-probs": 2.0,
        "reference": 1.5,
        "update": 6.5,
        "weights to vLLM": 0.5,
        "step": 20.0,
    }
    assert read_seconds(metrics(0, 0)) == phases
    assert "reference" not in read_seconds({"timing_s/step": 1.0, "timing_s/gen": 0.5})


def test_a_whole_model_takes_as_long_as_it_did():
    seconds = read_seconds(metrics(0, 0))
    assert hours_of_papers_run(seconds, WHOLE, WHOLE, PROMPT) == pytest.approx(468 * 20 / 3600)


def test_fewer_layers_are_reckoned_up():
    """A layer of the 8B has 4096 x (4096 + 2 x 1024 + 4096) + 3 x 4096 x 12288 weights, its head 151936 x 4096, its
    tower 0.576 billion; norms are nothing beside these.
    """
    layer, head, tower = 4096 * 10240 + 3 * 4096 * 12288, 151936 * 4096, 576.4e6
    whole, tried = ((n * layer + head) * 2000 + tower * 6000 for n in (36, 4))
    hours = hours_of_papers_run(read_seconds(metrics(0, 0)), with_layers(WHOLE, 4), WHOLE, PROMPT)
    assert hours == pytest.approx(468 * (18.5 * whole / tried + 1.5) / 3600, rel=1e-3)


def test_the_trainers_share_is_without_vllm_and_cuda():
    overrides = ["actor_rollout_ref.model.path=Qwen/Qwen3-VL-8B-Instruct", "cluster=1x8"]
    plan = plan_config("videossr_grpo", overrides, find_gpu("h200"), None)
    backward = next(phase for phase in plan.phases if phase.name == "backward").parts
    assert trainers_share(plan) == sum(backward.values()) - backward["vLLM"] - backward["CUDA, NCCL"]
