"""ShellCheck finds nothing in any shell script of the repository."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("recipes", "tests", "examples", "benchmarks")


def test_shell_scripts():
    scripts = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.sh"))
    assert ROOT / "recipes" / "launch" / "ray.sh" in scripts
    shellcheck = Path(sys.executable).parent / "shellcheck"
    found = subprocess.run([shellcheck, *scripts], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
