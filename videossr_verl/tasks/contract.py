"""What a task returns: a question with its answer, or why a clip cannot carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from videossr_verl.video.specs import ImageSpec, VideoSpec


class CannotDraw(ValueError):
    """The error for a clip that cannot carry this task at this difficulty. The message says why in one clause.

    Attributes:
        reason: one word for reports that count, as those of `RejectReason`.
    """

    def __init__(self, message: str, reason: str = "cannot_draw") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Sample:
    """One question with its answer.

    Attributes:
        task: name of the task.
        question: text of the user turn, with one `<video>` per entry of `videos` and one `<image>` per entry of
            `images`, in order.
        videos: the N videos of the prompt.
        answer: ground truth in the answer format that the question asks for.
        details: JSON data that explains the label (perturbation, segment, ...); goes to `extra_info`.
        images: the images of the prompt.
    """

    task: str
    question: str
    videos: tuple[VideoSpec, ...]
    answer: str
    details: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[ImageSpec, ...] = ()
