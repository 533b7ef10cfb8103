"""`videossr doctor`."""

from __future__ import annotations

import argparse

from videossr_verl.errors import BadInput
from videossr_verl.printable import tell

SUMMARY = "see whether this machine, or a cluster, is fit to train"
HELP = """\
Looks at versions against the tested ones, this package, decoding, a sample's video, the data root, memory, /dev/shm,
disks, Ray, GPUs with their driver, and clocks. One line a finding, with its remedy; changes nothing.

  videossr doctor
  videossr doctor --data data/pretext/train.parquet --data-root /data/videos --run /shared/run
  videossr doctor --cluster auto --data-root /data/videos      # on every node of a Ray cluster
  videossr doctor --cluster auto --data-root '$DISK/videos'    # each node has a DISK of its own, set before Ray starts

Exit code: 0 all is well, 1 warnings, 2 failures (or wrong input).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options."""
    add = parser.add_argument
    add("--cluster", metavar="ADDRESS", help="look at every node of this Ray cluster: auto, or host:port")
    add("--data", metavar="FILE", help="parquet file of `videossr build`: its first video is compared")
    add("--data-root", metavar="DIR", help="data.data_root, where the videos are; $NAME is each node's own variable")
    add("--run", metavar="DIR", dest="folder", help="the run's folder, made or not yet: is there room for checkpoints?")


def run(args: argparse.Namespace) -> int:
    """Prints the table and returns the exit code."""
    from videossr_verl.preflight.doctor.checks import Asked, check_machine
    from videossr_verl.preflight.doctor.findings import as_text, worst

    if args.data and not args.data_root:
        raise BadInput("--data needs --data-root, the folder that its video paths are relative to")
    asked = Asked(args.data_root, args.data, args.folder)
    if args.cluster:
        from videossr_verl.preflight.doctor.cluster import check_cluster

        nodes = check_cluster(args.cluster, asked)
        tell(f"{len(nodes)} nodes: {', '.join(nodes)}")
    else:
        nodes = {"this machine": check_machine(asked)}
    tell(as_text(nodes))
    return worst(nodes)
