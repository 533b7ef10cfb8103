"""A trainer's warnings are seen although it imports vLLM's server, which still silences them by itself."""

import os
import subprocess
import sys

import pytest

from videossr_verl.patches.correctness import silenced_warnings

SERVER = "vllm.entrypoints.serve.sagemaker.api_router"


def _root_level(*imports):
    code = f"import {', '.join(imports)}, logging; print(logging.getLevelName(logging.getLogger().level))"
    clean = {key: value for key, value in os.environ.items() if not key.endswith("LOG_LEVEL")}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def test_a_trainer_shows_warnings():
    assert _root_level("verl", SERVER) == "WARNING"


def test_vllms_server_still_silences_them():
    """When this fails, vLLM leaves the root logger alone: the repair may go."""
    assert _root_level(SERVER) == "ERROR"


@pytest.mark.parametrize(
    ("asked", "level"),
    [({}, "WARNING"), ({"LOG_LEVEL": "info"}, "info"), ({"SAGEMAKER_CONTAINER_LOG_LEVEL": "ERROR"}, "ERROR")],
)
def test_a_level_that_somebody_asked_for_stays(monkeypatch, asked, level):
    for name in ("LOG_LEVEL", silenced_warnings.LEVEL):
        monkeypatch.delenv(name, raising=False)
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    silenced_warnings.set_log_level()
    assert os.environ[silenced_warnings.LEVEL] == level
