"""The table names what is there: in the libraries, in this package and among the tests; its page is as it says."""

import importlib.util
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import verl  # noqa: F401  (loads the plugin)

from videossr_verl import patches, vllm_plugin
from videossr_verl.patches.install import load
from videossr_verl.patches.table import PATCHES
from videossr_verl.patches.upstream_page import PURPOSES, page

ROOT = Path(__file__).parent.parent.parent
ON_CPU = pytest.mark.skipif(os.environ.get("VERL_PLATFORM") != "cpu", reason="needs VERL_PLATFORM=cpu")
PLACES = [
    pytest.param(place, id=place.by, marks=ON_CPU if patch.purpose == "cpu" else ())
    for patch in PATCHES
    for place in patch.places
]
# What patches need besides: no entries of their own.
HELPERS = {"survival": {"causes", "changed_settings", "fingerprint", "open_groups", "shared_memory"}}


def _target(place):
    owner = importlib.import_module(place.module)
    *owners, name = place.name.split(".")
    for part in owners:
        owner = getattr(owner, part)
    return getattr(getattr(owner, "__ray_actor_class__", owner), name)


def _layers(function):
    while hasattr(function, "stock"):
        yield function.wrapped_by
        function = function.stock


@pytest.mark.parametrize("place", PLACES)
def test_what_it_changes_is_in_the_library_and_is_changed(place):
    vllm_plugin.register()
    if place.how in ("environment", "at once"):
        source = importlib.util.find_spec(place.module).origin
        assert place.name in Path(source).read_text(encoding="utf-8")
        return
    target = _target(place)
    if place.how == "wrap":
        assert list(_layers(target)).count(load(place)) == 1


def test_patches_of_one_function_lie_around_one_another_in_the_order_of_the_table():
    from verl.trainer.ppo.v1.trainer_base import PPOTrainer

    rooms = [wrap.__module__.rpartition(".")[2] for wrap in _layers(PPOTrainer.fit)]
    assert rooms == ["one_training", "dead_workers", "lost_groups"]
    rooms = [wrap.__module__.rpartition(".")[2] for wrap in _layers(PPOTrainer._init_dataloader)]
    assert rooms == ["resume", "unscored_rows"]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.places[0].by)
def test_its_test_is_there(patch):
    assert (ROOT / patch.test).is_file()


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_repair_of_a_room_is_in_the_table(purpose):
    room = importlib.import_module(f"{patches.__name__}.{purpose}")
    there = {module.name for module in pkgutil.iter_modules(room.__path__)} - HELPERS.get(purpose, set())
    named = {place.by.partition(":")[0] for patch in PATCHES if patch.purpose == purpose for place in patch.places}
    inside = {name.removeprefix(f"{room.__name__}.") for name in named if name.startswith(f"{room.__name__}.")}
    assert there == {name.partition(".")[0] for name in inside}  # a repair is a module, or a folder of them


def test_the_page_is_what_the_command_prints():
    assert (ROOT / "docs" / "upstream.md").read_text(encoding="utf-8") == page(), (
        "run: python -m videossr_verl.patches.upstream_page > docs/upstream.md"
    )


def test_the_table_and_its_installer_import_nothing_heavy():
    code = (
        "import sys; before = set(sys.modules); import videossr_verl.patches.install; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in done.stdout.split()}
    assert packages - sys.stdlib_module_names == {"videossr_verl"}
