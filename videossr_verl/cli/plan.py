"""`videossr plan`."""

from __future__ import annotations

import argparse

from videossr_verl.printable import tell

SUMMARY = "tell the memory and tokens of a run before it starts"
HELP = """\
Reads the config that verl would get, with all overrides, and tells what each phase of a step needs on a GPU and on a
node. Builds nothing, starts nothing, needs neither GPU nor network. Through the recipes:

  bash recipes/grpo.sh /data/videos model=qwen3_vl_8b cluster=1x8 --plan --gpu h100
  videossr plan --gpu 80 actor_rollout_ref.model.path=Qwen/Qwen3-VL-8B-Instruct trainer.nnodes=1

Takes prompt lengths from data.train_files if they exist, else from a preset. Activations are an estimate. Exit code:
0 it fits, 2 it does not (the last line tells what is too large, and what to change) or wrong input.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("overrides", metavar="OVERRIDE", nargs="*", help="an override of the config, as verl takes it")
    text = "a100-40g, a100-80g, h100, h200, b200, l40s, rtx4090 or a number of GiB (default: this machine's, else h100)"
    add("--gpu", metavar="NAME", help=text)
    text = "a node's own memory (default: this machine's where --gpu is this machine's too, else it is not judged)"
    add("--host-memory", metavar="GIB", help=text)
    add(
        "--preset",
        metavar="NAME",
        default="videossr",
        help="the data set's preset, before it is built (default videossr)",
    )
    add("--config-name", metavar="NAME", default="videossr_grpo", help="Hydra config (default videossr_grpo)")


def run(args: argparse.Namespace) -> None:
    """Prints the plan. Raises BadInput after the table if the run does not fit."""
    from videossr_verl.preflight.memory.gpus import DEFAULT, find_gpu, gpu_here
    from videossr_verl.preflight.memory.host import node_memory
    from videossr_verl.preflight.memory.plan_config import plan_config
    from videossr_verl.preflight.memory.report import report, require_fit, summary

    here = None if args.gpu else gpu_here()
    gpu, memory = here or find_gpu(args.gpu or DEFAULT), node_memory(args.host_memory, here=here is not None)
    plan = plan_config(args.config_name, args.overrides, gpu, memory, args.preset)
    tell(report(plan).rstrip("\n"))
    require_fit(plan)
    tell(summary(plan))
