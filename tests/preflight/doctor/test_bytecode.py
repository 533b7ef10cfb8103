"""Packages that each process would compile anew are told."""

import importlib.util
import py_compile
import sys

import pytest

from videossr_verl.preflight.doctor.bytecode import check_bytecode


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The large packages, without caches, in a folder of their own."""
    specs = {}
    for name in ("torch", "transformers", "verl", "vllm"):
        source = tmp_path / name / "__init__.py"
        source.parent.mkdir()
        source.write_text("")
        specs[name] = importlib.util.spec_from_file_location(name, source)
    monkeypatch.setattr(importlib.util, "find_spec", specs.get)
    return tmp_path


def test_packages_without_caches_are_a_warning_where_none_may_be_written(packages, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    py_compile.compile(str(packages / "verl" / "__init__.py"))
    (finding,) = check_bytecode()
    assert (finding.level, finding.found.split(" are")[0]) == ("warning", "torch, transformers, vllm")
    assert finding.remedy == f"`{sys.executable} -m compileall -q -j 0 {packages}`, once"


@pytest.mark.parametrize("may_write", [True, False])
def test_compiled_packages_and_those_that_will_be_are_well(packages, monkeypatch, may_write):
    monkeypatch.setattr(sys, "dont_write_bytecode", not may_write)
    if not may_write:
        for source in packages.glob("*/__init__.py"):
            py_compile.compile(str(source))
    (finding,) = check_bytecode()
    assert finding.level == "ok"


def test_a_package_that_is_not_installed_is_another_checks_matter(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (finding,) = check_bytecode()
    assert finding.level == "ok"
