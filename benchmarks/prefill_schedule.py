"""What vLLM's scheduler computes of prompts whose n answers come together to one server: stock against this package.

    VERL_PLATFORM=cpu python benchmarks/prefill_schedule.py [--model qwen3_vl_8b] [--answers 8 16] [--prompts 8]

The scheduler is vLLM's own, with the cache and the budgets of the model's real size and verl's default of 8,192 tokens
a step; no model runs, each step's new tokens are made up. With "overlap" a step is scheduled before the last one has
ended, as vLLM does on GPUs. Tokens and media are those of prompts that it scheduled: 1.00 is each prompt once.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch
from lone_rank import write_model
from vllm.config import VllmConfig
from vllm.engine.arg_utils import EngineArgs
from vllm.multimodal.inputs import MultiModalFeatureSpec, PlaceholderRange
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager

from videossr_verl import vllm_plugin
from videossr_verl.preflight.memory.run_settings import compose_config
from videossr_verl.preflight.memory.shapes import model_shape

BLOCK, BLOCKS = 16, 20_000  # tokens of a block, and blocks of the cache
BEFORE, BETWEEN, AFTER, ANSWER = 30, 5, 100, 32  # tokens of text around media, and of an answer


@dataclass(frozen=True)
class Computed:
    """Prompt tokens and media that were computed, over those that there are, and the steps that all answers took."""

    tokens: float
    media: float
    steps: int


def engine_config(model: str, folder: Path) -> VllmConfig:
    """The engine's settings for random weights of a base model's shape."""
    path = compose_config("videossr_grpo", [f"base_model={model}"]).actor_rollout_ref.model.path
    write_model(model_shape(path), folder)
    lengths = {"max_model_len": 10240, "max_num_batched_tokens": 8192, "max_num_seqs": 1024}
    return EngineArgs(model=str(folder), enforce_eager=True, block_size=BLOCK, **lengths).create_engine_config()


def schedule(
    engine: VllmConfig,
    prompts: Sequence[Sequence[int]],
    answers: int,
    *,
    ours: bool,
    overlap: bool,
    reorder: Callable[[list[Request]], None] | None = None,
) -> Computed:
    """Schedules all answers to all prompts, which come at once.

    Args:
        prompts: the tokens of each medium of each prompt.
        overlap: schedules a step before the last one has ended.
        reorder: changes the order in which they come; else those of a prompt come one after the other.
    """
    vllm_plugin.register()
    planned = Scheduler._try_schedule_encoder_inputs
    with patch.object(Scheduler, "_try_schedule_encoder_inputs", planned if ours else planned.stock):
        scheduler = _scheduler(engine, AsyncScheduler if overlap else Scheduler)
        requests = [_request(number, k, media) for number, media in enumerate(prompts) for k in range(answers)]
        if reorder:
            reorder(requests)
        for request in requests:
            scheduler.add_request(request)
        tokens, media_computed, steps = _run(scheduler, ahead=int(overlap))
    return Computed(tokens / prompt_tokens(prompts), media_computed / sum(map(len, prompts)), steps)


def prompt_tokens(prompts: Sequence[Sequence[int]]) -> int:
    """The tokens of all prompts, each counted once."""
    return sum(_request(0, 0, media).num_prompt_tokens for media in prompts)


def _scheduler(engine: VllmConfig, kind: type[Scheduler]) -> Scheduler:
    engine.cache_config.num_gpu_blocks = BLOCKS
    spec = FullAttentionSpec(block_size=BLOCK, num_kv_heads=1, head_size=8, dtype=torch.float32)
    cache = KVCacheConfig(BLOCKS, kv_cache_tensors=[], kv_cache_groups=[KVCacheGroupSpec(["layer"], spec)])
    return kind(engine, cache, StructuredOutputManager(engine), BLOCK)


def _request(prompt: int, answer: int, media: Sequence[int]) -> Request:
    ids, features = [1] * BEFORE, []
    for number, length in enumerate(media):
        place, name = PlaceholderRange(offset=len(ids), length=length), f"{prompt}/{number}"
        features.append(MultiModalFeatureSpec(None, "video", name, place, mm_hash=name))
        ids += [2] * length + [3] * BETWEEN
    return Request(
        f"{prompt}-{answer}",
        ids + [4] * AFTER,
        SamplingParams(max_tokens=ANSWER, ignore_eos=True),
        None,
        mm_features=features,
        block_hasher=get_request_block_hasher(BLOCK, sha256),
    )


def _run(scheduler: Scheduler, ahead: int) -> tuple[int, int, int]:
    """Runs to the end, with so many steps scheduled ahead. Returns prompt tokens, media and steps computed."""
    tokens = media = steps = 0
    open_steps: list[tuple[SchedulerOutput, ModelRunnerOutput]] = []
    while scheduler.has_unfinished_requests() or open_steps:
        step = scheduler.schedule()
        if step.total_num_scheduled_tokens:
            open_steps.append((step, _made_up(scheduler, step)))
            steps += 1
            media += sum(map(len, step.scheduled_encoder_inputs.values()))
            tokens += sum(_of_prompt(scheduler.requests[name], new) for name, new in step.num_scheduled_tokens.items())
        if len(open_steps) > ahead or not step.total_num_scheduled_tokens:
            scheduler.update_from_output(*open_steps.pop(0))
    return tokens, media, steps


def _of_prompt(request: Request, new: int) -> int:
    """How many of the `new` tokens that were just scheduled are the prompt's."""
    start = request.num_computed_tokens - new
    return max(0, min(request.num_computed_tokens, request.num_prompt_tokens) - start)


def _made_up(scheduler: Scheduler, step: SchedulerOutput) -> ModelRunnerOutput:
    """One token for each request whose prompt is computed with this step."""
    requests = {name: scheduler.requests[name] for name in step.num_scheduled_tokens}
    answered = [request.num_computed_tokens >= request.num_prompt_tokens for request in requests.values()]
    numbers = {name: number for number, name in enumerate(requests)}
    return ModelRunnerOutput(list(requests), numbers, [[5] if one else [] for one in answered])


def kinds(prompts: int) -> dict[str, list[list[int]]]:
    """The tokens of each medium of so many prompts, for kinds of prompts that our tasks make."""
    rng = random.Random(0)
    return {
        "a video of 4,000 tokens": [[4000]] * prompts,
        "a video of 2,000 to 8,000": [[rng.randrange(2000, 8000)] for _ in range(prompts)],
        "a video of 3,000, 8 images of 200": [[3000] + [200] * 8] * prompts,
    }


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen3_vl_8b", help="a name in videossr_verl/train/config/base_model")
    parser.add_argument("--answers", type=int, nargs="+", default=[8, 16], help="of each prompt")
    parser.add_argument("--prompts", type=int, default=8, help="at once")
    args = parser.parse_args()
    init_none_hash(sha256)
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        engine = engine_config(args.model, Path(scratch))
        for kind, prompts in kinds(args.prompts).items():
            for answers in args.answers:
                for overlap in (False, True):
                    stock, ours = (
                        schedule(engine, prompts, answers, ours=ours, overlap=overlap) for ours in (False, True)
                    )
                    cells = [f"{one.tokens:.2f} | {one.media:.2f} | {one.steps}" for one in (stock, ours)]
                    lines.append(f"| {kind} | {answers} | {'yes' if overlap else 'no'} | {' | '.join(cells)} |")
    print(f"{args.model}, {args.prompts} prompts on one server, answers of {ANSWER} tokens\n")
    names = [f"{side}: {what}" for side in ("stock", "ours") for what in ("tokens", "media", "steps")]
    print("| prompt | answers | overlap | " + " | ".join(names) + " |\n" + "| --- " * 9 + "|", *lines, sep="\n")


if __name__ == "__main__":
    main()
