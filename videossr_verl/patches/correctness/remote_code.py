"""verl 0.9.1: reward workers run the code that a model's folder brings along, whatever `trust_remote_code` says."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from videossr_verl.patches.hooks import replace_method


def apply(reward_loop: ModuleType) -> None:
    """Makes reward workers load tokenizers as `actor_rollout_ref.model.trust_remote_code` says."""

    def wrap(stock: Callable[[Any], None]) -> Callable[[Any], None]:
        def _init_reward_fn(self: Any) -> None:
            load = reward_loop.hf_tokenizer
            trusted = bool(self.config.actor_rollout_ref.model.get("trust_remote_code", False))
            reward_loop.hf_tokenizer = lambda path, **settings: load(path, **settings | {"trust_remote_code": trusted})
            try:
                stock(self)
            finally:
                reward_loop.hf_tokenizer = load

        return _init_reward_fn

    replace_method(reward_loop.RewardLoopWorker, "_init_reward_fn", wrap)
