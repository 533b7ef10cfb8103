"""A verb's parser, with its help text as it was written."""

from __future__ import annotations

import argparse


def add_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, text: str
) -> argparse.ArgumentParser:
    """Returns the parser of verb `name` among `verbs` (of `add_subparsers`)."""
    shape = argparse.RawDescriptionHelpFormatter
    return verbs.add_parser(name, help=summary, description=text, formatter_class=shape)
