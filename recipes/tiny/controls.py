"""What a learner gets from each control of a task: is the task answerable without order, from one frame, or blind?

Trains the tiny model on each task of a preset four times, from scratch or from a checkpoint: on its videos as they are,
on those of other samples (blind), on one frame of each, and on their frames in a random order. Each learner is tested
on other videos, shown in the same way, by the task's own reward. A task needs what a control takes away if the learner
of that control earns no more than the blind one, while that of the whole videos does.

    VERL_PLATFORM=cpu python recipes/tiny/controls.py --preset videossr_tiny --steps 300
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers.utils.logging import disable_progress_bar

from reward_fns import compute_score
from videossr_verl.endings import end_well
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.bootstrap import bootstrap
from videossr_verl.families import families
from videossr_verl.files.whole_file import write_whole
from videossr_verl.tasks.presets import Preset, load_preset
from videossr_verl.tiny.arrow_scenes import generate_arrow_frames
from videossr_verl.tiny.controlled import CONDITIONS, WHOLE, draw_controlled
from videossr_verl.tiny.generated_videos import generate_frames
from videossr_verl.tiny.scenes import Drawn, Scenes, draw, load_scenes
from videossr_verl.tiny.supervised import Samples, collate, encode, greedy_answers, train
from videossr_verl.tiny.untrained import Untrained, take_over, untrained

AT_ONCE = 40  # questions that are answered together
WORDS_FROM = 300  # samples that the tokenizer is trained on


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a learner is trained and tested."""

    family: str
    steps: int
    batch: int
    lr: float
    questions: int
    seed: int
    init: Path | None


@dataclasses.dataclass(frozen=True)
class Earned:
    """What a learner earns on held-out questions: mean reward, its 95 % interval over resampled videos, chance, share
    of exact answers, and the CPU seconds that training and test took.
    """

    reward: float
    low: float
    high: float
    chance: float
    exact: float
    cpu_seconds: float


def learn(subset: str, condition: str, preset: Preset, scenes: Scenes, held_out: Scenes, how: Settings) -> Earned:
    """Trains a model on one condition of a subset, and tests it on held-out scenes."""
    started = time.process_time()
    words = np.random.default_rng([how.seed, 0])
    learner = untrained(how.family, [draw(scenes, preset, subset, words).sample for _ in range(WORDS_FROM)], how.seed)
    if how.init:
        take_over(learner.model, learner.tokenizer, how.init)
    draws = _draws(scenes, preset, subset, condition, [how.seed, 1])
    loader = DataLoader(Samples(draws, learner.processor), batch_size=how.batch, collate_fn=collate)
    train(learner.model, loader, how.steps, how.lr)
    asked = _draws(held_out, preset, subset, condition, [how.seed, 2])()
    return _test(learner, preset, subset, [next(asked) for _ in range(how.questions)], started)


def _draws(
    scenes: Scenes, preset: Preset, subset: str, condition: str, seed: list[int]
) -> Callable[[], Iterator[Drawn]]:
    def endless() -> Iterator[Drawn]:
        rng = np.random.default_rng(seed)
        while True:
            yield draw_controlled(scenes, preset, subset, condition, rng)

    return endless


def _test(learner: Untrained, preset: Preset, subset: str, asked: list[Drawn], started: float) -> Earned:
    learner.model.eval()
    end, answers = learner.tokenizer.eos_token_id, []
    for start in range(0, len(asked), AT_ONCE):
        encoded = [encode(drawn, learner.processor) for drawn in asked[start : start + AT_ONCE]]
        answers += map(learner.tokenizer.decode, greedy_answers(learner.model, encoded, end))
    task = preset.subsets[subset].task
    results = [
        compute_score(f"videossr/{task}", text, drawn.sample.answer, {"difficulty": drawn.knobs})
        for text, drawn in zip(answers, asked, strict=True)
    ]
    reward, exact, chance = (float(np.mean([r[kind] for r in results])) for kind in ("score", "acc", "chance"))
    videos = [drawn.sample.videos[0].video for drawn in asked]
    low, high = bootstrap(videos, [r["score"] for r in results], 0)
    return Earned(reward, low, high, chance, exact, time.process_time() - started)


def as_markdown(found: dict[str, dict[str, Earned]]) -> str:
    """Returns a table with a line for each subset: chance, and what the learner of each condition earns."""
    names = [condition.replace("_", " ") for condition in CONDITIONS]
    lines = [f"| task | chance | {' | '.join(names)} | CPU seconds |", "|" + " --- |" * (len(names) + 3)]
    for subset, earned in found.items():
        cells = [f"{e.reward:.2f} ({e.low:.2f} to {e.high:.2f})" for e in earned.values()]
        seconds = sum(e.cpu_seconds for e in earned.values())
        chance = earned[WHOLE].chance
        lines.append(f"| {subset.replace('_', ' ')} | {chance:.2f} | {' | '.join(cells)} | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=families(), default="qwen2_5_vl")
    parser.add_argument("--preset", default="videossr_tiny")
    parser.add_argument("--tasks", nargs="+", help="only these of the preset")
    parser.add_argument("--init", type=Path, help="checkpoint that each learner goes on from (default: from scratch)")
    parser.add_argument("--steps", type=int, required=True, help="of each learner")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--scenes", type=int, default=400, help="generated videos to learn from")
    parser.add_argument("--held-out", type=int, default=80, help="other generated videos to be tested on")
    parser.add_argument("--questions", type=int, default=240, help="of each test")
    parser.add_argument("--seed", type=int, default=1000, help="of videos, samples and weights")
    parser.add_argument("--with-arrow", action="store_true", help="videos for arrow_of_time: time has a direction")
    parser.add_argument("--videos", type=Path, help="folder that keeps the generated videos")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="the figures as JSON")
    args = parser.parse_args()

    preset = load_preset(args.preset)
    if unknown := sorted(set(args.tasks or ()) - set(preset.subsets)):
        raise BadInput(f"preset '{preset.name}' has no task '{unknown[0]}'; it has {', '.join(preset.subsets)}")
    preset = dataclasses.replace(preset, subsets={task: preset.subsets[task] for task in args.tasks or preset.subsets})
    factor = families()[args.family].FACTOR
    torch.set_num_threads(1)
    disable_progress_bar()
    drawing = generate_arrow_frames if args.with_arrow else generate_frames
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.videos or Path(scratch)
        scenes = load_scenes(folder / "learn", args.scenes, args.seed, preset, factor, drawing)
        held_out = load_scenes(folder / "held_out", args.held_out, args.seed + 1, preset, factor, drawing)
    how = Settings(args.family, args.steps, args.batch, args.lr, args.questions, args.seed, args.init)
    found: dict[str, dict[str, Earned]] = {}
    for subset in preset.subsets:
        for condition in tqdm(CONDITIONS, desc=subset, unit="learner"):
            print(f"{subset}, {condition}", flush=True)
            found.setdefault(subset, {})[condition] = learn(subset, condition, preset, scenes, held_out, how)
            print(found[subset][condition], flush=True)
        print(as_markdown(found), flush=True)
    if args.out:
        data = {subset: {name: dataclasses.asdict(e) for name, e in earned.items()} for subset, earned in found.items()}
        write_whole(args.out, json.dumps(data, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(end_well(main))
