"""A picture of pairs of frames, row by row more alike, to see from which row on they look alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from videossr_verl.prompt.sheet import (
    FAINT,
    GAP,
    PAD,
    TEXT,
    WIDTH,
    font,
    page,
    save_picture,
    stack,
    text_block,
    text_line,
)

CAPTION = 13


@dataclass(frozen=True)
class PairRow:
    """A row of the picture: a title, and pairs of frames, (2, h, w, 3) uint8 each, with a caption for each. `marked`
    sets the title off.
    """

    title: str
    pairs: Sequence[tuple[np.ndarray, str]]
    marked: bool = False


def draw_pair_sheet(intro: str, rows: Sequence[PairRow], out: str | os.PathLike[str]) -> None:
    """Draws the rows below each other into the PNG `out`. Raises BadInput if it cannot be written."""
    across = max((len(row.pairs) for row in rows), default=0)
    save_picture(stack([page([text_block(intro, 15, TEXT)]), *(_row(row, across) for row in rows)], gap=0), out)


def _row(row: PairRow, across: int) -> Image.Image:
    title = text_line([(row.title, 18, (214, 69, 65) if row.marked else TEXT)])
    if not row.pairs:
        return page([title, text_block("no such pair", CAPTION, FAINT)])
    cell = (WIDTH - 2 * PAD) // across
    pictures = [_pair(frames, (cell - 2 * GAP) // 2) for frames, _ in row.pairs]
    height = max(picture.height for picture in pictures)
    strip = Image.new("RGB", (WIDTH - 2 * PAD, height + CAPTION + 8), "white")
    draw = ImageDraw.Draw(strip)
    for i, (picture, (_, caption)) in enumerate(zip(pictures, row.pairs, strict=True)):
        strip.paste(picture, (i * cell, 0))
        draw.text((i * cell, height + 4), caption, font=font(CAPTION), fill=FAINT)
    return page([title, strip])


def _pair(frames: np.ndarray, width: int) -> Image.Image:
    """Draws two frames side by side, each at most `width` wide."""
    first, second = (Image.fromarray(frame) for frame in frames)
    size = (min(width, first.width), round(first.height * min(width, first.width) / first.width))
    both = Image.new("RGB", (2 * size[0] + GAP // 2, size[1]), "white")
    both.paste(first.resize(size), (0, 0))
    both.paste(second.resize(size), (size[0] + GAP // 2, 0))
    return both
