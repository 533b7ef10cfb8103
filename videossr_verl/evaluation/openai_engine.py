"""Answers by any server with OpenAI's chat interface. Frames are sent as images, with their times in words."""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from videossr_verl.errors import BadInput
from videossr_verl.evaluation.questions import Question

KEY = "OPENAI_API_KEY"  # environment variable; some servers want none
AT_ONCE = 8
RETRIES = 8  # with exponential back-off, after time-outs and the statuses 408, 409, 429 and 5xx
TIMEOUT = 300.0  # seconds
JPEG_QUALITY = 95


class OpenAIEngine:
    """A server.

    Attributes:
        factor: frame sizes are multiples of it.
    """

    factor = 28

    def __init__(self, base_url: str, model: str, retries: int = RETRIES, timeout: float = TIMEOUT) -> None:
        """Takes the server's address, up to `/v1`, and the model's name there."""
        from openai import OpenAI

        self._url, self._model = base_url, model
        key = os.environ.get(KEY) or "none"
        self._client = OpenAI(base_url=base_url, api_key=key, max_retries=retries, timeout=timeout)

    def answer(
        self, asked: Sequence[Question], samples: int, temperature: float, max_tokens: int, seed: int
    ) -> list[list[str]]:
        """`samples` completions of each question. BadInput when the server cannot be had, or refuses the key."""
        import openai

        def ask(question: Question) -> list[str]:
            made = self._client.chat.completions.create(
                model=self._model,
                messages=[{"role": m["role"], "content": c} for m, c in _contents(question)],
                n=samples,
                temperature=temperature,
                max_tokens=max_tokens,
                seed=seed,
            )
            return [choice.message.content or "" for choice in made.choices]

        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                return list(pool.map(ask, asked))
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            # Not its message: servers repeat parts of the key in it.
            raise BadInput(
                f"the server {self._url} refuses the key in ${KEY} (status {error.status_code}); set the right one"
            ) from None
        except openai.APIStatusError as error:
            raise BadInput(
                f"the server {self._url} answers with status {error.status_code}: {_first_line(error.message)}; "
                "the answers so far are kept, and the same command goes on"
            ) from error
        except openai.APIConnectionError as error:  # a time-out is one
            raise BadInput(
                f"the server {self._url} cannot be reached or does not answer within {self._client.timeout:g} s: "
                f"{_first_line(str(error))}; the answers so far are kept, and the same command goes on"
            ) from error


def _contents(question: Question) -> Sequence[tuple[dict[str, str], list[dict[str, Any]]]]:
    videos, images = iter(question.videos), iter(question.images)
    contents = []
    for message in question.messages:
        parts: list[dict[str, Any]] = []
        for piece in re.split("(<video>|<image>)", message["content"]):
            if piece == "<video>":
                parts += _video(*next(videos))
            elif piece == "<image>":
                parts.append(_picture(next(images)))
            elif piece:
                parts.append({"type": "text", "text": piece})
        contents.append((message, parts))
    return contents


def _video(frames: Any, metadata: dict[str, Any]) -> list[dict[str, Any]]:
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


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:200]
