"""Installed packages that add a task badly: one sentence each, which names the package's module and the remedy."""

import sys

import pytest

import reward_fns
from reward_fns import compute_score
from reward_fns.registry import REWARDS, RegistryError, load
from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.attacks.answer_rows import rules_of
from videossr_verl.tasks import get_task, task_names
from videossr_verl.tasks.presets import load_preset

REWARD = """
def score(text, truth, knobs): return 1.0, 1.0, 1.0
def chance(knobs): return 0.5
exact_chance = chance
def metric(text, truth, knobs): return 1.0, 1.0
GUESSES = {}
"""
IN_PARTS = "def score_in_parts(*row): return *score(*row), {'first': 0.5}\n"
TASK = "NAME, Difficulty, PRESETS, draw, render = 'bad', dict, {}, 1, 2\n"


@pytest.fixture
def package(install, write_dist_info, tmp_path, monkeypatch):
    """(code, *groups) -> a package is installed whose one module has this code and is the task `bad` in the groups."""

    def add(code, *groups, name="bad"):
        (tmp_path / f"{name}.py").write_text(code)
        write_dist_info(tmp_path, name, {f"videossr_verl.{group}": {"bad": name} for group in groups})
        monkeypatch.delitem(sys.modules, name, raising=False)
        install(tmp_path)

    return add


@pytest.fixture
def preset(tmp_path):
    """A preset of the task `bad`."""
    (tmp_path / "mine.yaml").write_text("tasks: {bad: {}}\n")
    return str(tmp_path / "mine.yaml")


@pytest.mark.parametrize("missing", ["score", "chance", "exact_chance", "metric", "GUESSES"])
def test_a_reward_that_is_not_whole(package, missing):
    package(f"{REWARD}del {missing}\n", "rewards")
    with pytest.raises(RegistryError, match=f"rewards 'bad': module 'bad' has no `{missing}`, see docs/add_a_task"):
        compute_score("videossr/bad", "x", "x")


@pytest.mark.parametrize("missing", ["NAME", "Difficulty", "PRESETS", "draw", "render"])
def test_a_task_that_is_not_whole(package, missing):
    package(f"{TASK}del {missing}\n", "tasks")
    assert "bad" in task_names()
    with pytest.raises(RegistryError, match=f"tasks 'bad': module 'bad' has no `{missing}`, see docs/add_a_task"):
        get_task("bad")


def test_a_task_of_another_name(package):
    package(f"{TASK}NAME = 'good'\n", "tasks")
    with pytest.raises(RegistryError, match="'bad' loads a task called 'good': name both alike"):
        get_task("bad")


def test_rules_that_are_none(package):
    package("", "attacks")
    with pytest.raises(RegistryError, match="attacks 'bad': module 'bad' has no `RULES`"):
        rules_of("bad")
    assert rules_of("nothing") is None


def test_a_task_without_a_reward_is_told_before_anything_is_drawn(package, preset):
    package(TASK, "tasks")
    with pytest.raises(BadInput, match=r"mine\.yaml', task 'bad': unknown task .* videossr_verl\.rewards; known: anom"):
        load_preset(preset)


def test_a_module_that_does_not_load(package):
    package("import nothing_of_this_name", "rewards")
    message = r"'bad' = 'bad' does not load \(ModuleNotFoundError: .* 'nothing_of_this_name'\): mend or uninstall"
    with pytest.raises(RegistryError, match=message):
        load(REWARDS, "bad")
    with pytest.raises(RegistryError, match=message):  # its parts are keys of every row
        compute_score("videossr/object_counting", "3,1,4", "3,1,4")


def test_two_packages_of_one_name(package):
    package(REWARD, "rewards", name="one")
    package(REWARD, "rewards", name="other")
    with pytest.raises(RegistryError, match=r"two packages give videossr_verl\.rewards 'bad', 'o.*' and 'o.*': uninst"):
        compute_score("videossr/bad", "x", "x")


def test_the_keys_are_the_parts_of_all_installed_rewards(package):
    package(f"{REWARD}{IN_PARTS}PARTS = ('first', 'order')\n", "rewards")
    mixed = [compute_score("videossr/bad", "x", "x"), compute_score("videossr/object_counting", "3,1,4", "3,1,4")]
    mixed += [reward_fns.other_result("my_qa", 1)]
    assert [list(result) for result in mixed] == [list(mixed[0])] * 3
    assert [(r["first"], r["selection"], r["order"]) for r in mixed] == [(0.5, None, None), *[(None, None, None)] * 2]


def test_a_part_that_is_not_listed(package):
    package(REWARD + IN_PARTS, "rewards")
    with pytest.raises(RegistryError, match="'bad' tells 'first', which is not in its PARTS"):
        compute_score("videossr/bad", "x", "x")


def test_a_command_ends_with_the_sentence(package, preset, capsys, dataset_folder, tmp_path):
    """Whatever it asks the registry for: here the rewards' parts, and a preset's task."""
    package("1 / 0", "tasks", "rewards")
    build = ["build", str(dataset_folder), "--out", str(tmp_path / "out"), "--preset", preset]
    for command in (["attack", str(dataset_folder), "--limit", "1"], build):
        assert main(command) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("videossr: ")]
        assert "does not load (ZeroDivisionError: division by zero): mend or uninstall its package" in line
