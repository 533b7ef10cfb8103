"""The benchmarks that the READMEs quote run, on few rounds and rows; their figures are not judged here."""

import subprocess
import sys
from pathlib import Path

import pytest

from videossr_verl.preflight.memory.shapes import model_shape

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
MICRO = "actor_rollout_ref.{}_micro_batch_size_per_gpu=2"


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        (
            ["media.py", "--rollouts", "2", "--rounds", "1"],
            ["| 2 | CPU s |", "| 2 | MB in flight |", "| 2 | MB of pixels |"],
        ),
        (["startup.py", "--rows", "50"], ["| CPU s |", "| wall s |"]),
        (["prefill_schedule.py", "--answers", "2", "--prompts", "2"], ["| a video of 4,000 tokens | 2 | yes |"]),
        (
            [
                *("step.py", "--family", "qwen3_vl", "--lengths", "2048x32/16", "--rollouts", "2", "4"),
                *("--scale", "16", "--layers", "1", "--rounds", "1"),
            ],
            [
                *(f"| qwen3_vl | (2048 + 32) / 16 | 4 | {part} |" for part in ("reference", "old log-probs", "update")),
                *("| 520 | 136 | 3.82 |", "| reference and update: ", "| ours, short answers: "),
            ],
        ),
        (
            [
                *("actor.py", "--model", "qwen2_5_vl_7b", "--model-folder", ROOT / "recipes" / "tiny" / "qwen2_5_vl"),
                *("--config-name", "videossr_grpo_cpu", "--prompt-tokens", "160", "--answer-tokens", "8"),
                *(MICRO.format(part) for part in ("actor.ppo", "ref.log_prob", "rollout.log_prob")),
                "trainer.n_gpus_per_node=8",  # of which the config for CPUs has one, whatever the cluster
            ],
            [
                *(
                    f"| qwen2_5_vl_7b | {part} | {prompt} | 2 x 168 |"
                    for part in ("reference forward", "old log-probs", "update")
                    for prompt in ("each", "once")
                ),
                *(f"| 3 / 3 | 160 + 8 x 8 | {part} |" for part in ("forward", "both")),
            ],
        ),
    ],
)
def test_it_prints_its_table(command, lines):
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / command[0]), *command[1:]], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr[-2000:]
    for line in lines:
        assert line in run.stdout


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen3-VL-8B-Instruct"])
def test_a_prompt_is_as_long_as_asked_and_nearly_all_video(name, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    from lone_rank import write_model
    from long_video_rows import make_rows

    write_model(model_shape(name), tmp_path)
    rows, prompt = make_rows(str(tmp_path), 2048, 16, 3)
    assert prompt.tokens == 2048
    assert 0.75 * 2048 < prompt.vision_tokens == prompt.patches / 4
    assert rows["input_ids"].offsets().diff().tolist() == [2064] * 3
    assert [positions.shape for positions in rows["position_ids"].unbind()] == [(4, 2064)] * 3
    assert rows["prompts"].offsets().diff().tolist() == [2048] * 3
