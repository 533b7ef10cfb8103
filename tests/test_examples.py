"""The examples run as their comments say."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_readmes_picture_is_drawn(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", str(EXAMPLES / "contact_sheet" / "make.sh"), str(tmp_path / "sheet.png")]
    subprocess.run(command, check=True, env={**os.environ, "PATH": path}, capture_output=True)
    assert (tmp_path / "sheet.png").stat().st_size > 50_000
