"""Refuses rows of other data sets that the run's reward cannot score, before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from omegaconf import DictConfig
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.utils.reward_score import default_compute_score

import reward_fns
from videossr_verl.errors import BadInput
from videossr_verl.patches.survival.causes import cause
from videossr_verl.rows.check import is_pretext
from videossr_verl.rows.mixed_rows import MixedRows
from videossr_verl.train import reward_hook

REMEDY = (
    "install a reward for them (entry point group videossr_verl.rewards) or set reward.custom_reward_function"
    " (recipes/README.md, Rows of your own)"
)


def wrap_init_dataloader(stock: Callable[..., None]) -> Callable[..., None]:
    """Makes the trainer look at its rows' rewards as soon as it has read them."""

    def _init_dataloader(self: Any) -> None:
        stock(self)
        for dataset in (self.train_dataset, self.val_dataset):
            rows = getattr(dataset, "dataframe", None)
            if isinstance(rows, MixedRows):
                check_sources(rows, self.config)

    return _init_dataloader


def check_sources(rows: MixedRows, config: DictConfig) -> None:
    """Raises BadInput for other data sets' sources that nobody scores. Does not ask a reward function of the user's
    own.

    Scores an empty answer to the first row of each source. So it also tells if a reward does not find what it needs.
    """
    score = _scorer(config)
    if score is None:
        return
    sources = [source if source is None or isinstance(source, str) else repr(source) for source in rows["data_source"]]
    unscored = []
    for source in dict.fromkeys(source for source in sources if not is_pretext(source)):
        first = sources.index(source)
        if not _is_scored(score, source, rows, first):
            unscored.append(f"{source!r} ({sources.count(source)} rows, first {rows.place(first)})")
    if unscored:
        raise BadInput(f"nobody scores data_source {', '.join(unscored)}: {REMEDY}")


def _is_scored(score: Callable[..., Any], source: Any, rows: MixedRows, first: int) -> bool:
    """Returns whether `score` knows the source. Raises BadInput if it fails on the source's first row."""
    if not isinstance(source, str):
        return False
    row = rows[first]
    try:
        score(source, "", (row["reward_model"] or {}).get("ground_truth"), row["extra_info"])
    except NotImplementedError:  # verl raises it for a source that it does not know
        return False
    except Exception as error:
        message = f"the reward of data_source {source!r} fails on {rows.place(first)}: {cause(error)}"
        raise BadInput(f"{message}; mend the reward or the row") from error
    return True


def _scorer(config: DictConfig) -> Callable[..., Any] | None:
    """Returns the run's reward function if it is ours or verl's, or None if it is the user's own."""
    given = get_custom_reward_fn(config)
    if given is None:
        return None if config.reward.reward_model.enable else default_compute_score
    ours = (reward_hook.compute_score, reward_fns.compute_score)
    return given if isinstance(given, partial) and given.args[0] in ours else None
