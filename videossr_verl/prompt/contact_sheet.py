"""A picture of samples: what the model is shown, what it is asked, and what the right answer is."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from videossr_verl.errors import BadInput
from videossr_verl.families import qwen2_5_vl
from videossr_verl.prompt.render import render
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
from videossr_verl.rows.dataset_folder import read_rows, stored_data_root
from videossr_verl.rows.schema import Row
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.specs import ImageSpec, VideoSpec

THUMB_WIDTH = 120
FRAMES_PER_VIDEO = 24  # shown of a long video, evenly chosen, the changed ones among them
FRAMES_PER_LINE = 16  # of several short videos
STILLS_PER_LINE = 8
NUMBER_WIDTH = 34
BORDER = 5
ACCENTS = ((214, 69, 65), (38, 120, 178), (39, 142, 96), (142, 84, 165), (202, 123, 28), (70, 85, 105))
_PLACE = re.compile(r"([^\n<>]*)<(video|image)>")  # with the label before it


@dataclass(frozen=True)
class _Frame:
    """A frame of the picture. It is `marked` if it was changed, or belongs to the answer."""

    picture: Image.Image
    time: float
    marked: bool
    label: str = ""


def draw_contact_sheet(
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    rows: int = 1,
    split: str = "train",
    data_root: str | None = None,
) -> int:
    """Draws the first `rows` samples of each task (and named subset of one) of a dataset folder into the PNG `out`.

    Returns how many.

    Args:
        data_root: where the videos are; None: as dataset.json tells.

    Raises:
        BadInput: no dataset there, a video that is missing now, or a picture that cannot be written.
    """
    if rows < 1:
        raise BadInput(f"rows is {rows}, must be at least 1")
    samples = _first_of_each_subset(read_rows(Path(dataset) / f"{split}.parquet"), rows)
    if not samples:
        raise BadInput(f"'{Path(dataset) / f'{split}.parquet'}' has no rows")
    root = data_root or stored_data_root(Path(dataset))
    parts = [_sample_image(row, root, ACCENTS[i // rows % len(ACCENTS)]) for i, row in enumerate(samples)]
    sheet = stack(parts, gap=0)
    save_picture(sheet, out)
    return len(samples)


def _first_of_each_subset(rows: Sequence[Row], count: int) -> list[Row]:
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row["data_source"], []).append(row)
    return [row for source in sorted(by_source) for row in by_source[source][:count]]


def _sample_image(row: Row, data_root: str, accent: tuple[int, int, int]) -> Image.Image:
    """Draws one sample: a title with the answer, the question, a strip of frames for each video, and the single
    frames.
    """
    strips, stills = _shown(row, data_root)
    asked, source = row["prompt"][-1]["content"], row["data_source"].removeprefix("videossr/")
    question = "\n".join(line for line in asked.splitlines() if not _PLACE.search(line))
    answer = f"   answer  {row['reward_model']['ground_truth']}"
    parts = [
        text_line([(source.replace("/", ": ").replace("_", " "), 26, TEXT), (answer, 26, accent)]),
        text_block(question, 15, TEXT),
        text_block(f"{row['videos'][0]['video']}   {_gist(row['extra_info'].get('details') or '{}')}", 13, FAINT),
        _strips_image(strips, accent),
    ]
    if stills:
        parts.append(_strip(stills, (WIDTH - 2 * PAD) // STILLS_PER_LINE - GAP, STILLS_PER_LINE, accent))
    return page(parts)


def _shown(row: Row, data_root: str) -> tuple[list[list[_Frame]], list[_Frame]]:
    """Returns the frames of each video, and the single frames (images, and videos of one repeated frame), as in the
    prompt.

    A single frame has the label before it, is marked if its label belongs to the answer, and shows its true time.
    """
    try:
        videos, images = [VideoSpec.from_row(v) for v in row["videos"]], [ImageSpec.from_row(i) for i in row["images"]]
        clean = [VideoSpec(**{**vars(spec), "transform": {}}) for spec in videos]
        (shown, pictures), (before, _) = (
            render(specs, images, data_root, qwen2_5_vl.FACTOR) for specs in (videos, clean)
        )
    except VideoRejected as error:
        raise BadInput(f"a video of the dataset cannot be shown: {error}") from error
    strips, stills = [], []
    of_video, of_image = iter(zip(videos, shown, before, strict=True)), iter(zip(images, pictures, strict=True))
    zero = videos[0].times[0] - videos[0].clock[0]
    for label, kind in _PLACE.findall(row["prompt"][-1]["content"]):
        if kind == "image":
            image, picture = next(of_image)
            time = image.time
        else:
            spec, a, b = next(of_video)
            if len(set(spec.times)) > 1:
                strips.append(_frames(spec, a[0], b[0]))
                continue
            picture, time = _picture(a[0][0]), spec.times[0]
        letter = label.strip().rstrip(":")
        stills.append(_Frame(picture, time - zero, letter in row["reward_model"]["ground_truth"], letter))
    return strips, stills


def _frames(spec: VideoSpec, shown: torch.Tensor, clean: torch.Tensor) -> list[_Frame]:
    """Draws the frames of one video, a part of them if there are many. `shown` and `clean` are uint8 (T, C, H, W)."""
    changed = [bool((a != b).any()) for a, b in zip(shown, clean, strict=True)]
    must = [i for i, c in enumerate(changed) if c]
    if len(must) > FRAMES_PER_VIDEO // 2:
        must = []
    rest = [i for i in range(len(shown)) if i not in must]
    few = np.linspace(0, len(rest) - 1, min(len(rest), FRAMES_PER_VIDEO - len(must))).round().astype(int)
    keep = sorted(must + [rest[i] for i in few])
    return [_Frame(_picture(shown[i]), spec.clock[i], changed[i]) for i in keep]


def _picture(frame: torch.Tensor) -> Image.Image:
    """Returns a uint8 frame (C, H, W) as a picture."""
    return Image.fromarray(np.asarray(frame).transpose(1, 2, 0))


def _strips_image(strips: Sequence[list[_Frame]], accent: tuple[int, int, int]) -> Image.Image:
    """Draws all videos of a prompt. A single video wraps over lines; several stand in numbered columns."""
    longest = max(map(len, strips))
    room = WIDTH - 2 * PAD
    if len(strips) == 1:
        across = min(longest, FRAMES_PER_VIDEO // 2)
        return _strip(strips[0], min(2 * THUMB_WIDTH, room // across - GAP), across, accent)
    columns = max(1, min(len(strips), FRAMES_PER_LINE // longest))
    cell = room // columns
    size = min(THUMB_WIDTH, (cell - NUMBER_WIDTH - 2 * GAP) // longest - GAP)
    images = [_strip(frames, size, longest, accent) for frames in strips]
    rows, height = math.ceil(len(images) / columns), max(image.height for image in images)
    sheet = Image.new("RGB", (room, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    for i, image in enumerate(images):
        x, y = i // rows * cell, i % rows * height
        draw.text((x, y + (height - 22) // 2), str(i + 1), font=font(28), fill=accent, anchor="lm")
        sheet.paste(image, (x + NUMBER_WIDTH, y))
    return sheet


def _strip(frames: Sequence[_Frame], size: int, across: int, accent: tuple[int, int, int]) -> Image.Image:
    """Draws frames of width `size`, `across` to a line, each with label and time below it. Marked ones get a coloured
    border.
    """
    first = frames[0].picture
    height = round((size - 2 * BORDER) * first.height / first.width)
    lines = math.ceil(len(frames) / across)
    cell_height = height + 2 * BORDER + 22
    strip = Image.new("RGB", (across * (size + GAP), lines * cell_height), "white")
    draw = ImageDraw.Draw(strip)
    for i, frame in enumerate(frames):
        x, y = (i % across) * (size + GAP), (i // across) * cell_height
        if frame.marked:
            draw.rectangle((x, y, x + size - 1, y + height + 2 * BORDER - 1), fill=accent)
        picture = frame.picture.resize((size - 2 * BORDER, height), Image.Resampling.LANCZOS)
        strip.paste(picture, (x + BORDER, y + BORDER))
        label, colour = f"{frame.label}   {frame.time:.1f} s".strip(), accent if frame.marked else FAINT
        draw.text((x + size // 2, y + height + 2 * BORDER + 2), label, font=font(13), fill=colour, anchor="ma")
    return strip


def _gist(details: str) -> str:
    """Returns the label's own explanation, as short "name value" pairs."""
    pairs = json.loads(details).items()
    return "   ".join(f"{k.replace('_', ' ')} {v}" for k, v in pairs if len(str(v)) <= 60)
