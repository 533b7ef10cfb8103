"""Recipes take any path: what Hydra reads from the overrides that they print is the path that they were given."""

import os
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

RECIPES = Path(__file__).parent.parent.parent / "recipes"
ODD = 'jürgen\'s "runs" (2) = #1, [a]{b} $HOME ${oc.env:HOME} \\ é'
SPECIAL = st.sampled_from(
    ["'", '"', "\\", "${", "}", "$", ",", "=", "#", " ", "[", "]", "(", ")", "{", "~", "@", "?", ":"]
)
TEXTS = st.lists(SPECIAL | st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=30)
@given(texts=st.lists(TEXTS.map("".join), min_size=20, max_size=40))
def test_any_text_comes_out_as_it_went_in(texts):
    script = 'source "$0"; for text in "$@"; do quoted "/$text"; printf "\\0"; done'
    finished = subprocess.run(
        ["bash", "-c", script, RECIPES / "override.sh", *texts], capture_output=True, text=True, check=True
    )
    overrides = [f"x={value}" for value in finished.stdout.split("\0")[:-1]]
    read = [OmegaConf.create({"x": o.value()}).x for o in OverridesParser.create().parse_overrides(overrides)]
    assert read == [f"/{text}" for text in texts]


@pytest.fixture
def commands(tmp_path):
    """(recipe, *arguments, **environment) -> its calls of `videossr` and `python`, as lists of arguments."""
    programs, calls = tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    for name in ("videossr", "python"):
        (programs / name).write_text(f'#!/bin/bash\nprintf "%s\\0" {name} "$@" >> "{calls}"\necho >> "{calls}"\n')
        (programs / name).chmod(0o755)

    def run(recipe, *arguments, **environment):
        path = f"{programs}:{os.environ['PATH']}"
        command = ["bash", str(RECIPES / recipe), *map(str, arguments)]
        env = os.environ | {"PATH": path} | {k: str(v) for k, v in environment.items()}
        finished = subprocess.run(command, env=env, capture_output=True, text=True, cwd=tmp_path)
        assert finished.returncode == 0, finished.stderr
        return [line.split("\0")[:-1] for line in calls.read_text().splitlines()]

    return run


def composed(command):
    """The configuration of a training command."""
    at = command.index("--config-name")
    overrides = command[at + 2 :]
    with initialize_config_module("verl.trainer.config", version_base=None):
        return compose(command[at + 1], overrides=overrides)


@pytest.mark.parametrize(
    ("recipe", "data"), [("grpo.sh", "data"), ("videossr_8b.sh", "data"), ("mvp.sh", "data"), ("grpo.sh", "own")]
)
@pytest.mark.parametrize("name", [ODD, "-dash", "a,b=c", "trailing\\"])
def test_recipes_take_any_path(recipe, data, name, commands, tmp_path):
    videos, run, model = tmp_path / name, tmp_path / "runs" / name, tmp_path / "models" / name
    built = run / "data" if data == "data" else tmp_path / "built" / name
    for folder in (videos, model, built):
        folder.mkdir(parents=True)
    (built / "train.parquet").touch()
    own = [f"data={built}"] if data == "own" else []
    given = name if name.startswith("-") else videos  # as somebody types it who is in the folder above
    *building, training = commands(recipe, given, *own, RUN=run, MODEL=model)
    for build in building:
        assert build[:3] == ["videossr", "build", str(videos)]
        assert build[build.index("--out") + 1] == str(built)
    config = composed(training)
    assert config.data.train_files == f"{built}/train.parquet"
    assert config.data.val_files == f"{built}/test.parquet"
    assert config.data.data_root == str(videos)
    assert config.actor_rollout_ref.model.path == str(model)
    assert config.trainer.default_local_dir == f"{run}/steps"


@pytest.mark.parametrize("name", [ODD, "trailing\\"])
def test_a_dry_run_prints_commands_for_a_shell(name, tmp_path):
    (tmp_path / name).mkdir()
    environment = os.environ | {"DRY_RUN": "1", "RUN": str(tmp_path / name / "run"), "LC_ALL": "C"}
    command = ["bash", str(RECIPES / "grpo.sh"), str(tmp_path / name)]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    words = subprocess.run(
        ["bash", "-c", f'print() {{ printf "%s\\0" "$@"; }}; print {printed.splitlines()[1]}'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")[:-1]
    assert composed(words).trainer.default_local_dir == f"{tmp_path / name}/run/steps"


def test_nothing_of_the_path_is_run(commands, tmp_path):
    name = "$(touch hit) `touch hit`"
    (tmp_path / name).mkdir()
    commands("grpo.sh", tmp_path / name, RUN=tmp_path / name / "run")
    assert not list(tmp_path.rglob("hit"))
