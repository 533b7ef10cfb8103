"""`videossr eval-path`."""

from __future__ import annotations

import argparse

SUMMARY = "where lmms-eval finds our tasks"
HELP = """\
Prints the folder of our lmms-eval tasks: VIUBench, masked video prediction, and benchmarks that lmms-eval lacks.

  python -m lmms_eval --tasks viubench --include_path "$(videossr eval-path)" --model videossr \\
      --model_args pretrained=Qwen/Qwen3-VL-8B-Instruct

lmms-eval and verl need different versions of the same packages: recipes/setup_lmms.sh makes an environment for it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds no options."""


def run(args: argparse.Namespace) -> None:
    """Prints the folder."""
    from videossr_verl.evaluate.lmms.benchmarks import task_folder

    print(task_folder())
