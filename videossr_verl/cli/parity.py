"""`videossr parity`."""

from __future__ import annotations

import argparse
import sys

from videossr_verl.printable import tell

SUMMARY = "compare what rollout and trainer see"
HELP = """\
Compares what the rollout (vLLM) and the trainer (verl with transformers) make of the same video prompts: token
ids, grids, positions, and the time at which each pair of frames is shown. Needs neither weights nor a GPU, only
the model's configuration. Training does the same by itself when it starts (data.parity: stop, warn or off).

  videossr parity --model Qwen/Qwen2.5-VL-7B-Instruct
  videossr parity --model models/Qwen2.5-VL-7B-Instruct --data data/pretext

Exit code: 0 the same, 1 different, 2 wrong input, 3 vLLM cannot be set up here, so nothing is known.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("--model", required=True, metavar="PATH", help="model folder (weights may be missing) or hub name")
    add("--data", metavar="DATASET", help="folder of `videossr build`, or a .parquet file (default: built-in videos)")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")


def run(args: argparse.Namespace) -> int:
    """Compares, and returns the exit code."""
    import os
    from pathlib import Path

    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # vLLM logs to standard output

    from videossr_verl.rows.dataset_folder import stored_data_root
    from videossr_verl.video.missing_platform import check_torchvision

    check_torchvision()
    from videossr_verl.preflight.parity import NoRollout, compare

    data, root = args.data, args.data_root
    if data:
        folder = Path(data) if Path(data).is_dir() else Path(data).parent
        data = str(folder / "train.parquet") if Path(data).is_dir() else data
        root = root or stored_data_root(folder)
    different = 0
    try:
        for name, found in compare(args.model, data, root):
            tell(f"{name}: {'different' if found else 'the same'}")
            for sentence in found:
                tell(f"  {sentence}.")
            different += bool(found)
    except NoRollout as error:
        tell(f"videossr: vLLM cannot be set up here: {error}", file=sys.stderr)
        return 3
    return 1 if different else 0
