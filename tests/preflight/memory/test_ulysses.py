"""Packed prompts with videos have the logits of each prompt alone, in each of our families, on one and two ranks."""

import os
import re
import subprocess
import sys
from pathlib import Path

from videossr_verl.families import model_types

SCRIPT = Path(__file__).parent / "ulysses_ranks.py"


def test_every_family():
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(SCRIPT)]
    environment = os.environ | {"VERL_PLATFORM": "cpu", "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    for family in model_types():  # two ranks may write into one line
        assert len(re.findall(f"SAME {family}(?![a-z0-9_])", finished.stdout)) == 2, finished.stderr[-3000:]
