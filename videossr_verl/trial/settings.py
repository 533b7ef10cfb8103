"""The settings of a trial's runs: those of `videossr_8b.sh`, with as much work for each GPU, and shorter answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Size:
    """How much a step does.

    Attributes:
        config: Hydra's.
        prompts: for each GPU, with `answers` answers of `answer_tokens` tokens each.
        micro_batch: samples that go through the trainer together.
        more: overrides beside these.
    """

    config: str
    prompts: int
    answers: int
    answer_tokens: int
    micro_batch: int
    more: tuple[str, ...] = ()


# vLLM's cache may be small, for the answers are: beside it there is room for a trainer that no other GPU shares.
ON_GPUS = Size(
    "videossr_grpo",
    prompts=8,
    answers=8,
    answer_tokens=512,
    micro_batch=4,
    more=("cluster=1x1", "option=[as_published]", "actor_rollout_ref.rollout.gpu_memory_utilization=0.3"),
)
ON_CPU = Size("videossr_grpo_cpu", prompts=4, answers=2, answer_tokens=8, micro_batch=8)


def settings(out: Path, model: Path, size: Size, gpus: int) -> list[str]:
    """Returns the overrides that all runs of a trial share.

    Args:
        out: the trial's folder, with `data` and `videos`.
        gpus: of this machine; one process plays one where there is none.
    """
    prompts = size.prompts * gpus
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    return [
        *size.more,
        f"trainer.n_gpus_per_node={gpus}",
        f"data.train_files={quoted(out / 'data' / 'train.parquet')}",
        f"data.val_files={quoted(out / 'data' / 'test.parquet')}",
        f"data.data_root={quoted(out / 'videos')}",
        f"data.train_batch_size={prompts}",
        f"data.max_response_length={size.answer_tokens}",
        f"actor_rollout_ref.model.path={quoted(model)}",
        f"{actor}.ppo_mini_batch_size={prompts}",
        f"{actor}.ppo_micro_batch_size_per_gpu={size.micro_batch}",
        f"{actor}.checkpoint.save_contents=[model,optimizer,extra]",
        f"actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu={size.micro_batch}",
        f"{rollout}.log_prob_micro_batch_size_per_gpu={size.micro_batch}",
        f"{rollout}.n={size.answers}",
        "trainer.total_epochs=1000",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.logger=[console,file]",
        f"trainer.default_local_dir={quoted(out / 'steps')}",
        f"hydra.run.dir={quoted(out / 'hydra')}",
    ]


def quoted(path: Path) -> str:
    """Returns a path as a value in Hydra's overrides, which OmegaConf reads as this very path.

    recipes/override.sh does the same for the recipes.
    """
    text = str(path)
    for mark in ("${", "'"):
        # A backslash before each mark, and those that stand there twice.
        text = re.sub(rf"(\\*){re.escape(mark)}", lambda found: found[1] * 2 + "\\" + found[0][len(found[1]) :], text)
    at_the_end = text[len(text.rstrip("\\")) :]
    return f"'{text}{at_the_end}'"
