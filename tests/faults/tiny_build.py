"""A build of three generated videos, and the bytes that it must end with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from videossr_verl.tiny.generated_videos import generate_videos

BUILD = (sys.executable, "-m", "videossr_verl.cli", "build", "--preset", "videossr_tiny", "--workers", "1")
BUILD += ("--count", "9", "--test-count", "3")


def build_command(videos: Path, out: Path) -> list[str]:
    """The command."""
    return [*BUILD, "--out", f"{out}", "--data-root", f"{videos}", f"{videos}"]


def make_reference(folder: Path, seed: int) -> tuple[Path, Path]:
    """Makes the videos and their dataset below `folder`; returns both folders."""
    videos, wanted = folder / "videos", folder / "wanted"
    videos.mkdir(parents=True, exist_ok=True)
    generate_videos(videos, 3, seed=seed, seconds=2.5)
    subprocess.run(build_command(videos, wanted), check=True, capture_output=True)
    return videos, wanted


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of the folder's files; empty where there is none."""
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.is_dir() else {}
