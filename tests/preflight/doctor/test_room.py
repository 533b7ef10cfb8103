"""Free memory in and out of containers, and disks."""

import importlib
import resource
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from videossr_verl.preflight.doctor import room
from videossr_verl.preflight.doctor.findings import failure
from videossr_verl.preflight.doctor.free_memory import free_memory
from videossr_verl.preflight.doctor.room import GIB, check_room


def _group(folder, version, limit, used, idle):
    names = {
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("memory.max", "memory.current", "inactive_file"),
    }
    most, held, given_back = names[version]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / most).write_text(f"{limit}\n")
    (folder / held).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{given_back} {idle}\n")


@pytest.fixture
def own(tmp_path):
    """(text) -> a file such as /proc/self/cgroup."""

    def write(text):
        (tmp_path / "own").write_text(text)
        return tmp_path / "own"

    return write


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    """100 GiB are free on the machine."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100 * GIB))


@pytest.mark.parametrize(
    ("version", "mount", "line"),
    [(2, "", "0::/"), (1, "memory", "3:cpu,cpuacct:/\n4:memory:/docker/0123\n0::/")],
    ids=["v2, as a container sees itself", "v1, a container that sees the machine's name of its group"],
)
def test_the_limit_of_a_container_counts(tmp_path, own, version, mount, line):
    _group(tmp_path / mount, version, 16 * GIB, 10 * GIB, 4 * GIB)
    assert free_memory(tmp_path, own(line)) == 10 * GIB
    _group(tmp_path / mount, version, 500 * GIB, 10 * GIB, 4 * GIB)
    assert free_memory(tmp_path, own(line)) == 100 * GIB
    _group(tmp_path / mount, version, 10 * GIB, 11 * GIB, 0)
    assert free_memory(tmp_path, own(line)) == 0


def test_the_tightest_group_counts(tmp_path, own):
    """As under Slurm: a job's group above a step's."""
    _group(tmp_path / "job/step", 2, "max", 1 * GIB, 0)
    _group(tmp_path / "job", 2, 8 * GIB, 2 * GIB, 1 * GIB)
    _group(tmp_path / "other", 2, 1 * GIB, 1 * GIB, 0)
    assert free_memory(tmp_path, own("0::/job/step")) == 7 * GIB


def test_without_groups_the_machine_counts(tmp_path, own):
    assert free_memory(tmp_path, tmp_path / "nothing") == 100 * GIB
    assert free_memory(tmp_path, own("0::/")) == 100 * GIB
    _group(tmp_path / "memory", 1, 9223372036854771712, 10 * GIB, 0)  # how v1 says "no limit"
    assert free_memory(tmp_path, own("4:memory:/")) == 100 * GIB


def _found(run=None):
    return {finding.check: finding for finding in check_room(run)}


def test_too_little_is_a_warning(monkeypatch, tmp_path):
    disk = f"disk at {tmp_path}"

    def levels(ram, elsewhere):
        monkeypatch.setattr(room, "free_memory", lambda: int(ram * GIB))
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=int(elsewhere * GIB)))
        found = _found()
        assert all(bool(finding.remedy) == (finding.level == "warning") for finding in found.values())
        return [(found[check].level, found[check].found) for check in ("free RAM", "/dev/shm", disk)]

    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert levels(32, 50) == [("ok", "32.0 GiB"), ("ok", "50.0 GiB"), ("ok", "50.0 GiB")]
    assert levels(31.5, 8) == [
        ("warning", "31.5 GiB, less than 32"),
        ("ok", "8.0 GiB"),
        ("warning", "8.0 GiB, less than 50"),
    ]
    assert levels(32, 7.5)[1] == ("warning", "7.5 GiB, less than 8")


def test_the_disks_of_ray_and_of_the_run(monkeypatch, tmp_path):
    asked = []

    def usage(folder):
        asked.append(folder)
        return SimpleNamespace(free=60 * GIB)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert not [check for check in _found() if str(tmp_path) in check]
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "spill"))
    run = str(tmp_path / "runs" / "first")
    found = _found(run)
    assert found[f"disk at {tmp_path / 'spill'}"].level == "ok"
    assert (found[f"disk at {run}"].level, found[f"disk at {run}"].found) == ("warning", "60.0 GiB, less than 250")
    assert asked[-2:] == [tmp_path, tmp_path]  # neither folder is there yet
    assert list(tmp_path.iterdir()) == []


def test_a_run_needs_a_folder(tmp_path):
    (tmp_path / "file").touch(0o755)
    run = str(tmp_path / "file" / "run")
    assert _found(run)[f"disk at {run}"] == failure(
        f"disk at {run}",
        f"'{tmp_path / 'file'}' is no folder that this user may write to",
        "give another, or mend its rights",
    )


def test_no_shared_memory_is_a_failure(monkeypatch):
    real = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: str(path) != "/dev/shm" and real(path))
    assert _found()["/dev/shm"].level == "failure"


def test_few_open_files(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 4096))
    assert _found()["open files"].found == "at most 1,024, less than the 65,536 that Ray asks for"
    assert _found()["open files"].remedy == "`ulimit -n 4096` where Ray starts"
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY,) * 2)
    assert _found()["open files"].level == "ok"


def test_cpus_for_all_gpus(monkeypatch):
    assert "CPUs" not in _found()  # the config for CPUs sets how many Ray counts
    monkeypatch.delenv("VERL_PLATFORM")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(importlib.import_module("ray._private.utils"), "get_num_cpus", lambda: 26)
    assert _found()["CPUs"].level == "failure"
    assert _found()["CPUs"].found == "26; a run on all 8 GPUs reserves at least 27, and waits for ever"
    monkeypatch.setattr(importlib.import_module("ray._private.utils"), "get_num_cpus", lambda: 27)
    assert _found()["CPUs"].level == "ok"
