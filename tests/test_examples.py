"""The examples run as their comments say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from videossr_verl.evaluate.controls import SubsetControls, as_data
from videossr_verl.evaluate.scores import SubsetScore
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.controlled import CONDITIONS

EXAMPLES = Path(__file__).parent.parent / "examples"


def make(name, *arguments):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", str(EXAMPLES / name / "make.sh"), *map(str, arguments)]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["contact_sheet", "masked_video_prediction", "deduplication"])
def test_the_readmes_pictures_are_drawn(name, tmp_path):
    said = make(name, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 50_000
    if name == "deduplication":  # the figure in docs/data.md
        assert (tmp_path / "pairs.png").stat().st_size > 50_000
        assert "80 pairs, 43 of them different" in said
        assert re.search(r"^0\.95 +0\.75 ", said, re.MULTILINE)


@pytest.mark.parametrize("task", ["arrow_of_time", "motion_primitives", "snippet_localisation", "spatial_jigsaw"])
def test_the_pictures_of_the_tasks_pages_are_drawn(task, tmp_path):
    make("tasks", task, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 50_000
    assert f"examples/tasks/{task}.png" in (EXAMPLES.parent / "docs" / "tasks" / f"{task}.md").read_text()


def test_the_table_of_all_tasks(tmp_path):
    """Of files as `videossr controls` and recipes/tiny/controls.py write them."""

    def score(reward):
        others = {"low": 0.0, "high": 1.0, "metric": 0.0, "exact": 0.0, "read": 1.0, "questions": 9, "missing": 0}
        return SubsetScore("motion_order", reward, chance=0.33, **others)

    for name, reward in (("full", 0.58), ("motion_primitives_tiny", 0.91)):
        found = [SubsetControls("motion_order", score(0.4), "largest jump", score(reward))]
        (tmp_path / name / "rules").mkdir(parents=True)
        (tmp_path / name / "rules" / "controls.json").write_text(json.dumps(as_data(found, None)))
    earned = {kind: {"reward": 0.1 * i} for i, kind in enumerate(CONDITIONS)}
    (tmp_path / "motion_primitives_tiny" / "learners.json").write_text(json.dumps({"motion_order": earned}))
    command = [sys.executable, str(EXAMPLES / "evidence" / "table.py"), str(tmp_path), "motion_primitives_tiny"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len({line.count("|") for line in said}) == 1
    assert said[2] == "| motion order | 0.33 | 0.58, largest jump | 0.33 | 0.91 | 0.00 | 0.10 | 0.20 | 0.30 |"


def test_the_settings_of_the_table_are_those_of_the_shipped_presets():
    """But for masked video prediction's rate, as the videos of the table are short."""
    settings = load_preset(str(EXAMPLES / "evidence" / "presets.yaml")).subsets
    shipped = {
        name: subset
        for preset in ("videossr_mvp", "arrow_of_time", "snippet_localisation", "motion_primitives", "spatial_jigsaw")
        for name, subset in load_preset(preset).subsets.items()
    }
    for name, subset in settings.items():
        assert subset.difficulty == shipped[name].difficulty
        if name not in ("masked_video_prediction", "arrow_of_time"):
            assert subset.clip == shipped[name].clip


def test_the_comparison_of_fixed_and_adaptive_difficulty(tmp_path):
    """Reads verl's dumps: with the fixed preset one group of two is useful, with levels both are."""
    for arm, second in (("fixed", [0.5, 0.5]), ("adaptive", [0.5, 1.0])):
        folder = tmp_path / arm / "qwen2_5_vl-seed1"
        (folder / "rollouts").mkdir(parents=True)
        for step in range(1, 9):
            rollouts = [("a", 0.0), ("a", 1.0), *(("b", score) for score in second)]
            lines = [{"uid": f"{group}_{i}_0", "score": score} for i, (group, score) in enumerate(rollouts)]
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (folder / "rollouts" / f"{step}.jsonl").write_text(text)
    rates = {"temporal_jigsaw": {"jigsaw": {"share": 0.4}, "jigsaw_4_clips": {"share": 0.6}}}
    (tmp_path / "adaptive" / "qwen2_5_vl-seed1" / "steps").mkdir()
    log = tmp_path / "adaptive" / "qwen2_5_vl-seed1" / "steps" / "difficulty.jsonl"
    log.write_text(8 * (json.dumps({"rates": rates}) + "\n"))
    command = [sys.executable, str(EXAMPLES / "adaptive_difficulty" / "compare.py"), str(tmp_path), "picture.png"]
    said = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "| fixed | 0.500 | 0.500 | 0.500 |" in said
    assert "| adaptive | 1.000 | 1.000 | 1.000 |" in said
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
