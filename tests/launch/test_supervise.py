"""recipes/launch/supervise.sh with real commands: what is started again, how often, and what stops it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

SUPERVISE = Path(__file__).parent.parent.parent / "recipes" / "launch" / "supervise.sh"
# One more line in RUN/starts at each start; $count is their number.
COUNT = "echo start >> $RUN/starts; count=$(wc -l < $RUN/starts); "
SAVE = "mkdir -p $RUN/steps; echo $count > $RUN/steps/latest_checkpointed_iteration.txt; "


@pytest.fixture
def supervise(launch, tmp_path):
    """(Bash text, **variables) -> the finished process."""

    def run(text, **variables):
        variables = {"RUN": tmp_path, "RESTART_PAUSE": 0, "MAX_RESTARTS": 2} | variables
        return launch("supervise.sh", "bash", "-c", COUNT + text, **variables)

    return run


@pytest.fixture
def starts(tmp_path):
    """() -> how often the command was started."""
    return lambda: len((tmp_path / "starts").read_text().splitlines())


def lines(finished):
    return [line for line in finished.stdout.splitlines() if line.startswith("supervise: ")]


def test_a_command_that_succeeds_runs_once(supervise, starts):
    finished = supervise("echo hello; echo oops >&2")
    assert finished.returncode == 0
    assert finished.stdout.splitlines()[:2] == ["hello", "oops"]
    assert "finished after 0 restarts" in lines(finished)[0]
    assert starts() == 1


def test_failures_without_progress_are_bounded(supervise, starts, tmp_path):
    finished = supervise("echo 'RuntimeError: no memory'; echo more; exit 7")
    assert finished.returncode == 7
    assert starts() == 3
    first, second, last = lines(finished)
    assert "exit code 7, last checkpoint: none: RuntimeError: no memory; restart 1 of 2 in 0 s" in first
    assert "restart 2 of 2" in second
    assert "given up, exit code 7, 2 restarts without a new checkpoint: RuntimeError: no memory" in last
    assert f"log: {tmp_path}/logs/003.log; the same command goes on from there" in last
    assert [path.name for path in sorted((tmp_path / "logs").iterdir())] == ["001.log", "002.log", "003.log"]


def test_progress_begins_the_count_anew(supervise, starts):
    """Checkpoints at the first four starts, none after: 4 starts with progress, and 2 restarts more."""
    finished = supervise(f"[ $count -gt 4 ] || {{ {SAVE} }}; exit 1")
    assert starts() == 6
    assert [line.split("restart ")[1][:6] for line in lines(finished)[:-1]] == ["1 of 2"] * 4 + ["2 of 2"]
    assert "last checkpoint: 4" in lines(finished)[-1]


def test_a_restart_that_succeeds(supervise, starts):
    finished = supervise(f"{SAVE} [ $count = 2 ]")
    assert finished.returncode == 0
    assert starts() == 2
    assert "finished after 1 restarts; last checkpoint: 2" in lines(finished)[-1]


def test_pauses_grow(supervise):
    finished = supervise("exit 1", RESTART_PAUSE=1)
    assert [line.split(" in ")[1] for line in lines(finished)[:-1]] == ["1 s", "2 s"]


def test_a_killed_command_is_started_again(supervise, starts):
    finished = supervise("[ $count = 2 ] || kill -KILL $$")
    assert finished.returncode == 0
    assert "killed by SIGKILL" in lines(finished)[0]
    assert starts() == 2


def test_what_a_killed_command_leaves_behind_is_killed(supervise, tmp_path):
    """Even what has a process group of its own, as a driver that starts Ray by itself."""
    text = "set -m; sleep 1000 & echo $! >> $RUN/left; [ $count = 2 ] || kill -KILL $$; exit 0"
    assert supervise(text).returncode == 0
    left = (tmp_path / "left").read_text().split()
    assert len(left) == 2
    assert not [pid for pid in left if _alive(int(pid))]


@pytest.mark.parametrize(
    "text",
    [
        "echo \"videossr: 'x' is not a folder\" >&2; exit 2",
        # The end of verl's output when a task of Ray raises BadInput (its exit code is 1).
        "echo 'ray.exceptions.RayTaskError(BadInput): ray::TaskRunnerV1.run() (pid=1, ip=10.0.0.1)';"
        "echo 'videossr_verl.errors.BadInput: x is not a folder'; echo; echo 'Set HYDRA_FULL_ERROR=1'; exit 1",
        # Checkpoints come with it, and a new run would count the losses from none.
        f"{SAVE} echo 'ray.exceptions.RayTaskError(TooManyLostGroupsError): ray::TaskRunnerV1.run()';"
        "echo 'videossr_verl.patches.survival.lost_groups.TooManyLostGroupsError: 3 were lost: x is not a folder';"
        " exit 1",
    ],
)
def test_wrong_input_is_not_tried_again(supervise, starts, text):
    finished = supervise(text)
    assert finished.returncode == 2
    assert starts() == 1
    assert "wrong input, not started again" in lines(finished)[0]
    assert "is not a folder" in lines(finished)[0]


def test_a_bad_input_that_a_task_only_told_of_does_not_stop_restarts(supervise, starts):
    coloured = r"printf '\e[36m(AgentLoop pid=12, ip=10.0.0.2)\e[0m videossr_verl.errors.BadInput: odd row\n'; "
    finished = supervise(coloured + "echo 'ray.exceptions.ActorDiedError: gone'; exit 1")
    assert starts() == 3
    assert "ray.exceptions.ActorDiedError: gone" in lines(finished)[-1]


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _started(environment, tmp_path, text, **variables):
    variables = {"RUN": tmp_path, "RESTART_PAUSE": 0} | variables
    command = ["bash", str(SUPERVISE), "bash", "-c", COUNT + text]
    # Where these tests run in the background SIGINT is ignored, and a shell cannot trap what it was told to ignore.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, env=environment(**variables), stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_all_processes_and_ends_it(environment, until, starts, tmp_path, number):
    text = "trap 'echo told > $RUN/told; exit 1' TERM; sleep 1000 & echo $! > $RUN/pid; wait"
    process = _started(environment, tmp_path, text)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    pid = int((tmp_path / "pid").read_text())
    os.kill(process.pid, number)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in said
    assert (tmp_path / "told").exists()
    assert starts() == 1
    assert not _alive(pid)


def test_a_signal_in_the_pause_ends_it(environment, until, starts, tmp_path):
    process = _started(environment, tmp_path, "exit 1", RESTART_PAUSE=1000)
    assert "restart 1 of 3 in 1000 s" in process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "stopped by SIGTERM before the restart" in said
    assert starts() == 1


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "RUN is not set"),
        ({"RUN": "/tmp/x", "MAX_RESTARTS": "many"}, "MAX_RESTARTS='many' is not a number"),
        ({"RUN": "/tmp/x", "RESTART_PAUSE": "-1"}, "RESTART_PAUSE='-1' is not a number"),
    ],
)
def test_wrong_settings(launch, variables, message):
    finished = launch("supervise.sh", "true", **variables)
    assert finished.returncode == 2
    assert message in finished.stderr
