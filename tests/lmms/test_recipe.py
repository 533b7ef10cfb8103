"""recipes/benchmarks.sh, whole, with the tiny model as base and as trained checkpoint."""

import os
import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).parent.parent.parent / "recipes" / "benchmarks.sh"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """(*arguments, **environment) -> the finished process."""
    home = tmp_path_factory.mktemp("hf")

    def run(*arguments, **environment):
        env = os.environ | {"DEVICE": "cpu", "HF_HOME": str(home), "VLLM_CPU_KVCACHE_SPACE": "1"}
        command = ["bash", str(RECIPE), *map(str, arguments)]
        return subprocess.run(command, env=env | environment, capture_output=True, text=True, timeout=600)

    return run


@pytest.fixture(scope="module")
def run(recipe, viubench, tiny_model, tmp_path_factory):
    """VIUBench, and a task that cannot run because its data are not there."""
    out = tmp_path_factory.mktemp("a run")
    models = (f"base={tiny_model}", f"trained={tiny_model}")
    settings = {"VIUBENCH": str(viubench), "TASKS": "viubench tacos_test", "VIDEO_BENCHMARKS": str(out)}
    return out, models, settings, recipe(out / "results", *models, **settings)


def test_the_table_stands_beside_the_published_scores(run):
    out, _, _, finished = run
    assert (
        "| benchmark | Qwen3-VL-8B (published) | VideoSSR-8B (published) | base | trained | questions |"
        in finished.stdout
    )
    (line,) = [x for x in finished.stdout.splitlines() if x.startswith("| VIUBench |")]
    _, base, trained, own, other, questions, failed = [cell.strip() for cell in line.strip("|").split("|")]
    assert (base, trained, questions, failed) == ("19.5", "51.9", "18", "0")
    assert own == other
    assert (out / "results" / "benchmarks.md").read_text() in finished.stdout
    assert (out / "results" / "failed.jsonl").read_text() == ""


def test_what_did_not_finish_is_told_with_its_reason(run):
    out, _, _, finished = run
    assert finished.returncode == 1
    assert f"'{out}/tacos' is not there: put the annotations and videos of tacos into it" in finished.stderr
    assert "not finished: base/tacos_test trained/tacos_test; the same command goes on" in finished.stderr
    assert "Not finished: base/tacos_test, trained/tacos_test" in finished.stdout


def test_a_second_run_runs_only_what_is_left(run, recipe):
    out, models, settings, _ = run
    again = recipe(out / "results", *models, **settings | {"TASKS": "viubench"})
    assert again.returncode == 0
    assert "== base: viubench" not in again.stdout
    assert "| VIUBench |" in again.stdout


def test_results_at_another_number_of_frames_are_not_taken_for_these(run, recipe):
    out, models, settings, _ = run
    again = recipe(out / "results", *models, **settings | {"FRAMES": "32"})
    assert again.returncode == 2
    assert "frames=48 prompts=paper, not of" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out"], "give OUT and at least one NAME=MODEL"),
        (["out", "Qwen/Qwen3-VL-8B-Instruct"], "'Qwen/Qwen3-VL-8B-Instruct' must be NAME=MODEL"),
        (["out", "a b=model"], "'a b=model' must be NAME=MODEL"),
    ],
)
def test_wrong_arguments(recipe, arguments, message):
    finished = recipe(*arguments)
    assert finished.returncode == 2
    assert message in finished.stderr


def test_wrong_frames(recipe):
    assert recipe("out", "a=b", FRAMES="many").stderr == "benchmarks: FRAMES='many' must be a number\n"
