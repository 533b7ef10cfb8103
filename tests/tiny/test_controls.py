"""Learners that are shown a control: what they see, how they answer, and the script that compares them."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from videossr_verl.families import qwen2_5_vl
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.controlled import CONDITIONS, draw_controlled
from videossr_verl.tiny.scenes import draw, load_scenes
from videossr_verl.tiny.supervised import collate, encode, greedy_answers
from videossr_verl.tiny.untrained import untrained

SCRIPT = Path(__file__).parent.parent.parent / "recipes" / "tiny" / "controls.py"
PRESET = load_preset("videossr_tiny")
TASKS = tuple(PRESET.subsets)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return load_scenes(tmp_path_factory.mktemp("videos"), 4, 7, PRESET, qwen2_5_vl.FACTOR)


def drawn(scenes, task, condition, seed):
    """The same sample whole, and as the condition shows it."""
    rngs = np.random.default_rng(seed), np.random.default_rng(seed)
    return draw(scenes, PRESET, task, rngs[0]), draw_controlled(scenes, PRESET, task, condition, rngs[1])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_question_and_answer_stay(scenes, task, condition):
    for seed in range(10):
        whole, controlled = drawn(scenes, task, condition, seed)
        assert (controlled.sample.question, controlled.sample.answer) == (whole.sample.question, whole.sample.answer)
        assert controlled.knobs == whole.knobs


@pytest.mark.parametrize("task", TASKS)
def test_what_each_condition_shows(scenes, task):
    for seed in range(10):
        whole, blind = drawn(scenes, task, "blind", seed)
        assert whole.sample.videos[0].video != blind.sample.videos[0].video
        assert len(whole.videos) == len(blind.videos)
        _, single = drawn(scenes, task, "single_frame", seed)
        _, mixed = drawn(scenes, task, "shuffled_frames", seed)
        for video, one, other in zip(whole.videos, single.videos, mixed.videos, strict=True):
            assert (one == one[0]).all()
            assert any((frame == one[0]).all() for frame in video)
            assert sorted(frame.tobytes() for frame in other) == sorted(frame.tobytes() for frame in video)


def test_blind_videos_may_have_the_same_answer(scenes):
    """Else a learner could tell from them what is not the answer."""
    tried = [drawn(scenes, "object_counting", "blind", seed)[1].sample for seed in range(40)]
    details = [sample.videos[0].transform["drawn"] for sample in tried]
    shown = [sum(len(frame["places"]) for frame in of_video) for of_video in details]
    asked = [sum(map(int, sample.answer.split(","))) for sample in tried]
    assert any(a == b for a, b in zip(shown, asked, strict=True))


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_greedy_answers_are_the_likeliest_tokens_one_by_one(scenes, family):
    rng = np.random.default_rng(0)
    samples = [draw(scenes, PRESET, task, rng) for task in TASKS]
    model, tokenizer, processor = untrained(family, [one.sample for one in samples], seed=0)
    encoded = [encode(one, processor) for one in samples]
    answers = greedy_answers(model, encoded, end=tokenizer.eos_token_id, most=3)
    # The answers as labels: a forward pass over prompt and answer predicts each of its tokens.
    for row, answer in zip(encoded, answers, strict=True):
        n = row["num_prompt_tokens"]
        start = row["positions"][:, :n].max() + 1
        more = (start + torch.arange(len(answer))).expand(3, -1)
        ids = torch.cat([row["ids"][:n], torch.tensor(answer, dtype=torch.long)])
        inputs, _, _ = collate([{**row, "ids": ids, "positions": torch.cat([row["positions"][:, :n], more], dim=1)}])
        with torch.no_grad():
            logits = model(**inputs, use_cache=False).logits[0, n - 1 :]
        likeliest = logits.argmax(-1).tolist()
        assert likeliest[: len(answer)] == answer
        assert len(answer) == 3 or likeliest[len(answer)] == tokenizer.eos_token_id


def test_answer_positions_go_on_as_in_training(scenes):
    (one,) = [draw(scenes, PRESET, "temporal_jigsaw", np.random.default_rng(1))]
    _, _, processor = untrained("qwen2_5_vl", [one.sample], seed=0)
    row = encode(one, processor)
    n = row["num_prompt_tokens"]
    following = row["positions"][:, :n].max() + 1 + torch.arange(len(row["ids"]) - n)
    assert (row["positions"][:, n:] == following).all()


@pytest.fixture
def script(monkeypatch, capsys):
    """(*arguments) -> exit code, stdout and stderr; in this process, as a new one mostly imports."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_script_tells_each_condition(script, tmp_path):
    out = tmp_path / "figures.json"
    sizes = ["--steps", "2", "--batch", "4", "--scenes", "4", "--held-out", "3", "--questions", "6"]
    code, shown, _ = script("--tasks", "anomaly_grounding", *sizes, "--out", out)
    assert code == 0
    assert "| task | chance | whole | blind | single frame | shuffled frames | CPU seconds |" in shown
    (earned,) = json.loads(out.read_text()).values()
    assert list(earned) == list(CONDITIONS)
    assert all(one["chance"] == pytest.approx(0.4028, abs=1e-4) for one in earned.values())  # 8 frames, not 48
    code, _, told = script("--steps", "1", "--tasks", "none")
    assert code == 2
    assert "preset 'videossr_tiny' has no task 'none'" in told
