"""docker/Dockerfile: linted, and its packages are those of a distribution. No Docker is here to build it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = ROOT / "docker" / "Dockerfile"


def test_the_linter_finds_nothing():
    linter = Path(sys.executable).parent / "hadolint"
    found = subprocess.run([linter, DOCKERFILE], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs a Debian or Ubuntu")
def test_its_packages_can_be_installed_together():
    named = re.search(r"apt-get install -y --no-install-recommends([^&]*)&&", DOCKERFILE.read_text())[1]
    packages = named.replace("\\", " ").split()
    assert "build-essential" in packages
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", *packages]
    tried = subprocess.run(command, capture_output=True, text=True)
    if "Unable to locate package" in tried.stderr and not list(Path("/var/lib/apt/lists").glob("*Packages*")):
        pytest.skip("this machine has no package lists")
    assert tried.returncode == 0, tried.stderr


def test_what_is_ignored_is_nothing_that_the_wheel_is_made_from():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {"constraints", "recipes", "videossr_verl", "data_preprocess", "reward_fns", "hydra_plugins"} & {
        *ignored
    }
    assert {".git", ".venv*"} <= {*ignored}
