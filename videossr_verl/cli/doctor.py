"""`videossr doctor`."""

from __future__ import annotations

import argparse

from videossr_verl.errors import BadInput

SUMMARY = "see whether this machine, or a cluster, is fit to train"
HELP = """\
Looks at versions against the tested ones, plugins, decoding, a sample's video, the data root, memory, /dev/shm, disk,
GPUs and clocks. One line a finding, with its remedy; changes nothing.

  videossr doctor
  videossr doctor --data data/pretext/train.parquet --data-root /data/videos
  videossr doctor --cluster auto --data-root /data/videos      # on every node of a Ray cluster

Exit code: 0 all is well, 1 warnings, 2 failures (or wrong input).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    add = parser.add_argument
    add("--cluster", metavar="ADDRESS", help="look at every node of this Ray cluster: auto, or host:port")
    add("--data", metavar="FILE", help="parquet file of `videossr build`: its first video is compared")
    add("--data-root", metavar="DIR", help="where the videos are; must be the same on every node")


def run(args: argparse.Namespace) -> int:
    """Prints the table; returns the exit code."""
    from videossr_verl.doctor.checks import Asked, check_machine
    from videossr_verl.doctor.findings import as_text, worst

    if args.data and not args.data_root:
        raise BadInput("--data needs --data-root, the folder that its video paths are relative to")
    asked = Asked(args.data_root, args.data)
    if args.cluster:
        from videossr_verl.doctor.cluster import check_cluster

        nodes = check_cluster(args.cluster, asked)
        print(f"{len(nodes)} nodes: {', '.join(nodes)}")
    else:
        nodes = {"this machine": check_machine(asked)}
    print(as_text(nodes))
    return worst(nodes)
