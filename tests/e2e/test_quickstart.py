"""The README's first command, whole, with a few steps: videos in, a checkpoint out, on the real stack."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

START = Path(__file__).parent.parent.parent / "recipes" / "tiny" / "careless_qwen2_5_vl"
TASKS = ("anomaly_grounding", "masked_video_prediction", "object_counting", "temporal_jigsaw")


@pytest.fixture(scope="module")
def metrics(two_runs, read_metrics):
    return read_metrics(*(two_runs[0] / "qwen2_5_vl-seed1" / "metrics").glob("*.jsonl"))


def test_rollouts_and_trainer_agree(metrics):
    for step in (1, 2, 3, 4):
        assert metrics[step]["training/rollout_probs_diff_max"] <= 0.01
        assert metrics[step]["training/rollout_actor_probs_pearson_corr"] > 0.999


def test_the_run_has_checked_that_both_sides_see_the_same(two_runs):
    log = (two_runs[0] / "qwen2_5_vl-seed1" / "train.log").read_text()
    assert log.count("rollout and trainer see the same prompts") == 1


def test_the_start_sees_in_the_rollout_engine(metrics):
    """It leads over the blind control: right frames, right weights and right positions reached vLLM."""
    leads = [
        metrics[0][f"val-aux/videossr/{task}/score/mean@1"] - metrics[0][f"val-aux/videossr/{task}/blind/score/mean@1"]
        for task in TASKS
    ]
    assert sum(leads) / len(leads) > 0.05


def test_every_task_is_validated_with_its_chance_and_blind_control(metrics):
    for step in (0, 2):
        for task in TASKS:
            for subset in ("", "/blind"):
                prefix = f"videossr/{task}{subset}"
                assert 0 <= metrics[step][f"val-aux/{prefix}/score/mean@1"] <= 1
                assert 0.3 < metrics[step][f"val-aux/{prefix}/chance/mean@1"] < 0.8


def test_the_checkpoint_loads_and_has_learned(two_runs):
    folder = two_runs[0] / "qwen2_5_vl-seed1" / "checkpoint"
    AutoProcessor.from_pretrained(folder)
    trained = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).state_dict()
    before = AutoModelForImageTextToText.from_pretrained(START, dtype=torch.float32).state_dict()
    moved = [name for name, weight in trained.items() if not torch.equal(weight, before[name])]
    assert any("visual" in name for name in moved)
    assert any("language_model" in name for name in moved)


def test_what_a_person_sees(two_runs):
    folder, shown, *_ = two_runs
    for task in TASKS:
        assert task in shown
    assert "step 2/2  reward" in shown
    assert "lead over blind" in shown
    assert (folder / "qwen2_5_vl-seed1" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_run_reuses_what_is_there(two_runs):
    _, _, again, _ = two_runs
    assert "step 1/2" not in again
    assert "lead over blind" in again


def test_a_missing_folder_is_one_sentence(quickstart, tmp_path):
    finished = quickstart(tmp_path, "no/such/folder")
    assert finished.returncode == 2
    assert finished.stderr == "quickstart: 'no/such/folder' is not a folder: give a folder of videos, or nothing\n"


def test_wrong_input_found_by_the_trainer_is_one_sentence_and_code_2(two_runs, quickstart, small):
    finished = quickstart(two_runs[0], *small, "data.max_prompt_length=20", SEED=2)
    assert finished.returncode == 2
    assert "2400 of 2400 prompts are longer than data.max_prompt_length=20" in finished.stdout
    assert "the same command goes on from there" in finished.stderr
