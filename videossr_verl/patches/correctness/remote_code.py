"""verl 0.9.1: reward workers run the code that a model's folder brings along, whatever `trust_remote_code` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def wrap_init_reward_fn(stock: Callable[[Any], None]) -> Callable[[Any], None]:
    """Makes a reward worker load its tokenizers as `actor_rollout_ref.model.trust_remote_code` says."""
    import verl.experimental.reward_loop.reward_loop as reward_loop

    names: dict[str, Any] = reward_loop.__dict__

    def _init_reward_fn(self: Any) -> None:
        load = names["hf_tokenizer"]
        trusted = bool(self.config.actor_rollout_ref.model.get("trust_remote_code", False))
        names["hf_tokenizer"] = lambda path, **settings: load(path, **settings | {"trust_remote_code": trusted})
        try:
            stock(self)
        finally:
            names["hf_tokenizer"] = load

    return _init_reward_fn
