"""ShellCheck finds nothing in any shell script of the repository."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("constraints", "recipes", "tests", "examples", "benchmarks")


def test_shell_scripts(tmp_path):
    scripts = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.sh"))
    assert ROOT / "recipes" / "launch" / "ray.sh" in scripts
    job = yaml.safe_load((ROOT / "recipes" / "launch" / "sky.yaml").read_text())
    for part in ("setup", "run"):
        scripts.append(tmp_path / f"sky_{part}.sh")
        scripts[-1].write_text("# shellcheck shell=bash source=/dev/null\n" + job[part])
    scripts.append(ROOT / ".ci" / "run")
    shellcheck = Path(sys.executable).parent / "shellcheck"
    found = subprocess.run([shellcheck, *scripts], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
