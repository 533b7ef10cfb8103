"""The doctor on this machine and on a real cluster of two Ray nodes."""

import shutil

import pytest
import ray
from ray.cluster_utils import Cluster

from videossr_verl.cli import main
from videossr_verl.doctor import checks
from videossr_verl.doctor.checks import Asked, check_machine, pinned
from videossr_verl.doctor.findings import as_text, failure, ok, warning, worst


def _of(findings, check):
    (finding,) = [f for f in findings if f.check == check]
    return finding


@pytest.fixture(scope="module")
def train(dataset_folder):
    return str(dataset_folder / "train.parquet")


def test_this_machine(train, corpus_folder):
    findings = check_machine(Asked(str(corpus_folder), train))
    names = {f.check for f in findings}
    assert {"versions", "verl.plugins", "vllm.general_plugins", "decoding", "data root", "free RAM", "GPU"} <= names
    assert _of(findings, "versions").level == "ok"
    assert "verl 0.9.1" in _of(findings, "versions").found
    assert _of(findings, "decoding").level == "ok"
    assert _of(findings, "a sample's video").level == "ok"
    assert _of(findings, "GPU").level == "warning"  # VERL_PLATFORM=cpu
    assert all(f.remedy for f in findings if f.level != "ok")


def test_another_version_is_a_failure(monkeypatch):
    real = pinned("cpu")
    monkeypatch.setattr(checks, "pinned", lambda device: real | {"verl": "0.7.0", "tqdm": "1.0"})
    findings = check_machine(Asked())
    assert _of(findings, "versions").level == "failure"
    assert "verl 0.9.1 (tested: 0.7.0)" in _of(findings, "versions").found
    assert "tqdm" in _of(findings, "other packages").found
    found = checks._installed
    monkeypatch.setattr(checks, "_installed", lambda name: None if name == "ray" else found(name))
    assert f"ray is missing (tested: {real['ray']})" in _of(check_machine(Asked()), "versions").found


def test_on_a_gpu_flash_attention_belongs_to_the_stack(monkeypatch):
    monkeypatch.delenv("VERL_PLATFORM")
    versions = _of(check_machine(Asked()), "versions")
    assert "flash-attn is missing" in versions.found
    assert versions.remedy == "bash recipes/setup_gpu.sh"


def test_a_changed_video_is_found(train, corpus_folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(corpus_folder, moved)
    for video in moved.rglob("*.mp4"):
        with open(video, "ab") as file:
            file.write(b"\0")
    finding = _of(check_machine(Asked(str(moved), train)), "a sample's video")
    assert finding.level == "failure"
    assert "is not the file that the data set was built from" in finding.found
    assert _of(check_machine(Asked(str(tmp_path / "nothing"), train)), "data root").level == "failure"
    assert _of(check_machine(Asked(str(tmp_path), train)), "a sample's video").level == "failure"


def test_a_check_that_breaks_is_a_finding(monkeypatch):
    def broken():
        raise RuntimeError("no such thing")

    monkeypatch.setattr(checks, "_memory", broken)
    finding = next(f for f in check_machine(Asked()) if f.check == "broken")
    assert (finding.level, finding.found) == ("failure", "the check itself failed: RuntimeError: no such thing")


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


def test_the_command(train, corpus_folder, capsys):
    assert main(["doctor", "--data", train, "--data-root", str(corpus_folder)]) == 1  # no GPU is a warning here
    assert "has the bytes that the data set was built from" in capsys.readouterr().out
    assert main(["doctor", "--data", train]) == 2
    assert "--data needs --data-root" in capsys.readouterr().err
    assert main(["doctor", "--data-root", "no/such/folder"]) == 2


def test_every_node_of_a_cluster(train, corpus_folder, capsys):
    """Two nodes with raylets of their own; one cannot see what the other sees."""
    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    try:
        assert main(["doctor", "--cluster", cluster.address, "--data", train, "--data-root", str(corpus_folder)]) == 1
        shown = capsys.readouterr().out
        assert shown.startswith("2 nodes: ")
        assert "agrees with the head's" in shown
        assert "[" not in next(line for line in shown.splitlines() if "decoding" in line)  # the same on both
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_no_cluster_is_one_sentence(capsys):
    assert main(["doctor", "--cluster", "127.0.0.1:1"]) == 2
    assert "no Ray cluster at '127.0.0.1:1'" in capsys.readouterr().err
