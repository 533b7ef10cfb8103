"""recipes/environment.sh on a small package: a wrong Python is told, and an attempt that was cut off goes on."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "recipes" / "environment.sh"
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "small"
version = "1.0"
dependencies = ["needed"]
[project.optional-dependencies]
cpu = []
"""
# What hatchling would have to be fetched for.
BACKEND = """\
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None, name="small", needs="Requires-Dist: needed"):
    info, file = f"{name}-1.0.dist-info", f"{name}-1.0-py3-none-any.whl"
    texts = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\nProvides-Extra: cpu\\n{needs}\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    texts[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*texts, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{folder}/{file}", "w") as wheel:
        for path, text in texts.items():
            wheel.writestr(path, text)
    return file
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder with the script and a package `small`, which needs `needed`, a wheel beside it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("recipes", "wheels", "videossr_verl", "data_preprocess", "reward_fns", "hydra_plugins"):
        (folder / name).mkdir()
    shutil.copy(SCRIPT, folder / "recipes")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "constraints.txt").write_text("needed==1.0\n")
    (folder / "backend.py").write_text(BACKEND)
    code = "import backend; backend.build_wheel('wheels', name='needed', needs='')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    return folder


@pytest.fixture
def set_up(checkout, tmp_path):
    """(**environment) -> the finished process, which makes `tmp_path/venv`."""

    def run(constraints="constraints.txt", **changes):
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout / "wheels"), "PYTHON": sys.executable}
        offline["PIP_CONFIG_FILE"] = os.devnull
        command = ["bash", str(checkout / "recipes" / "environment.sh"), str(tmp_path / "venv"), constraints, "cpu"]
        env = os.environ | offline | changes
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def pretend(tmp_path):
    """(version) -> a program that says it is that Python, and can do nothing else."""

    def make(version, at=tmp_path / "other-python"):
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(f"#!/bin/sh\necho Python {version}\n")
        at.chmod(0o755)
        return at

    return make


def imports(folder):
    return subprocess.run([folder / "venv" / "bin" / "python", "-c", "import small, needed"], capture_output=True)


def test_a_wrong_python_is_told_before_anything_is_made(set_up, pretend, tmp_path):
    finished = set_up(PYTHON=str(pretend("3.13")))
    assert finished.returncode == 2
    assert "is Python 3.13, and constraints.txt is for Python 3.11 and 3.12: install one of them" in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_an_environment_of_another_python_is_told(set_up, pretend, tmp_path):
    pretend("3.13", tmp_path / "venv" / "bin" / "python")
    finished = set_up()
    assert finished.returncode == 2
    assert (
        "venv has Python 3.13, and constraints.txt is for Python 3.11 and 3.12: delete that folder" in finished.stderr
    )


def test_an_environment_whose_python_is_gone_is_told(set_up, tmp_path):
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to("/no/such/python3.11")
    finished = set_up()
    assert finished.returncode == 2
    assert "has a Python that does not run" in finished.stderr


def test_what_was_cut_off_goes_on(set_up, tmp_path):
    """First before pip was there, then in the middle of an installed package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    finished = set_up()
    assert finished.returncode == 0, finished.stderr
    assert imports(tmp_path).returncode == 0
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (tmp_path / "venv" / "stack-cpu").unlink()
    (packages / "needed.py").unlink()
    for name in ("INSTALLER", "RECORD"):
        (packages / "needed-1.0.dist-info" / name).unlink()
    finished = set_up()
    assert finished.returncode == 0, finished.stderr
    assert imports(tmp_path).returncode == 0
    assert set_up(PYTHON="no-such-python").returncode == 0  # a finished one needs no other


def test_python_3_12_is_taken_where_3_11_is_not_there(set_up, pretend, tmp_path):
    pretend("3.9", tmp_path / "bin" / "python3.11")
    other = tmp_path / "bin" / "python3.12"  # it need not be one to be tried
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    finished = set_up(PYTHON="", PATH=f"{other.parent}:{os.environ['PATH']}")
    assert finished.returncode == 0, finished.stderr
    other.unlink()
    shutil.rmtree(tmp_path / "venv")
    pretend("3.9", other)
    finished = set_up(PYTHON="", PATH=f"{other.parent}:{os.environ['PATH']}")
    assert finished.returncode == 2
    assert "python3.11 is Python 3.9, and constraints.txt is for Python 3.11 and 3.12" in finished.stderr


@pytest.fixture
def torch_index(checkout, tmp_path):
    """A package index that holds `torch` 2.13.0+cpu and nothing else, as PyTorch's own; `small` needs torch now."""
    wheel = tmp_path / "simple" / "torch" / "torch-2.13.0+cpu-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    files = {
        "torch.py": "",
        "torch-2.13.0+cpu.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0+cpu\n",
        "torch-2.13.0+cpu.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files["torch-2.13.0+cpu.dist-info/RECORD"] = "".join(f"{path},,\n" for path in files)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    (checkout / "other.txt").write_text("needed==1.0\ntorch==2.13.0+cpu\n")
    text = (checkout / "backend.py").read_text()
    (checkout / "backend.py").write_text(text.replace("Dist: needed", "Dist: needed\\nRequires-Dist: torch"))
    yield f"file://{tmp_path}/simple"
    (checkout / "backend.py").write_text(text)


def test_torch_comes_from_its_own_index_where_pip_s_has_no_cpu_build(set_up, torch_index, tmp_path):
    (tmp_path / "pypi" / "torch").mkdir(parents=True)
    (tmp_path / "pypi" / "torch" / "index.html").write_text("")
    # pip finds `needed` beside an index without this torch, and torch in an index that has nothing else.
    finished = set_up("other.txt", PIP_NO_INDEX="", PIP_INDEX_URL=f"file://{tmp_path}/pypi", TORCH_INDEX=torch_index)
    assert finished.returncode == 0, finished.stderr
    assert f"setup: taking torch==2.13.0+cpu from {torch_index}" in finished.stdout
    command = [tmp_path / "venv" / "bin" / "python", "-c", "import small, needed, torch"]
    assert subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.usefixtures("torch_index")
def test_torch_that_is_nowhere_is_told(set_up):
    finished = set_up("other.txt")
    assert finished.returncode == 2
    assert "torch==2.13.0+cpu is neither where pip looks nor at https://download.pytorch.org/whl/cpu" in finished.stderr
    assert "set TORCH_INDEX" in finished.stderr


def test_another_package_that_is_nowhere_is_told_alone(set_up, checkout):
    (checkout / "other.txt").write_text("needed==2.0\n")
    finished = set_up("other.txt")
    assert finished.returncode == 2
    assert "==2.0" in finished.stderr
    assert "the install failed, the whole log is" in finished.stderr
    assert "TORCH_INDEX" not in finished.stderr
