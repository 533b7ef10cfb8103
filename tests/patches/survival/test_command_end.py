"""verl's command joins what it is told to, and ends with the code and the sentence of what happened."""

import subprocess
import sys

import pytest


def test_the_command_is_the_one_that_is_changed():
    """Any other command of Hydra's stays as it is."""
    code = (
        "import verl, hydra\n"
        "from videossr_verl.patches.survival import command_end\n"
        "import verl.trainer.main_ppo as changed\n"
        "def other(config): pass\n"
        "print('changed' if 'run' in changed.main.__wrapped__.__code__.co_names or "
        "changed.main.__wrapped__.__code__.co_filename.endswith('command_end.py') else 'stock')\n"
        "print(hydra.main(None, 'x', version_base=None)(other).__wrapped__ is other)\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout.splitlines()[-2:] == ["changed", "True"], finished.stderr


def test_a_cluster_with_too_few_cpus_is_refused():
    """verl would wait for it without end, and without a word."""
    code = (
        "import functools, ray\n"
        "from videossr_verl.endings import end_well\n"
        "from videossr_verl.patches.survival.command_end import _wrap_init\n"
        "from videossr_verl.preflight.memory.run_settings import compose_config\n"
        "init = functools.partial(_wrap_init, compose_config('videossr_grpo_cpu', []))(ray.init)\n"
        "raise SystemExit(end_well(lambda: init(num_cpus=5, num_gpus=1, include_dashboard=False)))\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1] == (
        "videossr: the run would wait for ever: it reserves 6 CPUs (3 for each of 1 GPUs, 1 for storage units, 2 more),"
        " and Ray has 5 on 1 nodes: give its nodes more CPUs"
    )


FAILURES = {
    "raise __import__('videossr_verl.errors').errors.BadInput('no rows')": (2, "videossr: no rows"),
    "raise __import__('videossr_verl.errors').errors.MachineError('no room')": (1, "videossr: no room"),
    "raise OSError(28, 'No space left on device', '/x/y')": (
        1,
        "videossr: '/x/y': No space left on device; mend that, ",
    ),
    "import os; os._exit(1)": (1, "videossr: a process of the run died (ActorDiedError: "),
    "raise KeyError('ours')": (1, ""),
}


@pytest.fixture(scope="module")
def ends():
    """{failure: code and last line}, all in one Ray, each raised in an actor."""
    code = (
        "import ray, sys, traceback\n"
        "from types import SimpleNamespace\n"
        "from videossr_verl.patches.survival.command_end import _run\n"
        "from videossr_verl.endings import end_well\n"
        "ray.init(num_cpus=1, log_to_driver=False, address='local')\n"
        "class Runner:\n"
        "    def run(self, failure): exec(failure)\n"
        "for failure in sys.argv[1:]:\n"
        "    runner = ray.remote(num_cpus=0)(Runner).remote()\n"
        "    try: code = end_well(lambda: _run(lambda config: ray.get(runner.run.remote(failure)), None))\n"
        "    except Exception as error: code = type(error).__name__\n"
        "    print('END', code, file=sys.stderr)\n"
    )
    finished = subprocess.run([sys.executable, "-c", code, *FAILURES], capture_output=True, text=True, timeout=300)
    parts = finished.stderr.split("\nEND ")
    codes = [part.split("\n", 1)[0] for part in parts[1:]]
    return {failure: (codes[i], parts[i].splitlines()[-1]) for i, failure in enumerate(FAILURES)}


@pytest.mark.parametrize("failure", FAILURES)
def test_what_happened_in_an_actor_is_the_commands_end(failure, ends):
    code, last = ends[failure]
    wanted, sentence = FAILURES[failure]
    if sentence:
        assert code == str(wanted)
        assert last.startswith(sentence)
    else:  # a bug keeps its traceback, which Hydra shows
        assert code == "RayTaskError(KeyError)"
