"""A worker that dies is found and named, a busy one is left alone, and a trainer that waits for it is ended."""

import subprocess
import sys
import threading
import time

import pytest
import ray

from videossr_verl.patches.survival import dead_workers
from videossr_verl.patches.survival.dead_workers import first_death, named_actors


@pytest.fixture(scope="module", autouse=True)
def _ray():
    ray.shutdown()
    ray.init(num_cpus=1, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr(dead_workers, "PERIOD", 0.05)


@pytest.fixture
def worker():
    """(name) -> an actor that has started."""

    class Worker:  # in here, so that Ray sends it whole: its processes cannot import tests
        def work(self, seconds):
            time.sleep(seconds)

    def start(name):
        actor = ray.remote(num_cpus=0)(Worker).options(name=name).remote()
        ray.get(actor.__ray_ready__.remote())
        return actor

    return start


def test_the_dead_one_is_named_with_its_cause(worker):
    workers = [worker(f"agent_loop_worker_{i}") for i in range(3)]
    actors = named_actors()
    assert set(actors) == {f"agent_loop_worker_{i}" for i in range(3)}
    ray.kill(workers[1])
    died = first_death(actors, threading.Event())
    assert died.startswith("agent_loop_worker_1 died: ")
    assert "ray.kill" in died


def test_a_busy_worker_is_not_dead(worker):
    busy = worker("busy")
    busy.work.remote(60)
    done = threading.Event()
    threading.Timer(1, done.set).start()
    assert first_death({"busy": busy}, done) is None


def test_one_that_nobody_needs_any_more_is_not_dead(worker):
    gone, alive = worker("gone"), worker("alive")
    actors = named_actors()
    del gone
    done = threading.Event()
    threading.Timer(2, done.set).start()
    assert first_death(actors, done) is None
    with pytest.raises(ray.exceptions.ActorDiedError, match=dead_workers.UNUSED):
        ray.get(actors["gone"].__ray_ready__.remote())
    ray.kill(alive)


WAITS = {"in Python": "while True: time.sleep(0.01)", "outside": "threading.Event().wait()"}


@pytest.mark.parametrize("where", WAITS)
def test_a_trainer_that_waits_for_ever_is_ended(tmp_path, where):
    """In a process of its own, which must end with code 1 and the reason."""
    script = tmp_path / "waits.py"
    script.write_text(
        "import threading, time, ray\n"
        "from videossr_verl.patches.survival import dead_workers\n"
        "dead_workers.PERIOD, dead_workers.GRACE = 0.05, 0.2\n"
        "ray.init(num_cpus=1, log_to_driver=False)\n"
        "actor = ray.remote(num_cpus=0)(type('Worker', (), {})).options(name='worker').remote()\n"
        "ray.get(actor.__ray_ready__.remote())\n"
        "def fit(self, manager):\n"
        "    ray.kill(actor)\n"
        f"    {WAITS[where]}\n"
        "dead_workers.wrap_fit(fit)(None, None)\n"
    )
    finished = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 1
    assert "DeadWorkerError: worker died: " in finished.stderr
    assert "the same command goes on from the last whole checkpoint" in finished.stderr
    if where == "in Python":
        assert "DeadWorkerError: worker died: " in finished.stderr[finished.stderr.index("Traceback") :]


def test_the_dead_worker_is_the_reason_of_what_it_caused(worker):
    gone = worker("gone")

    def fit(self, manager):
        ray.kill(gone)
        raise RuntimeError("Connection closed by peer")

    with pytest.raises(dead_workers.DeadWorkerError, match=r"^gone died: ") as raised:
        dead_workers.wrap_fit(fit)(None, None)
    assert str(raised.value.__cause__) == "Connection closed by peer"


def test_any_other_error_stays_as_it_is(worker, monkeypatch):
    monkeypatch.setattr(dead_workers, "NOTICE", 0.5)
    alive = worker("alive")

    def fit(self, manager):
        raise KeyError("x")

    with pytest.raises(KeyError):
        dead_workers.wrap_fit(fit)(None, None)
    ray.kill(alive)


def test_a_run_that_ends_by_itself_is_not_touched():
    ended = []
    dead_workers.wrap_fit(lambda self, manager: ended.append(manager))(None, "manager")
    assert ended == ["manager"]
    assert not [thread for thread in threading.enumerate() if thread.name == "dead workers" and thread.join(5)]
