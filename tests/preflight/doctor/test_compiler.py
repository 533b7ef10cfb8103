"""What Triton needs on a machine with a GPU."""

import sysconfig

import pytest

from videossr_verl.preflight.doctor.compiler import check_compiler


@pytest.fixture(autouse=True)
def _on_a_gpu(monkeypatch):
    monkeypatch.delenv("VERL_PLATFORM")
    monkeypatch.delenv("CC", raising=False)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """(name) -> None: a program of that name is all there is."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)

    return put


@pytest.fixture
def headers(tmp_path, monkeypatch):
    """Python's headers are where this interpreter looks for them."""
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "Python.h").write_text("")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
    return tmp_path / "include" / "Python.h"


def test_both_are_there(programs, headers):
    programs("clang")
    (finding,) = check_compiler()
    assert finding.level == "ok"
    assert "/clang, with Python's headers" in finding.found


@pytest.mark.usefixtures("programs", "headers")
def test_no_compiler():
    (finding,) = check_compiler()
    assert (finding.level, finding.remedy) == (
        "failure",
        "install gcc (Debian: build-essential), or set CC to one",
    )


def test_a_compiler_that_is_named_counts_alone(programs, headers, monkeypatch):
    programs("gcc")
    monkeypatch.setenv("CC", "/no/such/cc")
    (finding,) = check_compiler()
    assert finding.found == "CC='/no/such/cc' is no program"


def test_no_headers(programs, headers):
    programs("gcc")
    headers.unlink()
    (finding,) = check_compiler()
    assert f"'{headers}' is not there" in finding.found
    assert "-dev)" in finding.remedy


def test_nobody_needs_them_without_a_gpu(monkeypatch):
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    assert list(check_compiler()) == []
