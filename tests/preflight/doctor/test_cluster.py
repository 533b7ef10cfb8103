"""The doctor on a real cluster of two Ray nodes, and its arithmetic of clocks."""

import pytest
import ray
from ray.cluster_utils import Cluster

from videossr_verl.cli import main
from videossr_verl.preflight.doctor.clock import Reading, clock_finding
from videossr_verl.preflight.doctor.cluster import check_cluster


class Unknown:
    """What only the sender can load, as where a node is without this package."""

    def __reduce__(self):
        return __import__, ("package_of_the_sender",)


@pytest.fixture
def cluster(corpus_folder, tmp_path, monkeypatch):
    """Two nodes with raylets of their own, each with another DISK; this process has none."""
    monkeypatch.delenv("DISK", raising=False)
    (tmp_path / "disk").symlink_to(corpus_folder.parent)
    ray.shutdown()
    head = {"num_cpus": 1, "include_dashboard": False, "env_vars": {"DISK": str(corpus_folder.parent)}}
    started = Cluster(initialize_head=True, head_node_args=head)
    started.add_node(num_cpus=1, env_vars={"DISK": str(tmp_path / "disk")})
    yield started
    ray.shutdown()
    started.shutdown()


def test_every_node_of_a_cluster(cluster, dataset_folder, corpus_folder, tmp_path, capsys):
    root = f"$DISK/{corpus_folder.name}"
    data = str(dataset_folder / "train.parquet")
    asked = ["--data", data, "--data-root", root, "--run", str(tmp_path / "run")]
    assert main(["doctor", "--cluster", cluster.address, *asked]) == 1
    head, *lines = capsys.readouterr().out.splitlines()
    nodes = set(head.removeprefix("2 nodes: ").split(", "))
    assert len(nodes) == 2

    def line(text):
        (found,) = [line for line in lines if text in line]
        return found

    for same in ("frames in order", "within 2 s of this machine's", "has the bytes that the data set was built from"):
        assert "[" not in line(same)
    assert f"disk at {tmp_path / 'run'}" in "\n".join(lines)
    first = line(f"'{root}' (here '{corpus_folder}') is there")
    second = line(f"'{root}' (here '{tmp_path / 'disk' / corpus_folder.name}') is there")
    assert {found.partition("[")[2].rstrip("]") for found in (first, second)} == nodes

    for (finding,) in check_cluster(cluster.address, Unknown()).values():
        assert (finding.level, finding.check) == ("failure", "node")
        message = "cannot run this package: ModuleNotFoundError: No module named 'package_of_the_sender'"
        assert finding.found == message
        assert finding.remedy.startswith("start Ray there in the environment of recipes/setup_cpu.sh")


def test_no_cluster_is_one_sentence(capsys):
    assert main(["doctor", "--cluster", "127.0.0.1:1"]) == 2
    assert "no Ray cluster at '127.0.0.1:1'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reading", "level", "found"),
    [
        (Reading(100.0, 100.2, 100.4), "ok", "within 2 s of this machine's"),
        (Reading(100.0, 101.9, 100.0), "ok", "within 2 s of this machine's"),
        (Reading(100.0, 92.2, 100.4), "warning", "8.0 s behind this machine's, give or take 0.2 s"),
        (Reading(100.0, 108.2, 100.4), "warning", "8.0 s ahead of this machine's, give or take 0.2 s"),
        # What a reading that took ten seconds must not hide: 5 s behind, or right.
        (Reading(100.0, 100.0, 110.0), "warning", "5.0 s behind this machine's, give or take 5.0 s"),
    ],
)
def test_clocks(reading, level, found):
    finding = clock_finding([reading])
    assert (finding.level, finding.found) == (level, found)
    assert bool(finding.remedy) == (level == "warning")


def test_the_fastest_reading_counts():
    slow, fast = Reading(100.0, 100.0, 110.0), Reading(120.0, 120.1, 120.1)
    assert clock_finding([slow, fast, slow]).level == "ok"
