"""Breaks everything on purpose, many times, and writes docs/reliability.md: what was tried, and what survived.

  .venv/bin/python tests/faults/full_run.py                      every campaign
  .venv/bin/python tests/faults/full_run.py build_io --tries 8   one campaign; docs/reliability.md stays as it is

A campaign is a file campaign_*.py here: NAME, MEANS (what counts as survived), TRIES, and run(folder, tries, seed),
which yields what was done and whether it was survived. The tests beside it run the same campaign with few tries.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "reliability.md"
HEAD = """\
# Broken on purpose

Made by `.venv/bin/python tests/faults/full_run.py` (seed {seed}, {cores} cores, {minutes:.0f} minutes).
Each row is a campaign in `tests/faults/`, which has the injectors of its faults too.
The tests there run each with few tries.

| what is broken | survived means | tries | survived |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Outcome:
    """What one campaign gave: how many tries it made, and what was done in those that were not survived."""

    name: str
    means: str
    tries: int
    failed: list[str]


def campaigns() -> dict[str, ModuleType]:
    """All of them by their short names."""
    names = sorted(path.stem for path in HERE.glob("campaign_*.py"))
    return {name.removeprefix("campaign_"): importlib.import_module(name) for name in names}


def carry_out(campaign: ModuleType, tries: int, seed: int) -> Outcome:
    """Runs a campaign in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        results: Iterator[tuple[str, bool]] = campaign.run(Path(folder), tries, seed)
        made = list(tqdm(results, campaign.NAME, total=tries, unit="try"))
    failed = [done for done, survived in made if not survived]
    for done in failed:
        print(f"NOT SURVIVED: {campaign.NAME}: {done}", file=sys.stderr)
    return Outcome(campaign.NAME, campaign.MEANS, len(made), failed)


def as_page(outcomes: list[Outcome], seed: int, minutes: float) -> str:
    """The table, and each try that was not survived."""
    page = HEAD.format(seed=seed, cores=len(os.sched_getaffinity(0)), minutes=minutes)
    for one in outcomes:
        page += f"| {one.name} | {one.means} | {one.tries} | {one.tries - len(one.failed)} |\n"
    lost = [f"- {one.name}: {done}\n" for one in outcomes for done in one.failed]
    return page + ("\n## Not survived\n\n" + "".join(lost) if lost else "")


def main() -> int:
    """Command line; 1 where a try was not survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help="short names (default: all, and the page)")
    parser.add_argument("--tries", type=int, metavar="N", help="of each campaign (default: its own TRIES)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of everything random (default 1)")
    args = parser.parse_args()
    os.environ.setdefault("VERL_PLATFORM", "cpu")
    known = campaigns()
    if unknown := set(args.campaigns) - set(known):
        parser.error(f"unknown campaign {', '.join(sorted(unknown))}; known ones: {', '.join(known)}")
    started = time.monotonic()
    chosen = [known[name] for name in args.campaigns or known]
    outcomes = [carry_out(campaign, args.tries or campaign.TRIES, args.seed) for campaign in chosen]
    page = as_page(outcomes, args.seed, (time.monotonic() - started) / 60)
    print(page)
    if not args.campaigns and args.tries is None:
        PAGE.write_text(page, encoding="utf-8")
    return any(outcome.failed for outcome in outcomes)


if __name__ == "__main__":
    sys.exit(main())
