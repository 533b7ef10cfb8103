"""A task that is made by following docs/add_a_task.md alone works everywhere; nothing else is touched."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reward_fns import compute_metric, compute_score
from reward_fns.registry import ATTACKS
from videossr_verl.cli import main
from videossr_verl.evaluate.baselines import baselines
from videossr_verl.evaluate.difficulty import fits
from videossr_verl.evaluate.scores import score_rows
from videossr_verl.rows.check import check_rows
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.tasks.draw import DrawSettings
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.generated_videos import generate_videos
from videossr_verl.train.adaptive.draw_online import draw_row

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add_a_task.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^### `(\S+)`\n.*?^```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
COMMANDS = re.search(r"^## See it\n.*?```bash\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)[1].splitlines()


@pytest.fixture(scope="module")
def package(tmp_path_factory, write_dist_info):
    """The page's files, installed."""
    folder = tmp_path_factory.mktemp("package")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    write_dist_info(folder, project["name"], project["entry-points"])
    return folder


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    generate_videos(folder, 6, seed=4)
    return folder


@pytest.fixture(scope="module")
def commands(package, videos):
    """The arguments of those of the page's commands that need no model."""
    lines = [shlex.split(line.replace("/data/videos", str(videos)), comments=True) for line in COMMANDS]
    return [words[1:] for words in lines if words[0] == "videossr" and "--model" not in words]


@pytest.fixture(scope="module")
def built(package, commands):
    """The page's data set and levels, built in a process of its own, as a user does."""
    environment = {**os.environ, "PYTHONPATH": f"{package}:{ROOT}"}
    for command in commands:
        if command[0] == "build":
            run = [sys.executable, "-m", "videossr_verl.cli", *command, "--test-share", "0.4"]
            done = subprocess.run(run, cwd=package, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    return package / "data" / "upside_down"


def test_the_pages_own_tests_pass(package):
    environment = {**os.environ, "PYTHONPATH": f"{package}:{ROOT}"}
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(run, cwd=package, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "14 passed" in done.stdout


def test_the_pages_code_is_tidy(package):
    config = ["--config", str(ROOT / "pyproject.toml")]
    for how in (["check", "--extend-per-file-ignores", "tests/**:ANN"], ["format", "--check"]):
        run = [sys.executable, "-m", "ruff", *how, *config, "."]
        done = subprocess.run(run, cwd=package, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_rows_rewards_and_baselines(package, built, install):
    install(package)
    rows = read_rows(built / "train.parquet") + read_rows(built / "test.parquet")
    check_rows(enumerate(rows), str)
    for row in rows:
        asked = (row["data_source"], row["reward_model"]["ground_truth"])
        assert compute_score(*asked, asked[1], row["extra_info"])["score"] == 1
        assert compute_metric(*asked, asked[1], row["extra_info"]) == (1, True)
    (task,) = json.loads((built / "dataset.json").read_text())["tasks"].values()
    assert task["chance"] == 0.5
    train = read_rows(built / "train.parquet")
    blind = {name: score_rows(train, answers)[0].metric for name, answers in baselines(train).items()}
    assert set(blind) == {"uniform guess", "best constant"}
    assert blind["best constant"] >= 0.5
    (fit,) = fits(train, {row["extra_info"]["index"]: ["upright", "turned"] for row in train})
    assert (fit.reward, fit.chance, fit.variance, fit.useless) == (0.5, 0.5, 0.25, 0)


def test_the_pages_commands(package, built, commands, install, monkeypatch, capsys):
    install(package)
    monkeypatch.chdir(package)
    for command in commands:
        if command[0] != "build":
            assert main(command) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert (package / "upside_down.png").stat().st_size > 10_000
    assert all(rule in shown for rule in ("blind constant", "light above", "detail below", "motion below"))
    assert "preset upside_down.yaml" in shown
    assert "| upside_down | " in shown.split("best rule without learning |", 1)[1]  # of `videossr controls`


def test_without_rules_all_but_the_attack_works(package, built, install, write_dist_info, tmp_path, capsys):
    """The third module is optional."""
    shutil.copytree(package / "upside_down", tmp_path / "upside_down")
    groups = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]
    write_dist_info(tmp_path, "upside-down", {group: own for group, own in groups.items() if group != ATTACKS})
    install(tmp_path)
    assert main(["attack", str(built)]) == 2
    assert "no rules are installed for task 'upside_down'" in capsys.readouterr().err
    assert main(["controls", str(built)]) == 0
    assert "| none is installed |" in capsys.readouterr().out
    assert main(["inspect", str(built), "--out", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_levels_are_drawn_while_a_run_trains(package, built, videos, install):
    install(package)
    preset = load_preset(str(package / "levels.yaml"))
    (stored, *_) = read_rows(built / "train.parquet")
    for number, (level, subset) in enumerate(preset.subsets.items()):
        settings = DrawSettings(seed=1, subsets=preset.subsets, embeddings={})
        row = draw_row(stored, None, level, preset.name, settings, str(videos), number)
        assert row["data_source"] == f"videossr/upside_down/{level}"
        assert len(row["videos"][0]["times"]) == subset.clip.num_frames
        assert row["reward_model"]["ground_truth"] in ("upright", "turned")
