"""The examples run as their comments say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
