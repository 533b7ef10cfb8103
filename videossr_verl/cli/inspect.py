"""`videossr inspect`."""

from __future__ import annotations

import argparse

from videossr_verl.printable import tell

SUMMARY = "draw a picture of a dataset's samples"
HELP = """\
Draws a picture of samples: the frames as the model is shown them, changed frames framed in colour, each
frame's time, the question and the answer.

  videossr inspect data/pretext --out sheet.png
  videossr inspect data/pretext --out sheet.png --split test --rows 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("dataset", metavar="DATASET", help="folder that `videossr build` wrote")
    add("--out", required=True, metavar="FILE.png", help="the picture")
    add("--rows", type=int, default=1, metavar="N", help="samples of each task (default 1)")
    add("--split", choices=("train", "test"), default="train", help="default: train")
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")


def run(args: argparse.Namespace) -> None:
    """Draws."""
    from videossr_verl.prompt.contact_sheet import draw_contact_sheet

    drawn = draw_contact_sheet(args.dataset, args.out, rows=args.rows, split=args.split, data_root=args.data_root)
    tell(f"{args.out}: {drawn} samples")
