"""Takes the HF-format model out of verl's last checkpoint, and proves that it loads."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from videossr_verl.endings import end_well
from videossr_verl.errors import BadInput
from videossr_verl.files.whole_file import whole_folder


def last_hf_model(steps: Path) -> Path:
    """Returns the `huggingface` folder of the last whole checkpoint below verl's `trainer.default_local_dir`."""
    marker = steps / "latest_checkpointed_iteration.txt"
    if not marker.is_file():
        raise BadInput(f"no finished checkpoint in '{steps}': train with trainer.save_freq > 0")
    folder = steps / f"global_step_{marker.read_text().strip()}" / "actor" / "huggingface"
    if not list(folder.glob("*.safetensors")):
        raise BadInput(f"'{folder}' holds no weights: add hf_model to actor_rollout_ref.actor.checkpoint.save_contents")
    return folder


def export_checkpoint(steps: Path, out: Path) -> None:
    """Copies the last checkpoint's HF model to `out`, which appears only after `from_pretrained` has loaded it."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    with whole_folder(out) as partial:
        shutil.copytree(last_hf_model(steps), partial)
        AutoProcessor.from_pretrained(partial)
        AutoModelForImageTextToText.from_pretrained(partial)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line of `export_checkpoint`."""
    parser = argparse.ArgumentParser(description="Takes the HF-format model out of verl's last checkpoint.")
    parser.add_argument("steps", type=Path, help="verl's trainer.default_local_dir")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)
    export_checkpoint(args.steps, args.out)
    print(f"HF checkpoint: {args.out}")


if __name__ == "__main__":
    sys.exit(end_well(main))
