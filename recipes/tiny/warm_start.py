"""Makes a warm-started tiny checkpoint: supervised training on endlessly drawn pretext samples.

GRPO needs a policy that sometimes answers right; an untrained model of a million parameters never does. The warm
start stops before the model has learned the tasks. It draws from generated videos of its own, so nothing of
the quickstart's training or test videos has been seen.

    VERL_PLATFORM=cpu python recipes/tiny/warm_start.py --family qwen3_vl --steps 500 --out warm-start

`make_qwen2_5_vl.sh` says how the checkpoint beside it was made.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm
from transformers import (
    AutoModelForImageTextToText,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)
from verl.utils.tokenizer import build_multimodal_processor_inputs, hf_processor

from videossr_verl.endings import end_well
from videossr_verl.families import families
from videossr_verl.files.whole_file import whole_folder
from videossr_verl.prompt.tokens import content_parts
from videossr_verl.rows.schema import SYSTEM_PROMPT
from videossr_verl.tasks import get_task
from videossr_verl.tasks.clip import Clip, sample_clip
from videossr_verl.tasks.contract import CannotDraw, Sample
from videossr_verl.tasks.presets import Preset, load_preset
from videossr_verl.tiny.generated_videos import generate_videos
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer
from videossr_verl.video.decode import decode
from videossr_verl.video.embedding import embed
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.probe import probe
from videossr_verl.video.size import target_size

# A clip, its frames (T, H, W, 3) and what else a task's `draw` takes.
Scene = tuple[Clip, np.ndarray, dict[str, np.ndarray]]


def load_scenes(folder: Path, count: int, seed: int, preset: Preset, factor: int) -> dict[str, list[Scene]]:
    """Returns clips of generated videos with their decoded frames, by task."""
    scenes: dict[str, list[Scene]] = {task: [] for task in preset.subsets}
    for path in tqdm(generate_videos(folder, count, seed), desc="scenes", mininterval=5):
        info, loaded = probe(path), {}
        for task, of_task in scenes.items():
            settings, knobs = preset.subsets[task].clip, preset.subsets[task].difficulty
            if settings not in loaded:
                clip = sample_clip(info, path.name, settings)
                size = target_size(clip.height, clip.width, clip.min_pixels, clip.max_pixels, factor)
                loaded[settings] = clip, decode(path, clip.times, size)
            clip, frames = loaded[settings]
            extras = {"embeddings": embed(frames, knobs.embedding)} if hasattr(knobs, "embedding") else {}
            of_task.append((clip, frames, extras))
    return scenes


def draw(
    scenes: dict[str, list[Scene]], preset: Preset, task: str, rng: np.random.Generator
) -> tuple[Sample, list[np.ndarray]]:
    """Returns a fresh sample of `task` and its N videos as rendered, uint8 (T, H, W, 3)."""
    module = get_task(task)
    while True:
        clip, frames, extras = scenes[task][rng.integers(len(scenes[task]))]
        try:
            sample = module.draw(clip, frames, preset.subsets[task].difficulty, rng, **extras)
        except CannotDraw:
            continue
        at = {time: i for i, time in enumerate(clip.times)}
        shown = [frames[[at[t] for t in spec.times]] for spec in sample.videos]
        return sample, [
            module.render(spec.transform, f) if spec.transform else f
            for spec, f in zip(sample.videos, shown, strict=True)
        ]


def prompt(sample: Sample) -> list[dict[str, Any]]:
    """Returns the messages that a row of the built dataset holds."""
    turns = [("system", SYSTEM_PROMPT), ("user", sample.question)]
    return [{"role": role, "content": content_parts(text)} for role, text in turns]


def encode(sample: Sample, videos: list[np.ndarray], processor: ProcessorMixin) -> dict[str, Any]:
    """Returns the token ids with the answer, M-RoPE positions (3, L) as verl computes them, pixels, and the number of
    prompt tokens.
    """
    text = processor.apply_chat_template(prompt(sample), tokenize=False, add_generation_prompt=True)
    pairs = [
        (torch.from_numpy(np.ascontiguousarray(v.transpose(0, 3, 1, 2))), video_metadata(spec.clock))
        for v, spec in zip(videos, sample.videos, strict=True)
    ]
    inputs = build_multimodal_processor_inputs(processor, text=[text], videos=pairs)
    answer = [*processor.tokenizer(sample.answer)["input_ids"], processor.tokenizer.eos_token_id]
    ids = torch.cat([inputs["input_ids"][0], torch.tensor(answer)])[None]
    positions, _ = processor.get_rope_index(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=2 * (ids == processor.video_token_id).long(),
        image_grid_thw=None,
        video_grid_thw=inputs["video_grid_thw"],
        **getattr(processor, "get_rope_index_kwargs", lambda _: {})(inputs),
    )
    return {
        "task": sample.task,
        "ids": ids[0],
        "positions": positions[:, 0],
        "pixels": inputs["pixel_values_videos"],
        "grid": inputs["video_grid_thw"],
        "num_prompt_tokens": ids.shape[1] - len(answer),
    }


class Samples(IterableDataset):
    """Endless encoded samples, the tasks in turn."""

    def __init__(self, scenes: dict[str, list[Scene]], preset: Preset, processor: ProcessorMixin, seed: int) -> None:
        self._scenes, self._preset, self._processor, self._seed = scenes, preset, processor, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        torch.set_num_threads(1)
        rng = np.random.default_rng(self._seed)
        while True:
            for task in self._preset.subsets:
                yield encode(*draw(self._scenes, self._preset, task, rng), self._processor)


def collate(rows: list[dict[str, Any]]) -> tuple[dict[str, torch.Tensor], torch.Tensor, list[str]]:
    """Returns right-padded model inputs, labels (-100 outside the answers) and the rows' tasks."""
    length = max(len(row["ids"]) for row in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.zeros(len(rows), length, dtype=torch.long)
    labels = torch.full((len(rows), length), -100)
    positions = torch.zeros(4, len(rows), length, dtype=torch.long)
    for i, row in enumerate(rows):
        n = len(row["ids"])
        ids[i, :n], mask[i, :n] = row["ids"], 1
        labels[i, row["num_prompt_tokens"] : n] = row["ids"][row["num_prompt_tokens"] :]
        positions[0, i, :n], positions[1:, i, :n] = torch.arange(n), row["positions"]
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions,
        "pixel_values_videos": torch.cat([row["pixels"] for row in rows]),
        "video_grid_thw": torch.cat([row["grid"] for row in rows]),
    }
    return inputs, labels, [row["task"] for row in rows]


def train(model: PreTrainedModel, loader: DataLoader, steps: int, lr: float, snapshot: Callable[[int], None]) -> None:
    """Trains with AdamW and a short linear warm-up. Prints the mean nats per answer of each task every 100 steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    losses: dict[str, list[float]] = {}
    started = time.monotonic()
    for step, (inputs, labels, tasks) in zip(range(1, steps + 1), loader, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, step / 50)
        logits = model(**inputs, use_cache=False).logits[:, :-1].transpose(1, 2).float()
        nats = torch.nn.functional.cross_entropy(logits, labels[:, 1:], reduction="none").sum(1)
        optimizer.zero_grad()
        nats.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 4.0)
        optimizer.step()
        for task, value in zip(tasks, nats.tolist(), strict=True):
            losses.setdefault(task, []).append(value)
        if step % 100 == 0:
            figures = "  ".join(f"{task} {np.mean(values):.3f}" for task, values in losses.items())
            print(f"step {step}/{steps}  {time.monotonic() - started:.0f} s  nats: {figures}", flush=True)
            losses.clear()
        snapshot(step)


def scale_weights(model: PreTrainedModel, seed: int) -> None:
    """Gives matrices unit gain: at the config's std of 0.02 a model this small passes hardly any signal at first."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() >= 2 and "embed" not in name:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)


def take_over(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Puts the weights of the checkpoint `folder` into `model`. Embeddings of tokens that both know go by name."""
    old = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    known = AutoTokenizer.from_pretrained(folder).get_vocab()
    rows, old_rows = torch.tensor([(row, known[t]) for t, row in tokenizer.get_vocab().items() if t in known]).T
    with torch.no_grad():
        model.get_input_embeddings().weight[rows] = old.get_input_embeddings().weight[old_rows]
        weights = dict(model.named_parameters())
        for name, weight in old.named_parameters():
            if weight is not old.get_input_embeddings().weight:
                weights[name].copy_(weight)


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
        examples = [draw(scenes, preset, task, rng)[0] for task in preset.subsets for _ in range(300)]
        texts = [text for s in examples for text in (*s.question.split("<video>"), s.answer)]
        tokenizer = train_tokenizer([*texts, *["system\n", "user\n", "assistant\n", SYSTEM_PROMPT] * len(examples)])
        model = build_model(args.family, tokenizer, args.seed)
        scale_weights(model, args.seed)
        if args.init:
            take_over(model, tokenizer, args.init)
        count = sum(p.numel() for p in model.parameters())
        print(f"{args.family}: {count:,} parameters, {len(tokenizer)} tokens", flush=True)

        # verl's loader gives the processor the position ids that training will use.
        save_checkpoint(model, build_processor(args.family, tokenizer), Path(scratch, "untrained"))
        samples = Samples(scenes, preset, hf_processor(str(Path(scratch, "untrained"))), args.seed)

    def save(out: Path) -> None:
        with whole_folder(out) as partial:
            save_checkpoint(copy.deepcopy(model).to(torch.bfloat16), build_processor(args.family, tokenizer), partial)

    def snapshot(step: int) -> None:
        if args.save_every and step % args.save_every == 0:
            save(args.out.with_name(f"{args.out.name}-{step}"))

    loader = DataLoader(samples, batch_size=args.batch, collate_fn=collate, num_workers=1, prefetch_factor=4)
    train(model, loader, args.steps, args.lr, snapshot)
    save(args.out)


if __name__ == "__main__":
    sys.exit(end_well(main))
