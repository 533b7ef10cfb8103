"""Makes a warm-started tiny checkpoint: supervised training on endlessly drawn pretext samples.

GRPO needs a policy that sometimes answers right; an untrained model of a million parameters never does. The warm
start stops before the model has learned the tasks, or ends with labels of a careless annotator. It draws from generated
videos of its own, so nothing of the quickstart's training or test videos has been seen.

    VERL_PLATFORM=cpu python recipes/tiny/warm_start.py --family qwen3_vl --steps 500 --out warm-start

`make_qwen2_5_vl.sh` and `make_careless.sh` say how the checkpoints beside it were made.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from videossr_verl.endings import end_well
from videossr_verl.families import families
from videossr_verl.files.whole_file import whole_folder
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.careless_labels import carelessly_labelled
from videossr_verl.tiny.model import build_processor, save_checkpoint
from videossr_verl.tiny.scenes import Drawn, draw, load_scenes
from videossr_verl.tiny.supervised import Samples, collate, train
from videossr_verl.tiny.untrained import take_over, untrained


def main() -> None:
    """Runs the command line, which writes an HF checkpoint folder (bf16)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=families(), default="qwen2_5_vl")
    parser.add_argument("--preset", default="videossr_tiny")
    parser.add_argument("--tasks", nargs="+", help="only these of the preset")
    parser.add_argument("--init", type=Path, help="checkpoint to go on from")
    parser.add_argument("--scenes", type=int, default=800, help="generated videos to draw from")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=1000, help="of videos, samples and weights")
    parser.add_argument(
        "--careless",
        type=float,
        metavar="SHARE",
        help="labels of an annotator who errs so often",
    )
    parser.add_argument("--save-every", type=int, metavar="STEPS", help="keep snapshots OUT-STEP as well")
    parser.add_argument("--videos", type=Path, help="folder that keeps the generated videos")
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()

    preset = load_preset(args.preset)
    if args.tasks:
        preset = dataclasses.replace(preset, subsets={task: preset.subsets[task] for task in args.tasks})
    factor = families()[args.family].FACTOR
    with tempfile.TemporaryDirectory() as scratch:
        scenes = load_scenes(args.videos or Path(scratch), args.scenes, args.seed, preset, factor)
    rng = np.random.default_rng(args.seed)
    examples = [draw(scenes, preset, task, rng).sample for task in preset.subsets for _ in range(300)]
    model, tokenizer, processor = untrained(args.family, examples, args.seed)
    if args.init:
        take_over(model, tokenizer, args.init)
    count = sum(p.numel() for p in model.parameters())
    print(f"{args.family}: {count:,} parameters, {len(tokenizer)} tokens", flush=True)

    def draws() -> Iterator[Drawn]:
        """Yields samples of the tasks in turn."""
        rng = np.random.default_rng(args.seed)
        while True:
            for task in preset.subsets:
                drawn = draw(scenes, preset, task, rng)
                yield carelessly_labelled(drawn, args.careless, rng) if args.careless else drawn

    def save(out: Path) -> None:
        with whole_folder(out) as partial:
            save_checkpoint(copy.deepcopy(model).to(torch.bfloat16), build_processor(args.family, tokenizer), partial)

    def snapshot(step: int) -> None:
        if args.save_every and step % args.save_every == 0:
            save(args.out.with_name(f"{args.out.name}-{step}"))

    samples = Samples(draws, processor)
    loader = DataLoader(samples, batch_size=args.batch, collate_fn=collate, num_workers=1, prefetch_factor=4)
    train(model, loader, args.steps, args.lr, snapshot)
    save(args.out)


if __name__ == "__main__":
    sys.exit(end_well(main))
