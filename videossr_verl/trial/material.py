"""What a trial trains on: generated videos, questions about them, a model. Nothing is downloaded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from videossr_verl.errors import MachineError
from videossr_verl.families.shape import ModelShape
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.tiny.generated_videos import generate_videos

SEED = 0
_VIDEOS, _QUESTIONS, _TEST_QUESTIONS = 12, 64, 8


@dataclass(frozen=True)
class Clips:
    """The videos of a trial, and the preset that asks about them."""

    preset: str
    seconds: float
    side: int


PAPERS = Clips("videossr", seconds=6.0, side=256)  # 48 frames of 256^2 pixels
LAPTOPS = Clips("videossr_tiny", seconds=3.0, side=112)


def make_data(out: Path, clips: Clips) -> None:
    """Fills `out`/videos and `out`/data. Raises MachineError if the build fails; `out`/build.log tells why."""
    videos = out / "videos"
    generate_videos(videos, _VIDEOS, SEED, seconds=clips.seconds, side=clips.side)
    build = [sys.executable, "-m", "videossr_verl.cli", "build", videos, "--out", out / "data", "--data-root", videos]
    build += ["--preset", clips.preset, "--test-share", "0.3"]
    build += ["--count", str(_QUESTIONS), "--test-count", str(_TEST_QUESTIONS)]
    with (out / "build.log").open("wb") as log:
        if subprocess.run(build, stdout=log, stderr=subprocess.STDOUT).returncode:
            last = (out / "build.log").read_text(errors="replace").strip().splitlines()[-1:]
            raise MachineError(f"the questions were not built: {' '.join(last)}; see {out / 'build.log'}")


def make_model(out: Path, shape: ModelShape | None) -> None:
    """Fills `out`/model with random weights of a shape, or of a tiny Qwen3-VL."""
    from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
    from videossr_verl.tiny.shaped_model import save_shaped_model
    from videossr_verl.tiny.tokenizer import train_tokenizer

    rows = read_rows(out / "data" / "train.parquet")
    tokenizer = train_tokenizer([message["content"] for row in rows for message in row["prompt"]])
    if shape:
        save_shaped_model(shape, tokenizer, out / "model", SEED)
    else:
        model = build_model("qwen3_vl", tokenizer, SEED)
        save_checkpoint(model, build_processor("qwen3_vl", tokenizer), out / "model")
