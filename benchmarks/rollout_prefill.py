"""What the rollout servers compute of a prompt whose n answers they share: verl's own balancer against our router.

    VERL_PLATFORM=cpu python benchmarks/rollout_prefill.py [--servers 2] [--answers 8 16] [HYDRA_OVERRIDE...]

Real vLLM servers of a tiny model, started by verl's own manager with our config, answer prompts by verl's own client,
first by way of verl's balancer, then of ours, with other noise for videos each time. Tokens are by vLLM's counters:
those that it looked up in its prefix cache less those that it found. Videos are those that went through its encoder.
Both are given per prompt: 1.00 is each prompt once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

os.environ["VLLM_ALLOW_INSECURE_SERIALIZATION"] = "1"  # the servers' workers are given a function, which counts
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")

import httpx
import ray
import torch
from verl.workers.rollout.llm_server import LLMServerClient, LLMServerManager
from verl.workers.rollout.router import get_router_handle

from videossr_verl.patches.speed.prompt_router.prompt_of_request import answering
from videossr_verl.preflight.memory.run_settings import compose_config
from videossr_verl.preflight.parity import TrainerSide
from videossr_verl.prompt.shared_media import SharedVideos
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer
from videossr_verl.video.metadata import video_metadata

FRAMES, FPS, SIDE = 16, 2, 14  # 1,568 tokens: two frames share SIDE x SIDE
PATIENCE = 120  # seconds for a server to tell its counters, on a busy machine
ANSWER = 8  # tokens
COUNTERS = re.compile(r"^vllm:prefix_cache_(queries|hits)_total\{.*?\} (\S+)$", re.M)


@dataclass(frozen=True)
class Prompt:
    """Token ids, and the videos in them; None for a prompt of text."""

    ids: list[int]
    videos: SharedVideos | None


@dataclass(frozen=True)
class Cost:
    """Prompt tokens and videos that all servers computed, prompts that each server saw, and seconds until all was
    answered.
    """

    tokens: int
    videos: int
    prompts: tuple[int, ...]
    seconds: float


class WatchedClient(LLMServerClient):
    """verl's own client. It notes which server each request goes to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.served: dict[str, str] = {}

    async def _acquire_server(self, request_id: str, **extra: Any) -> tuple[str, Any]:
        address, server = await super()._acquire_server(request_id, **extra)
        self.served[request_id] = address
        return address, server


class Servers:
    """Servers that verl's manager has started, with a client by way of each router."""

    def __init__(self, config: Any, scratch: Path) -> None:
        manager = LLMServerManager.create(config)
        self.handles = dict(zip(manager.get_addresses(), manager.server_handles, strict=True))
        self._encoded = scratch / "encoded"
        self._encoded.mkdir()
        ray.get(
            [handle.collective_rpc.remote(_count_videos, args=(self._encoded,)) for handle in self.handles.values()]
        )
        self.clients = {
            "stock": WatchedClient(config, get_router_handle(self.handles)),
            "ours": manager.get_client(WatchedClient),
        }

    async def answer(self, side: str, prompts: list[Prompt], answers: int) -> Cost:
        """Asks for all answers to all prompts at once, by way of verl's own balancer ("stock") or of "ours"."""
        client, before, start = self.clients[side], self._counted(), time.perf_counter()
        asked: dict[str, int] = {}

        async def ask(number: int, name: str) -> None:
            request = uuid4().hex
            asked[request] = number
            with answering(name, answers):
                output = await client.generate(
                    request,
                    prompt_ids=prompts[number].ids,
                    sampling_params={"max_tokens": ANSWER, "ignore_eos": True, "temperature": 1.0},
                    video_data=prompts[number].videos,
                )
            assert len(output.token_ids) == ANSWER

        names = [uuid4().hex for _ in prompts]
        await asyncio.gather(*(ask(number, name) for number, name in enumerate(names) for _ in range(answers)))
        seconds, after = time.perf_counter() - start, self._counted()
        served = Counter(
            address for address, _ in {(client.served[request], number) for request, number in asked.items()}
        )
        return Cost(
            after["queries"] - before["queries"] - (after["hits"] - before["hits"]),
            after["videos"] - before["videos"],
            tuple(served[address] for address in self.handles),
            seconds,
        )

    def _counted(self) -> Counter[str]:
        total = Counter(videos=sum(file.read_text().count("\n") for file in self._encoded.iterdir()))
        for address in self.handles:
            for name, value in COUNTERS.findall(httpx.get(f"http://{address}/metrics", timeout=PATIENCE).text):
                total[name] += int(float(value))
        return total


def _count_videos(worker: Any, folder: Path) -> None:
    """Runs in a server's worker: makes the vision tower write a line for each video that it encodes."""

    def write(_tower: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        with open(folder / str(os.getpid()), "a") as file:
            file.write("\n" * len(kwargs["grid_thw"]))

    worker.model_runner.get_model().visual.register_forward_pre_hook(write, with_kwargs=True)


@contextmanager
def started(servers: int, overrides: list[str]) -> Iterator[tuple[Servers, TrainerSide]]:
    """Starts so many servers of a new tiny model in a Ray of their own, and ends them."""
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch, "model")
        tokenizer = train_tokenizer(["order <1.5 seconds> 0123456789"] * 4, 512)
        save_checkpoint(build_model("qwen3_vl", tokenizer, 0), build_processor("qwen3_vl", tokenizer), model)
        rollout = {
            "actor_rollout_ref.rollout.nnodes": 1,
            "actor_rollout_ref.rollout.n_gpus_per_node": servers,
            "actor_rollout_ref.rollout.max_model_len": 4096,
            "actor_rollout_ref.rollout.load_format": "auto",
            "actor_rollout_ref.rollout.disable_log_stats": "false",
            "+actor_rollout_ref.rollout.engine_kwargs.vllm.block_size": 16,  # as on GPUs
        }
        settings = [f"{name}={value}" for name, value in rollout.items()]
        config = compose_config("videossr_grpo_cpu", [f"actor_rollout_ref.model.path={model}", *settings, *overrides])
        ray.init("local", num_cpus=4 * servers, num_gpus=servers, include_dashboard=False, logging_level="ERROR")
        try:
            yield Servers(config, Path(scratch)), TrainerSide(str(model))
        finally:
            ray.shutdown()


def video_prompts(side: TrainerSide, number: int) -> list[Prompt]:
    """Prompts with a video of noise each, all of one size, so that their tokens are the same."""
    part = side.processor.video_processor
    size = SIDE * part.patch_size * part.merge_size
    prompts = []
    for _ in range(number):
        frames = torch.randint(0, 256, (FRAMES, 3, size, size), dtype=torch.uint8)
        videos = SharedVideos([(frames, video_metadata([k / FPS for k in range(FRAMES)]))])
        content = [{"type": "video"}, {"type": "text", "text": "order 0123456789"}]
        prompts.append(Prompt(side.ids([{"role": "user", "content": content}], videos), videos))
    return prompts


def table(servers: Servers, side: TrainerSide, prompts: int, answers: list[int]) -> Iterator[str]:
    """The table's lines, as they are measured."""
    asyncio.run(servers.answer("ours", video_prompts(side, len(servers.handles)), 1))  # each server's first is slow
    for number in answers:
        asked = [video_prompts(side, prompts) for _ in servers.clients]
        stock, ours = (asyncio.run(servers.answer(*one, number)) for one in zip(servers.clients, asked, strict=True))
        length = len(asked[0][0].ids)
        per_prompt = {
            f"tokens per prompt of {length}": (stock.tokens / prompts / length, ours.tokens / prompts / length),
            "videos per prompt": (stock.videos / prompts, ours.videos / prompts),
            "s until all is answered": (stock.seconds, ours.seconds),
        }
        for label, (theirs, own) in per_prompt.items():
            yield f"| {number} | {label} | {theirs:.2f} | {own:.2f} | {own / theirs:.2f} |"


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--answers", type=int, nargs="+", default=[8, 16], help="of each prompt")
    parser.add_argument("--prompts", type=int, default=4, help="at once")
    parser.add_argument("overrides", nargs="*", metavar="HYDRA_OVERRIDE")
    args = parser.parse_args()
    with started(args.servers, args.overrides) as (servers, side):
        lines = list(table(servers, side, args.prompts, args.answers))
    print(f"{args.servers} servers, {args.prompts} prompts at once, answers of {ANSWER} tokens\n")
    print("| answers | | stock | ours | ours / stock |\n| --- | --- | --- | --- | --- |", *lines, sep="\n")


if __name__ == "__main__":
    main()
