"""Makes the page on what is patched: python -m videossr_verl.patches.upstream_page > docs/upstream.md"""

from __future__ import annotations

from collections.abc import Iterator

from videossr_verl.patches.table import PATCHES, Patch, Place

HEAD = """\
# What is changed in verl, vLLM and other libraries

Made from `videossr_verl/patches/table.py` by `python -m videossr_verl.patches.upstream_page > docs/upstream.md`.

You need not configure any of this: verl and vLLM find the plugin through entry points, and each module is changed right
after it is imported. Each row names the test of the repair. Most tests of correctness and the CPU also fail when the
library no longer needs the repair; then remove the row and its file. If several rows change one function, later ones
lie around earlier ones. Upstream lists the known issues and pull requests, open or not."""

PURPOSES = {
    "correctness": "Without these rollout and trainer see different prompts, a setting does nothing, or a run ends.",
    "speed": "Without these all is right but slow. With them a prompt's media are processed, kept and sent once.",
    "survival": "With these a run survives, or ends with one sentence.",
    "cpu": "With these verl runs on a machine without an accelerator. They need `VERL_PLATFORM=cpu`.",
}


def page() -> str:
    """Returns the page as Markdown."""
    return "\n".join([HEAD, *(line for purpose in PURPOSES for line in _section(purpose))]) + "\n"


def _section(purpose: str) -> Iterator[str]:
    yield f"\n## {purpose.upper() if purpose == 'cpu' else purpose.capitalize()}\n\n{PURPOSES[purpose]}\n"
    yield "| without it | seen in | what is changed, and by what | upstream | test |"
    yield "| --- | --- | --- | --- | --- |"
    for patch in PATCHES:
        if patch.purpose == purpose:
            cells = patch.why, _versions(patch), _places(patch), _upstream(patch), f"`{patch.test}`"
            yield f"| {' | '.join(cells)} |"


def _versions(patch: Patch) -> str:
    text = ", ".join(patch.versions)
    if patch.since:
        text += f"; since {patch.since}"
    if patch.until:
        text += f"; until {patch.until}"
    return text


def _places(patch: Patch) -> str:
    return "<br>".join(f"`{_target(place)}` by `{_changed_by(place)}`" for place in patch.places)


def _target(place: Place) -> str:
    return f"${place.name}" if place.how == "environment" else f"{place.module}.{place.name}"


def _changed_by(place: Place) -> str:
    return place.by.removeprefix("videossr_verl.").removeprefix("patches.").replace(":", ".")


def _upstream(patch: Patch) -> str:
    return ", ".join(f"[{issue}](https://github.com/{issue.replace('#', '/issues/')})" for issue in patch.upstream)


if __name__ == "__main__":
    print(page(), end="")
