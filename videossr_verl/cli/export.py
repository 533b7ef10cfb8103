"""`videossr export`."""

from __future__ import annotations

import argparse

from videossr_verl.printable import tell

SUMMARY = "write a dataset's pixels and rows for other trainers"
HELP = """\
Writes each sample of a dataset as files that need neither this package nor the source videos: the frames as the model
is shown them, all encoded alike, and the rows as another trainer reads them.

  videossr export data/pretext --out data/for_verl --layout verl
  videossr export data/pretext --out data/for_swift --layout ms-swift --format mp4 --split train
  videossr export data/pretext --out data/for_trl --layout trl --format frames --limit 1000

Layouts
  verl           parquet for verl without this package; qwen-vl-utils reads the videos
  easyr1         JSON lines with problem, answer, and videos or images
  ms-swift       JSON lines with messages, videos, images and solution
  trl            JSON lines with prompt, images and solution: each frame is an image, after its time
  llama-factory  ShareGPT JSON with the right answer as the assistant's, and dataset_info.json
All but llama-factory's keep data_source and extra_info, which `reward_fns.compute_score` scores answers by.
Exit code: 0 done, 1 the machine failed, 2 wrong input, 130 and 143 stopped. DIR is there whole, or not at all.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("dataset", metavar="DATASET", help="folder that `videossr build` wrote")
    add("--out", required=True, metavar="DIR", help="folder to write; an earlier export there is replaced")
    add("--layout", required=True, metavar="NAME", help="verl, easyr1, ms-swift, trl or llama-factory")
    add("--format", default="mp4", metavar="NAME", help="mp4 (default) or frames, one JPEG each")
    add("--split", action="append", choices=("train", "test"), help="may be repeated (default: both)")
    add("--task", action="append", default=[], metavar="NAME", help="only samples of this one; may be repeated")
    add("--limit", type=int, metavar="N", help="the first N samples of each split (default: all)")
    text = "whose patches the frames fit (default qwen2_5_vl)"
    add("--family", default="qwen2_5_vl", metavar="NAME", help=text)
    add("--data-root", metavar="DIR", help="where the videos are now (default: as in dataset.json)")
    text = "rows name files below this folder, if you are going to move DIR there (default: DIR)"
    add("--media-root", metavar="DIR", help=text)
    add("--workers", type=int, metavar="W", help="processes (default: one per core)")


def run(args: argparse.Namespace) -> None:
    """Exports, and prints what there is."""
    from pathlib import Path

    from data_preprocess.export.write import SPLITS, ExportSettings, export

    settings = ExportSettings(
        dataset=Path(args.dataset),
        out=Path(args.out),
        layout=args.layout,
        form=args.format,
        family=args.family,
        splits=tuple(args.split or SPLITS),
        tasks=tuple(args.task),
        limit=args.limit,
        data_root=args.data_root,
        media_root=args.media_root,
        workers=args.workers,
    )
    done = export(settings)
    counts = ", ".join(f"{done[split]} {split}" for split in settings.splits)
    tell(f"{args.out}: {counts} samples for {args.layout}, {done['bytes'] / 1e6:.1f} MB of {args.format}")
