"""The parts of pictures that show frames and text to a person."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from videossr_verl.errors import BadInput
from videossr_verl.files.whole_file import whole_file

WIDTH = 1600  # of the picture, pixels
PAD, GAP = 28, 8
TEXT, FAINT, RULE = (28, 32, 38), (110, 118, 128), (222, 226, 230)


def save_picture(picture: Image.Image, out: str | os.PathLike[str]) -> None:
    """Writes the PNG `out`, whole or not at all. Raises BadInput if that cannot be."""
    try:
        with whole_file(out) as partial:
            picture.save(partial, format="PNG", optimize=True)
    except OSError as error:
        raise BadInput(f"cannot write the picture '{out}': {error.strerror or error}") from error


def page(parts: Sequence[Image.Image]) -> Image.Image:
    """Returns the parts below each other, with room around them and a line at the bottom."""
    body = stack(parts, gap=10)
    framed = Image.new("RGB", (WIDTH, body.height + 2 * PAD), "white")
    framed.paste(body, (PAD, PAD))
    ImageDraw.Draw(framed).line((PAD, framed.height - 1, WIDTH - PAD, framed.height - 1), fill=RULE)
    return framed


def text_line(pieces: Sequence[tuple[str, int, tuple[int, int, int]]]) -> Image.Image:
    """Returns a line of text pieces, each (text, size, colour), side by side."""
    image = Image.new("RGB", (WIDTH - 2 * PAD, max(size for _, size, _ in pieces) + 10), "white")
    draw, x = ImageDraw.Draw(image), 0.0
    for text, size, colour in pieces:
        draw.text((x, 0), text, font=font(size), fill=colour)
        x += draw.textlength(text, font=font(size))
    return image


def text_block(text: str, size: int, colour: tuple[int, int, int]) -> Image.Image:
    """Returns the text, wrapped over as many lines as it needs."""
    characters = int((WIDTH - 2 * PAD) / (0.52 * size))
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, characters)]
    image = Image.new("RGB", (WIDTH - 2 * PAD, max(1, len(lines)) * int(1.4 * size) + 4), "white")
    ImageDraw.Draw(image).multiline_text((0, 0), "\n".join(lines), font=font(size), fill=colour, spacing=0.25 * size)
    return image


def stack(images: Sequence[Image.Image], gap: int) -> Image.Image:
    """Returns the pictures below each other, `gap` pixels apart."""
    width = max(image.width for image in images)
    sheet = Image.new("RGB", (width, sum(i.height for i in images) + gap * (len(images) - 1)), "white")
    y = 0
    for image in images:
        sheet.paste(image, (0, y))
        y += image.height + gap
    return sheet


def font(size: int) -> ImageFont.FreeTypeFont:
    """Returns DejaVu Sans, which matplotlib carries, so that the picture is the same on every machine."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)
