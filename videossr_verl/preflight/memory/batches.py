"""Checks that verl can cut a step's answers into equal parts for GPUs, updates and micro batches. If not, its first
step fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from videossr_verl.preflight.memory.run_settings import Run

_PART = "actor_rollout_ref"


def batch_problems(run: Run) -> Iterator[str]:
    """Yields one clause for each batch size that does not divide. Yields none if sequence parallelism does not divide
    the GPUs.
    """
    yield from _updates(run)
    if run.gpus % run.sequence_parallel:
        return
    copies, update = run.gpus // run.sequence_parallel, run.mini_batch * run.rollouts
    if update % copies:
        yield f"{update} answers of an update do not divide among {copies} data-parallel GPUs"
    else:
        yield from _micro_batches(run, update // copies)


def _updates(run: Run) -> Iterator[str]:
    if run.answering and run.prompts != run.answering.sync_step * run.mini_batch:
        yield (
            f"separate_async takes {run.answering.sync_step} (parameter_sync_step) x {run.mini_batch} "
            f"(ppo_mini_batch_size) prompts a step, and data.train_batch_size is {run.prompts}"
        )
    elif run.mini_batch > run.prompts:
        yield f"ppo_mini_batch_size {run.mini_batch} is more than data.train_batch_size {run.prompts}"
    answers = run.prompts * run.rollouts
    if run.update.samples and answers % run.gpus:
        yield f"{answers} answers a step do not divide among {run.gpus} GPUs"


def _micro_batches(run: Run, of_update: int) -> Iterator[str]:
    """Checks the micro batches. `of_update` is the number of one GPU's answers in an update."""
    # Log-probs are of all prompts that verl takes at once, filled up to whole updates.
    prompts = run.prompts // (run.answering.sync_step if run.answering else 1)
    taken = -(-prompts // run.mini_batch) * of_update
    asked = [(run.update, of_update, f"{_PART}.actor.ppo_micro_batch_size_per_gpu")]
    asked += [(run.log_prob, taken, f"{_PART}.rollout.log_prob_micro_batch_size_per_gpu")]
    if run.reference:
        asked += [(run.reference_log_prob, taken, f"{_PART}.ref.log_prob_micro_batch_size_per_gpu")]
    for micro, answers, name in asked:
        if micro.samples and answers % micro.samples:
            yield f"{name} {micro.samples} does not divide the {answers} answers that a GPU gets"
