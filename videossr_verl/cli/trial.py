"""`videossr trial`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from videossr_verl.errors import BadInput
from videossr_verl.printable import tell

SUMMARY = "try a few real GRPO steps on this machine"
HELP = """\
Makes videos, questions and a model of random weights, and runs verl's trainer with vLLM on this machine's GPUs with the
settings of recipes/videossr_8b.sh: two steps and a checkpoint, a step from that checkpoint, and the death of a rollout
server. Tells how far rollout and trainer are apart, seconds a phase, memory beside the plan's, and about how long the
paper's run takes here. Downloads nothing. VERL_PLATFORM=cpu rehearses it all with a tiny model.

  videossr trial --out runs/trial
  videossr trial --out runs/trial --model /models/Qwen3-VL-8B-Instruct     # its own weights, whole
  videossr trial --out runs/trial actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2

Exit code: 0 all is well, 1 something failed, 2 wrong input (it does not fit these GPUs).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("overrides", metavar="OVERRIDE", nargs="*", help="an override of the config, as verl takes it")
    add(
        "--out",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder for logs and figures; an earlier trial's is cleared",
    )
    text = "a released model, for random weights of its widths, or a folder with weights (default the paper's)"
    add("--model", metavar="NAME", default="Qwen/Qwen3-VL-8B-Instruct", help=text)
    text = "layers of a model of random weights (default 4, which one GPU of 80 GB can train)"
    add("--layers", metavar="N", type=int, default=4, help=text)


def run(args: argparse.Namespace) -> int:
    """Prints the table and returns the exit code."""
    import torch

    from videossr_verl.preflight.memory.gpus import gpu_here
    from videossr_verl.trial.report import as_json, as_table
    from videossr_verl.trial.try_machine import Asked, try_machine

    if args.layers < 1:
        raise BadInput(f"--layers is {args.layers}, must be at least 1")
    gpu, out = gpu_here() if torch.cuda.is_available() else None, args.out.resolve()
    if gpu is None and os.environ.get("VERL_PLATFORM") != "cpu":
        raise BadInput(
            "torch sees no GPU here: see videossr doctor, or set VERL_PLATFORM=cpu to rehearse with a tiny model"
        )
    asked = Asked(out, args.model, args.layers, gpu, torch.cuda.device_count() or 1, tuple(args.overrides))
    findings = []
    for finding in try_machine(asked, lambda text: tell(f"trial: {text}")):
        findings.append(finding)
        tell(f"trial: {as_table([finding])}")
    (out / "trial.json").write_text(as_json(findings), encoding="utf-8")
    tell(f"\n{as_table(findings)}\n\nlogs and trial.json are in {out}")
    return 0 if all(finding.good is not False for finding in findings) else 1
