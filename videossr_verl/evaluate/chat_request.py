"""A question as OpenAI's chat interface takes it. Frames are sent as images, with their times in words."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from videossr_verl.evaluate.engine import Sampling
from videossr_verl.evaluate.questions import Question
from videossr_verl.video.metadata import Metadata

if TYPE_CHECKING:
    import torch

JPEG_QUALITY = 95


def chat_request(question: Question, model: str, how: Sampling) -> bytes:
    """Returns the body of a request for chat completions, as JSON."""
    asked = {
        "model": model,
        "messages": _messages(question),
        "n": how.samples,
        "temperature": how.temperature,
        "max_tokens": how.max_tokens,
        "seed": how.seed,
    }
    return json.dumps(asked).encode()


def _messages(question: Question) -> list[dict[str, Any]]:
    videos, images = list(question.videos), list(question.images)
    messages = []
    for message in question.messages:
        parts: list[dict[str, Any]] = []
        for piece in re.split("(<video>|<image>)", message["content"]):
            if piece == "<video>":
                parts += _video(*videos.pop(0))
            elif piece == "<image>":
                parts.append(_picture(images.pop(0)))
            elif piece:
                parts.append({"type": "text", "text": piece})
        messages.append({"role": message["role"], "content": parts})
    return messages


def _video(frames: torch.Tensor, metadata: Metadata) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    times = [index / metadata["fps"] for index in metadata["frames_indices"]]
    for frame, time in zip(np.asarray(frames), times, strict=True):
        parts.append({"type": "text", "text": f"<{time:.1f} seconds>"})
        parts.append(_picture(Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))))
    return parts


def _picture(image: Image.Image) -> dict[str, Any]:
    data = io.BytesIO()
    image.save(data, "jpeg", quality=JPEG_QUALITY)
    url = "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": url}}
