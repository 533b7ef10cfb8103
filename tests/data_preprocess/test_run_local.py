import multiprocessing
import resource
from multiprocessing.connection import wait

import pytest

from data_preprocess.run_local import run_isolated
from videossr_verl.errors import MachineError
from videossr_verl.video.probe_record import Failure


def run(function, kinds, folder, workers=2, timeout=60.0):
    jobs = [(kind, str(folder)) for kind in kinds]
    return {job[0]: outcome for job, outcome in run_isolated(function, jobs, workers, timeout)}


def test_a_crash_costs_only_its_job(worker_functions, tmp_path):
    outcomes = run(worker_functions.misbehave, ["one", "segfault", "two", "raise", "three"], tmp_path)
    assert outcomes["segfault"] == Failure("decoder_crashed", "the worker process was ended by SIGSEGV")
    assert outcomes["raise"] == Failure("internal_error", "KeyError: 'unexpected'")
    assert [outcomes[k] for k in ("one", "two", "three")] == ["ONE", "TWO", "THREE"]
    assert (tmp_path / "segfault").read_text() == "xx"  # tried twice
    assert not multiprocessing.active_children()


def test_a_worker_killed_from_outside_is_forgiven_once(worker_functions, tmp_path):
    assert run(worker_functions.misbehave, ["killed once"], tmp_path, workers=1) == {"killed once": "KILLED ONCE"}


def test_a_worker_killed_as_it_sends_its_result_is_forgiven_and_stops_nobody(worker_functions, tmp_path):
    kinds = ("after it", "killed as it sends")
    results = run_isolated(worker_functions.misbehave, [(kind, str(tmp_path)) for kind in kinds], 2, 60.0)
    assert next(results) == (("after it", str(tmp_path)), "AFTER IT")
    (tmp_path / "nobody reads").touch()
    assert wait([process.sentinel for process in multiprocessing.active_children()], 30.0)
    assert list(results) == [(("killed as it sends", str(tmp_path)), "KILLED AS IT SENDS")]


def test_a_verdict_needs_two_tries_and_what_the_machine_fails_at_is_tried_again(worker_functions, tmp_path):
    outcomes = run(worker_functions.misbehave, ["disk once", "other once", "bad", "one"], tmp_path)
    assert outcomes.pop("bad") == Failure("not_a_video", "as it is")
    assert outcomes == {kind: kind.upper() for kind in ("disk once", "other once", "one")}
    assert (tmp_path / "bad").read_text() == (tmp_path / "disk once").read_text() == "xx"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("disk", "Input/output error"),
        ("killed", "ended by SIGKILL"),
        ("ends", "ended with exit code 0"),
        ("memory", "Memory|ended|cannot be"),
    ],
)
def test_what_the_machine_fails_at_again_is_no_verdict_and_ends_the_run(worker_functions, tmp_path, kind, message):
    results = run_isolated(worker_functions.misbehave, [(k, str(tmp_path)) for k in (kind, "one")], 1, 60.0)
    assert next(results) == (("one", str(tmp_path)), "ONE")  # the others are done first
    with pytest.raises(MachineError, match=message):
        next(results)
    assert not multiprocessing.active_children()


def test_no_worker_can_be_started(worker_functions, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (5, hard))
    try:
        with pytest.raises(MachineError, match=r"no worker process can be started: .*Too many open files"):
            run(worker_functions.misbehave, ["one"], tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_hang_is_ended(worker_functions, tmp_path):
    outcomes = run(worker_functions.misbehave, ["hang", "one"], tmp_path, timeout=1.0)
    assert outcomes == {"hang": Failure("timeout", "not done after 1 s"), "one": "ONE"}
    assert not multiprocessing.active_children()


def test_jobs_are_taken_when_a_worker_is_free(worker_functions, tmp_path):
    taken = []

    def jobs():
        for i in range(10):
            taken.append(i)
            yield (f"job {i}", str(tmp_path))

    for done, _ in enumerate(run_isolated(worker_functions.misbehave, jobs(), 2, 60.0)):
        assert len(taken) <= done + 3
    assert len(taken) == 10


def test_abandoned_run_leaves_no_process(worker_functions, tmp_path):
    results = run_isolated(worker_functions.misbehave, [("one", str(tmp_path))] * 20, 2, 60.0)
    next(results)
    results.close()
    assert not multiprocessing.active_children()


def test_no_jobs(worker_functions, tmp_path):
    assert run(worker_functions.misbehave, [], tmp_path) == {}


def test_worker_that_cannot_start_says_so(monkeypatch, worker_functions, tmp_path):
    """As when a script calls the build without the `__main__` guard: the function is not importable there."""
    del worker_functions.misbehave.__globals__["probe_one"]
    (tmp_path / "videossr_test_workers.py").write_text("raise SystemExit(3)")
    with pytest.raises(MachineError, match="ended before it could start"):
        run(worker_functions.misbehave, ["one"], tmp_path)
