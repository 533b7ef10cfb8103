"""A run joins no cluster that it was not told to join, and what Ray would fail at later is told first."""

import os
import socket
import tempfile

import pytest
import ray

from videossr_verl.cluster.local_ray import check_cluster, clusters_here, too_long_for_sockets
from videossr_verl.errors import BadInput
from videossr_verl.preflight.doctor.ray_here import check_ray


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    ray.shutdown()
    for name in ("RAY_ADDRESS", "RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def port():
    """One that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def found(check):
    return [(f.level, f.found, f.remedy) for f in check_ray() if f.check == check]


def test_without_a_word_it_is_a_cluster_of_ones_own():
    assert check_cluster(None) == "local"


@pytest.mark.parametrize("prefix", ["", "ray://"])
def test_one_that_is_asked_for_is_joined(prefix, port, monkeypatch):
    address = f"{prefix}127.0.0.1:{port}"
    assert check_cluster(address) == address
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert check_cluster(None) == address
    assert found("Ray")[0][:2] == ("warning", f"runs join the cluster at RAY_ADDRESS={address}")


def test_one_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(BadInput, match=r"^no Ray cluster answers at RAY_ADDRESS='127.0.0.1:1' .*refused"):
        check_cluster(None)
    assert found("Ray")[0][0] == "failure"
    with pytest.raises(BadInput, match=r"ray_kwargs.ray_init.address='127.0.0.1:2'"):
        check_cluster("127.0.0.1:2")


def test_a_folder_is_too_long_where_ray_says_so(monkeypatch):
    """The longest that is taken starts a cluster, of which the session is named by time and process."""
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        folder = f"{base}/{'x' * 100}"
        while len(folder) > len(base) + 1:
            monkeypatch.setenv("RAY_TMPDIR", folder)
            if too_long_for_sockets() is None:
                break
            folder = folder[:-1]
        os.mkdir(folder)
        ray.init(num_cpus=1, log_to_driver=False, address="local")
        # It is seen by those who come next, and not joined.
        assert ray.get_runtime_context().gcs_address in clusters_here()
        assert check_cluster(None) == "local"
        ray.shutdown()
        longer = f"{folder}{'x' * 8}"  # a process id of seven digits is rare, so a few more may do
        os.mkdir(longer)
        monkeypatch.setenv("RAY_TMPDIR", longer)
        with pytest.raises(OSError, match="AF_UNIX path length"):
            ray.init(num_cpus=1, log_to_driver=False, address="local")
        ray.shutdown()


def test_the_variable_to_set_is_named(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/tmp/" + "x" * 60)
    message = "bytes too long for sockets below it: set it to a shorter folder, such as /tmp"
    with pytest.raises(BadInput, match=f"^TMPDIR='/tmp/x+' is \\d+ {message}$"):
        check_cluster(None)
    assert found("sockets")[0][0] == "failure"
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    assert check_cluster(None) == "local"
