"""Makes the start of the transfer experiment: supervised training on pretext tasks and questions in turn.

With --careless the labels of both are those of a careless annotator, so that the model answers worse than it sees, as
the quickstart's start does. Draws from generated videos of its own: no other part of the experiment has them.
`run.sh` says how the start is made.

    VERL_PLATFORM=cpu python recipes/transfer/make_start.py --steps 400 --videos videos --out able
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch.utils.data import DataLoader

from videossr_verl.endings import end_well
from videossr_verl.families import qwen2_5_vl
from videossr_verl.files.whole_file import whole_folder
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.careless_labels import carelessly_labelled
from videossr_verl.tiny.model import build_processor, save_checkpoint
from videossr_verl.tiny.question_rewards import chance, score_answer
from videossr_verl.tiny.questions import carelessly_answered, draw_question
from videossr_verl.tiny.scenes import Drawn, draw, load_scenes
from videossr_verl.tiny.supervised import Samples, collate, encode, greedy_answers, train
from videossr_verl.tiny.untrained import take_over, untrained

FAMILY = "qwen2_5_vl"
QUICKSTARTS = Path(__file__).parent.parent / "tiny" / "careless_qwen2_5_vl"
# How often a turn asks each kind. A model of this size takes longest to see which way a thing moves.
TURN = {"direction": 4, "how_many": 1, "which_first": 2, "when": 1}
ASKED = 100  # fresh questions of each kind, to see where the model stands


def main() -> None:
    """Runs the command line: writes an HF checkpoint folder (bf16), and prints what its answers to each kind earn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--init", type=Path, default=QUICKSTARTS, help="checkpoint to go on from (default: the quickstart's)"
    )
    parser.add_argument("--scenes", type=int, default=400, help="generated videos for the pretext tasks")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=1000, help="of videos, samples and new tokens")
    parser.add_argument("--careless", type=float, metavar="SHARE", default=0, help="how often a label is a mistake")
    parser.add_argument("--videos", type=Path, required=True, help="folder that keeps the generated videos")
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()

    preset = load_preset("videossr_tiny")
    scenes = load_scenes(args.videos, args.scenes, args.seed, preset, qwen2_5_vl.FACTOR)
    rng = np.random.default_rng(args.seed)

    def asked(kind: str) -> Drawn:
        question, frames = draw_question(kind, rng)
        return Drawn(carelessly_answered(question, args.careless, rng).sample, [frames], {})

    examples = [draw(scenes, preset, task, rng).sample for task in preset.subsets for _ in range(300)]
    examples += [asked(kind).sample for kind in TURN for _ in range(100)]
    model, tokenizer, processor = untrained(FAMILY, examples, args.seed)
    take_over(model, tokenizer, args.init)

    def draws() -> Iterator[Drawn]:
        """Yields samples of all tasks and kinds, turn by turn."""
        while True:
            for task in preset.subsets:
                yield carelessly_labelled(draw(scenes, preset, task, rng), args.careless, rng)
            for kind, times in TURN.items():
                yield from (asked(kind) for _ in range(times))

    torch.set_num_threads(1)
    loader = DataLoader(Samples(draws, processor), batch_size=args.batch, collate_fn=collate)
    train(model, loader, args.steps, args.lr)
    model.eval()
    for kind in TURN:
        questions, films = zip(*(draw_question(kind, rng) for _ in range(ASKED)), strict=True)
        encoded = [encode(Drawn(q.sample, [film], {}), processor) for q, film in zip(questions, films, strict=True)]
        texts = map(tokenizer.decode, greedy_answers(model, encoded, tokenizer.eos_token_id))
        earned = [score_answer(kind, text, q.sample.answer) for text, q in zip(texts, questions, strict=True)]
        print(f"{kind}: reward {fmean(earned):.3f}, chance {chance(kind):.3f}", flush=True)
    with whole_folder(args.out) as partial:
        save_checkpoint(model.to(torch.bfloat16), build_processor(FAMILY, tokenizer), partial)


if __name__ == "__main__":
    sys.exit(end_well(main))
