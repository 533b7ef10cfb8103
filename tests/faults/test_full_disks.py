"""A disk that is full or read-only ends a command with one sentence, and spoils nothing."""

import sys

import campaign_full_disks as campaign
import pytest
from small_disk import can_mount, on_small_disk

pytestmark = pytest.mark.skipif(not can_mount(), reason="this system lets us mount no disk")
CACHE = """
import sys
from videossr_verl.train.dataset import frame_cache
from videossr_verl.endings import end_well
sys.exit(end_well(lambda: frame_cache({"frame_cache": {"folder": sys.argv[1], "max_gb": 1}})))
"""
TRAINING = """
import sys
from pathlib import Path
from videossr_verl.endings import end_well
from videossr_verl.files.one_writer import one_writer
sys.exit(end_well(one_writer(Path(sys.argv[1]), "training").__enter__))
"""


@pytest.fixture
def failed():
    """Those of some outcomes that were not survived."""
    return lambda outcomes: [what for what, survived in outcomes if not survived]


def test_checkpoints_on_a_full_disk(tmp_path, failed):
    assert failed(campaign.full_saves(tmp_path, 3, seed=0)) == []


def test_builds_on_a_full_disk(tmp_path, failed):
    assert failed(campaign.full_builds(tmp_path, 1, seed=0)) == []


def test_a_read_only_disk_is_found_before_the_work(corpus_folder, tmp_path):
    """Code 2 and one sentence that names the folder; the build's own messages come later."""
    build = [sys.executable, "-m", "videossr_verl.cli", "build", str(corpus_folder), "--preset", "videossr_tiny"]
    commands = {
        "OUT": [*build, "--out", f"{tmp_path}/out"],
        "embeddings": [*build, "--out", f"{tmp_path.parent}/out", "--keep-embeddings", f"{tmp_path}/kept"],
        "frame cache": [sys.executable, "-c", CACHE, f"{tmp_path}/cache"],
        "run": [sys.executable, "-c", TRAINING, f"{tmp_path}/steps"],
    }
    for name, command in commands.items():
        finished = on_small_disk(tmp_path, "1m", 'mount -o remount,ro "$0"; "$@"', *command)
        last = finished.stderr.splitlines()[-1]
        assert finished.returncode == 2, (name, finished.stderr)
        assert last.startswith("videossr: ")
        assert f"'{tmp_path}/" in last
        assert "Read-only file system" in last
        assert "probe:" not in finished.stderr
