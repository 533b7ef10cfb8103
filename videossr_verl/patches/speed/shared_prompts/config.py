"""verl's settings of the actor and of its engine, with `shared_prompts`. The configs name these classes."""

from __future__ import annotations

from dataclasses import dataclass

from verl.workers.config import FSDPActorConfig, FSDPEngineConfig


@dataclass
class SharedActorConfig(FSDPActorConfig):
    """The actor's. The engines of actor and reference follow this switch."""

    shared_prompts: bool = False


@dataclass
class SharedEngineConfig(FSDPEngineConfig):
    """An engine's: whether rows that begin with the same prompt are computed as one sequence."""

    shared_prompts: bool = False
