"""verl 0.9.1 tells a router no name of the prompt that a request answers.

Each answer has an id of its own. The tokens do not tell prompts apart either: two videos of one size have the same. But
a worker that begins an answer has the prompt's `uid`, which verl makes for each row of each batch. So a row that comes
again, in a later step or in a validation, is another prompt: the weights have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_ANSWERED: ContextVar[tuple[str, int] | None] = ContextVar("answered", default=None)


@contextmanager
def answering(prompt: str, answers: int) -> Iterator[None]:
    """Makes requests of this coroutine, and of those that it starts, answers to `prompt`, which gets so many in all."""
    token = _ANSWERED.set((prompt, answers))
    try:
        yield
    finally:
        _ANSWERED.reset(token)


def wrap_run_agent_loop(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a rollout worker's `_run_agent_loop` note the prompt that it answers."""

    async def _run_agent_loop(self: Any, sampling_params: Any, trajectory: Any, **kwargs: Any) -> Any:
        if (uid := kwargs.get("uid")) is None:
            return await stock(self, sampling_params, trajectory, **kwargs)
        rollout = self.config.actor_rollout_ref.rollout
        with answering(str(uid), (rollout.val_kwargs if trajectory["validate"] else rollout).n):
            return await stock(self, sampling_params, trajectory, **kwargs)

    return _run_agent_loop


def wrap_acquire_server(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the servers' client offer the prompt to the router. It sends what the router asks for."""

    async def _acquire_server(self: Any, request_id: str, **extra: Any) -> Any:
        if answered := _ANSWERED.get():
            prompt, answers = answered
            extra |= {"prompt": prompt, "answers": answers, "prompt_tokens": len(extra.get("prompt_ids", ()))}
        return await stock(self, request_id, **extra)

    return _acquire_server
