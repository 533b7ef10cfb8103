"""`videossr calibrate`."""

from __future__ import annotations

import argparse

from videossr_verl.printable import tell

SUMMARY = "see from which similarity on frames of your videos look alike"
HELP = """\
Masked video prediction shows no two frames that look alike: their similarity is at most kappa. Which kappa is right
depends on the embedding and on your videos, and only a person can say which frames look alike.

  videossr calibrate videos/ --embedding openai/clip-vit-base-patch32 --out pairs.png
  videossr calibrate videos/ --embedding built_in --preset mvp --preset my.yaml --out pairs.png

Draws pairs of frames, each row more alike than the one above. Take as kappa the number that begins the first row whose
pairs look alike to you, and write it into a preset file of your own:

  clip: {min_pixels: 16384, max_pixels: 65536}
  tasks:
    masked_video_prediction: {preset: mvp, difficulty: {kappa: 0.92}}

Prints, for each kappa, the share of the frames that de-duplication would keep, and how many videos could carry each
preset. Frames whose pixels hardly differ are one picture whatever the embedding says, and are not drawn.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("videos", metavar="VIDEOS", nargs="+", help="folder (searched in depth), glob, video, or @list.txt")
    add("--out", required=True, metavar="FILE.png", help="the picture")
    add("--embedding", metavar="NAME", help="a CLIP folder or hub name, or built_in (default: as in the first preset)")
    add("--kappa", type=float, metavar="K", help="in the middle of what is shown (default: the embedding's own)")
    text = "a preset, or your own .yaml file; may be repeated (default: mvp_easy, mvp, mvp_hard, mvp_harder)"
    add("--preset", metavar="NAME", action="append", help=text)
    add("--limit", type=int, metavar="N", default=200, help="videos at most, chosen at random (default 200)")
    add("--keep-embeddings", metavar="DIR", help="keep the embeddings of frames here, for `videossr build`")
    add("--workers", metavar="W", type=int, help="processes (default: one per core)")


def run(args: argparse.Namespace) -> None:
    """Draws, and prints a table."""
    from pathlib import Path

    from data_preprocess.calibrate import PRESETS, CalibrateSettings, as_text, calibrate
    from videossr_verl.errors import BadInput
    from videossr_verl.prompt.pair_sheet import PairRow, draw_pair_sheet

    if not Path(args.out).parent.is_dir():
        raise BadInput(f"cannot write the picture '{args.out}': there is no such folder")
    settings = CalibrateSettings(
        sources=tuple(args.videos),
        presets=tuple(args.preset or PRESETS),
        embedding=args.embedding,
        kappa=args.kappa,
        limit=args.limit,
        embedding_folder=args.keep_embeddings,
        workers=args.workers,
    )
    found = calibrate(settings)
    rows = []
    for low, high, pairs in zip(found.kappas, (*found.kappas[1:], 1), found.rows, strict=True):
        captions = [f"{p.similarity:.4f}   {p.times[0]:.1f} and {p.times[1]:.1f} s" for p in pairs]
        marked = low == found.default
        title = f"{low:g} to {high:g}" + ("   from here on alike unless a preset says otherwise" if marked else "")
        rows.append(PairRow(title, list(zip([p.pictures for p in pairs], captions, strict=True)), marked))
    intro = f"{found.embedding}: pairs of frames by their similarity. Where do they begin to look alike?"
    draw_pair_sheet(intro, rows, args.out)
    tell(as_text(found))
    tell(f"{args.out}: which row is the first whose pairs look alike? Its first number is the kappa to take.")
