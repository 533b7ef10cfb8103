"""The examples run as their comments say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def make(name, out):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", str(EXAMPLES / name / "make.sh"), str(out)]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", ["contact_sheet", "masked_video_prediction", "deduplication"])
def test_the_readmes_pictures_are_drawn(name, tmp_path):
    said = make(name, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 50_000
    if name == "deduplication":  # the README's figure
        assert "80 pairs, 43 of them different" in said
        assert re.search(r"^0\.95 +0\.74 ", said, re.MULTILINE)
