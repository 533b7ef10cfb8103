"""`videossr build`."""

from __future__ import annotations

import argparse
from typing import Any

from videossr_verl.printable import tell

SUMMARY = "make a dataset from raw videos"
HELP = """\
Turns raw videos into questions whose answers are known, because we made the change in the video. Nobody annotates
anything, and no pixel is written: a row tells which frames to show and how to change them.

  videossr build videos/ --out data/pretext
  videossr build videos/ "more/**/*.webm" @list.txt --out data/pretext --count 30000 --test-count 600
  videossr build videos/ --out data/pretext \\
      --mix anomaly_grounding=12000,temporal_jigsaw=12000,object_counting=6000
  videossr build videos/ --out data/mvp --preset mvp --embedding openai/clip-vit-base-patch32
  videossr build videos/ --out data/both --preset videossr_mvp --embedding built_in

Writes into DIR
  train.parquet, test.parquet   rows in verl's schema; the two never share a video, nor a look-alike of one: a copy
                                that is encoded anew, trimmed, rescaled, or cropped by a few pixels
  dataset.json                  settings, counts, chance level of each task, fingerprint
  rejected.jsonl                each video that is not used, and why
  look_alikes.jsonl             which videos look alike
  signatures.parquet            what the videos look like, for --held-out-from
  .videos.json                  which files were read, to know them again
The same command gives the same bytes on any number of workers. If a build was killed, or the machine failed, the same
command goes on where it was. A finished build is recognised if the videos are still the same.
Exit code: 0 done, 1 the machine failed (a full disk, storage that is gone), 2 wrong input or somebody else's folder,
130 and 143 stopped.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""

    def option(name: str, metavar: str, text: str, **kwargs: Any) -> None:
        parser.add_argument(name, metavar=metavar, help=text, **kwargs)

    option("videos", "VIDEOS", "folder (searched in depth), glob, video, or @list.txt", nargs="+")
    option("--out", "DIR", "folder for the dataset", required=True)
    text = "clips, difficulty and mix: videossr (the paper's, default), mvp, mvp_short, mvp_easy, mvp_hard, "
    text += "mvp_harder, "
    text += "videossr_mvp (both), videossr_tiny (laptops) or your own .yaml file"
    option("--preset", "NAME", text, default="videossr")
    text = "train samples (default: one per train video and task, fewer where a clip cannot carry a task)"
    option("--count", "N", text, type=int)
    option("--test-count", "N", "test samples (default: in proportion to the test videos)", type=int)
    text = "share of the videos kept for test (default: that of the counts if both are given, else 0.1)"
    option("--test-share", "X", text, type=float)
    option("--mix", "TASK=N,...", "with --count: weights; without: exact numbers of train samples")
    option("--seed", "S", "of everything random but the split (default 0)", type=int, default=0)
    text = "dataset whose videos, and what looks like them, are left out here; may be repeated"
    option("--held-out-from", "DATASET", text, action="append", default=[])
    option("--data-root", "DIR", "the rows' paths are relative to it (default: the deepest common folder)")
    text = "model folder whose processor counts the prompt tokens, so that training need not; may be repeated"
    option("--model", "PATH", text, action="append", default=[])
    option("--workers", "W", "processes (default: one per core)", type=int)
    text = "what tells masked_video_prediction which frames look alike: a CLIP folder or hub name, or built_in, "
    text += "which needs no weights (default: as in the preset)"
    option("--embedding", "NAME", text)
    text = "keep the embeddings of frames here, so that builds with other knobs need not make them again"
    option("--keep-embeddings", "DIR", text)
    text = "run on this Ray cluster ('auto', 'host:port', 'local'); its nodes see the videos at the same path"
    option("--ray-address", "ADDR", text)
    text = (
        "what reads the files: pyav (default, exact) or decord (MP4, MOV, Matroska and WebM only, slower, its pixels "
    )
    text += "differ slightly); the rows tell it, so training and evaluation use the same"
    option("--decoder", "NAME", text)
    text = "a video that takes longer to read or to decode is rejected (default 600)"
    option("--timeout", "SECONDS", text, type=float, default=600.0)


def run(args: argparse.Namespace) -> None:
    """Builds, and prints what there is."""
    from data_preprocess.build import BuildSettings, build
    from videossr_verl.tasks.presets import parse_mix

    settings = BuildSettings(
        sources=tuple(args.videos),
        out=args.out,
        preset=args.preset,
        count=args.count,
        test_count=args.test_count,
        test_share=args.test_share,
        seed=args.seed,
        mix=parse_mix(args.mix) if args.mix else None,
        data_root=args.data_root,
        held_out_from=tuple(args.held_out_from),
        models=tuple(args.model),
        embedding=args.embedding,
        embedding_folder=args.keep_embeddings,
        decoder=args.decoder,
        workers=args.workers,
        ray_address=args.ray_address,
        timeout=args.timeout,
    )
    result = build(settings)
    tell(f"{args.out}: {result['samples']['train']} train and {result['samples']['test']} test samples")
    for task, numbers in result["tasks"].items():
        chance = "-" if numbers["chance"] is None else f"{numbers['chance']:.3f}"
        samples = numbers["samples"]
        tell(f"  {task:<20} train {samples['train']:>6}   test {samples['test']:>5}   chance {chance}")
    videos = result["videos"]
    used = f"{videos['used']['train']} in train, {videos['used']['test']} in test"
    unused = ", ".join(f"{n} {reason}" for reason, n in sorted(videos["not_used"].items()))
    tell(f"  videos: {videos['found']} found, {used}" + (f"; not used: {unused}" if unused else ""))
    alike, unsigned = videos["look_alikes"], videos["compared_by_bytes_only"]
    if alike["groups"]:
        groups = "one group" if alike["groups"] == 1 else f"{alike['groups']} groups"
        tell(f"  look-alikes: {alike['videos']} videos in {groups}, none in both splits: {args.out}/look_alikes.jsonl")
    if unsigned:
        tell(f"  compared by their bytes only, since too dark, flat or damaged to tell what they look like: {unsigned}")
