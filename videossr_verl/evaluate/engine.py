"""The engines that answer questions, and how they are asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.questions import Question
from videossr_verl.rows.schema import Row

TIMEOUT = 300.0  # the most seconds for one answer of a server, with all tries and waits


@dataclass(frozen=True)
class Sampling:
    """How a question is answered.

    Attributes:
        samples: completions of each question.
        temperature: 0 is greedy.
        max_tokens: of a completion.
    """

    samples: int
    temperature: float
    max_tokens: int
    seed: int = 0


@dataclass(frozen=True)
class Lost:
    """Stands in place of a question's completions: it was asked, and what came back is no answer.

    Attributes:
        reason: one printable line without secrets.
    """

    reason: str


class Engine(Protocol):
    """The interface of what answers: `VllmEngine` or `OpenAIEngine`."""

    factor: int

    def answer(self, asked: Sequence[Question], how: Sampling) -> Iterator[tuple[int, list[str] | Lost]]:
        """Returns (id, completions) of each question, as they come.

        Raises:
            BadInput, MachineError: no question can be answered; what was answered before is yielded first.
        """
        ...


def check_numbers(limit: int | None, max_tokens: int, temperature: float, timeout: float) -> None:
    """Raises BadInput for numbers that no evaluation can have."""
    for name, value, low in (("limit", limit, 1), ("max tokens", max_tokens, 1), ("temperature", temperature, 0)):
        if value is not None and not low <= value < math.inf:
            raise BadInput(f"{name} is {value:g}, must be at least {low}")
    if not 0 < timeout < math.inf:
        raise BadInput(f"timeout is {timeout:g}, must be a number of seconds above 0")


def open_engine(
    model: str,
    base_url: str | None,
    timeout: float,
    rows: Sequence[Row],
    options: dict[str, Any] | None = None,
) -> Engine:
    """Returns the engine that answers the rows' questions. Raises BadInput if the model cannot be had.

    Args:
        base_url: of a server; None: vLLM in this process.
        timeout: seconds for one answer of a server.
        options: further arguments of `vllm.LLM`.
    """
    if base_url is not None:
        from videossr_verl.evaluate.openai_engine import OpenAIEngine

        return OpenAIEngine(base_url, model, timeout)
    from videossr_verl.evaluate.vllm_engine import VllmEngine

    videos, images = (max(len(row[kind]) for row in rows) for kind in ("videos", "images"))
    return VllmEngine(model, videos, images, options)
