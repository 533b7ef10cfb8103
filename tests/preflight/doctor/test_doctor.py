"""The doctor on this machine, and its table."""

import shutil

import pytest

from reward_fns.registry import TASKS
from videossr_verl.cli import main
from videossr_verl.preflight.doctor import checks, package
from videossr_verl.preflight.doctor.checks import Asked, check_machine
from videossr_verl.preflight.doctor.data import check_data
from videossr_verl.preflight.doctor.findings import as_text, failure, ok, warning, worst
from videossr_verl.preflight.doctor.package import check_package, check_tasks
from videossr_verl.tasks import task_names


def _of(findings, check):
    (finding,) = [f for f in findings if f.check == check]
    return finding


@pytest.fixture(scope="module")
def train(dataset_folder):
    return str(dataset_folder / "train.parquet")


def test_this_machine(train, corpus_folder):
    findings = check_machine(Asked(str(corpus_folder), train))
    names = {f.check for f in findings}
    assert {"versions", "package", "verl.plugins", "vllm.general_plugins", "decoding"} <= names
    assert {"data root", "free RAM", "GPU"} <= names
    assert _of(findings, "versions").level == "ok"
    assert "verl 0.9.1" in _of(findings, "versions").found
    assert _of(findings, "package").level == "ok"
    assert _of(findings, "tasks") == ok("tasks", ", ".join(task_names()))
    assert _of(findings, "decoding").level == "ok"
    assert _of(findings, "a sample's video").level == "ok"
    assert _of(findings, "GPU").level == "warning"  # VERL_PLATFORM=cpu
    assert all(f.remedy for f in findings if f.level != "ok")


def test_a_task_that_is_not_whole_is_found(write_dist_info, install, tmp_path):
    (tmp_path / "no_task.py").touch()
    write_dist_info(tmp_path, "no-task", {TASKS: {"no_task": "no_task"}})
    install(tmp_path)
    assert _of(check_tasks(), "tasks").level == "failure"
    assert "'no_task': module 'no_task' has no `NAME`" in _of(check_tasks(), "tasks").found


def test_a_changed_video_is_found(train, corpus_folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(corpus_folder, moved)
    for video in moved.rglob("*.mp4"):
        with open(video, "ab") as file:
            file.write(b"\0")
    finding = _of(check_data(str(moved), train), "a sample's video")
    assert finding.level == "failure"
    assert "is not the file that the data set was built from" in finding.found
    assert _of(check_data(str(tmp_path), train), "a sample's video").level == "failure"


def test_the_data_root_is_found_as_in_a_run(train, corpus_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DISK", str(corpus_folder.parent))
    root = f"$DISK/{corpus_folder.name}"
    found = list(check_data(root, train))
    assert found[0] == ok("data root", f"'{root}' (here '{corpus_folder}') is there")
    assert _of(found, "a sample's video").level == "ok"
    monkeypatch.setenv("DISK", str(tmp_path))
    (finding,) = check_data(root, train)
    assert finding.level == "failure"
    assert finding.found == f"'{root}' (here '{tmp_path / corpus_folder.name}') is not a folder here"
    assert "each node has its own NAME" in finding.remedy
    monkeypatch.delenv("DISK")
    (finding,) = check_data(root, train)
    assert finding.found == f"'{root}' is not a folder here"


def test_a_package_that_does_not_import_is_a_failure(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(package, "import_module", broken)
    finding = _of(check_package(), "package")
    assert (finding.level, finding.remedy) == ("failure", "bash recipes/setup_cpu.sh")
    assert finding.found == "does not import: RuntimeError: operator torchvision::nms does not exist"


def test_a_check_that_breaks_is_a_finding_with_its_name(monkeypatch):
    def broken(*asked):
        raise RuntimeError("no such thing")

    def without(*asked):
        raise ModuleNotFoundError("No module named 'av'")

    monkeypatch.setattr(checks, "check_data", broken)
    monkeypatch.setattr(checks, "check_decoding", without)
    findings = check_machine(Asked())
    finding = _of(findings, "data")
    assert (finding.level, finding.found) == ("failure", "the check itself failed: RuntimeError: no such thing")
    finding = _of(findings, "decoding")
    assert (finding.level, finding.found) == ("failure", "cannot be looked at: No module named 'av'")
    assert finding.remedy == "bash recipes/setup_cpu.sh"


def test_the_table_tells_each_thing_once():
    nodes = {
        "a": [ok("disk", "90 GiB"), warning("clock", "5 s apart", "run chrony")],
        "b": [ok("disk", "90 GiB"), failure("GPU", "none", "check the driver")],
    }
    assert as_text(nodes).splitlines() == [
        "failure  GPU    none  [b]",
        "                -> check the driver",
        "warning  clock  5 s apart  [a]",
        "                -> run chrony",
        "ok       disk   90 GiB",
    ]
    assert worst(nodes) == 2
    assert worst({"a": nodes["a"]}) == 1
    assert worst({"a": nodes["a"][:1]}) == 0


def test_the_command(train, corpus_folder, tmp_path, capsys):
    run = str(tmp_path / "run")
    command = ["doctor", "--data", train, "--data-root", str(corpus_folder), "--run", run]
    assert main(command) == 1  # no GPU is a warning here
    shown = capsys.readouterr().out
    assert "has the bytes that the data set was built from" in shown
    assert f"disk at {run}" in shown
    assert main(["doctor", "--data", train]) == 2
    assert "--data needs --data-root" in capsys.readouterr().err
    assert main(["doctor", "--data-root", "no/such/folder"]) == 2
