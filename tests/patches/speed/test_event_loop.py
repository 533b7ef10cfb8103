"""A group of rollouts through verl's own agent loop: one decode, one processor call, none on the event loop."""

import asyncio
import json
import threading
import types

import pytest
from omegaconf import OmegaConf
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop
from verl.workers.rollout.replica import TokenOutput

from videossr_verl.prompt.pixels import PromptPixels
from videossr_verl.prompt.render import render
from videossr_verl.train.dataset import PretextDataset

ROLLOUTS = 8


class Server:
    """Answers when all rollouts have asked, as an engine that batches them does."""

    def __init__(self):
        self.asked = asyncio.Barrier(ROLLOUTS)

    async def generate(self, **request):
        await self.asked.wait()
        return TokenOutput(token_ids=[300, 301], log_probs=[-1.0, -1.0])


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_a_group(family, processor, dataset_folder, monkeypatch):
    qwen, threads = processor(family), {"decode": [], "process": []}

    def noted(what, function):
        def call(*args, **kwargs):
            threads[what].append(threading.get_ident())
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr("videossr_verl.train.dataset.render", noted("decode", render))
    monkeypatch.setattr(type(qwen), "__call__", noted("process", type(qwen).__call__))
    root = json.loads((dataset_folder / "dataset.json").read_text())["data_root"]
    data = OmegaConf.create({"data_root": root, "max_prompt_length": 4096})
    row = PretextDataset(str(dataset_folder / "train.parquet"), qwen.tokenizer, data, qwen)[0]
    rollout = {"rollout": {"prompt_length": 4096, "response_length": 8}}
    threads["process"].clear()  # the dataset counts tokens

    async def group():
        loop = SingleTurnAgentLoop(
            trainer_config=types.SimpleNamespace(config=OmegaConf.create({"actor_rollout_ref": rollout})),
            server_manager=Server(),
            tokenizer=qwen.tokenizer,
            processor=qwen,
            dataset_cls=PretextDataset,
            data_config=types.SimpleNamespace(config=data),
            hf_model_type=family,
        )
        return await asyncio.gather(*(loop.run({}, raw_prompt=row["raw_prompt"]) for _ in range(ROLLOUTS)))

    outputs = asyncio.run(group())
    assert len(threads["decode"]) == len(threads["process"]) == 1
    assert threading.get_ident() not in threads["decode"] + threads["process"]
    first = outputs[0].multi_modal_data["videos"]
    assert all(output.multi_modal_data["videos"] is first for output in outputs)
    assert isinstance(first.any_processed()["pixel_values_videos"], PromptPixels)
