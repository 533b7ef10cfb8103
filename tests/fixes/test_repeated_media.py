"""The processor runs once for a prompt's videos, and every rollout gets what stock verl would compute."""

import types

import pytest
import torch
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput, AgentLoopWorker
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

from videossr_verl.shared_videos import SharedVideos


class Counted:
    """A processor that counts its calls."""

    def __init__(self, processor):
        self._processor, self.calls = processor, 0

    def __getattr__(self, name):
        return getattr(self._processor, name)

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self._processor(*args, **kwargs)


def roll_out(processor, family, videos, answer):
    """Prompt ids, trainer inputs and positions (1, 4, L) of one rollout, through verl's own methods."""
    builder = create_continuous_token_builder(
        processor.tokenizer, hf_model_type=family, chat_template_kwargs={}, mm_processor_kwargs={}, processor=processor
    )
    content = [*[{"type": "video"} for _ in videos], {"type": "text", "text": "order"}]
    prompt = list(builder.build_initial_tokens([{"role": "user", "content": content}], images=None, videos=videos))
    worker = object.__new__(AgentLoopWorker)
    worker.processor, worker.tokenizer, worker.mm_processor_kwargs = processor, processor.tokenizer, {}
    output = types.SimpleNamespace(multi_modal_data={"videos": videos}, mm_processor_kwargs={})
    ids = torch.tensor([prompt + answer])
    for _ in range(2):  # for the reward, and for the trainer
        inputs = worker._compute_multi_modal_inputs(output, ids[0])
        positions = worker._compute_position_ids(ids, torch.ones_like(ids), inputs)
    return prompt, inputs, positions


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_once_for_all_rollouts_and_equal_to_stock(family, processor, video):
    videos = [video([0.0, 0.5, 1.0, 1.5], 1), video([0.0, 0.3, 0.9, 1.1], 2)]
    stock, ours = Counted(processor(family)), Counted(processor(family))
    shared = SharedVideos(videos)
    for answer in ([5, 6], [7]):
        prompt, inputs, positions = roll_out(stock, family, videos, answer)
        our_prompt, our_inputs, our_positions = roll_out(ours, family, shared, answer)
        assert our_prompt == prompt
        assert torch.equal(our_positions, positions)
        assert our_inputs.keys() == inputs.keys()
        for name, value in inputs.items():
            assert torch.equal(torch.as_tensor(our_inputs[name]), value), name
    assert stock.calls == 6
    assert ours.calls == 1


def test_a_sampled_placeholder_does_not_change_the_trainers_inputs(processor, video):
    qwen = processor("qwen2_5_vl")
    videos = SharedVideos([video([0.0, 0.5, 1.0, 1.5])])
    content = [{"type": "video"}, {"type": "text", "text": "order"}]
    builder = create_continuous_token_builder(
        qwen.tokenizer, hf_model_type="qwen2_5_vl", chat_template_kwargs={}, mm_processor_kwargs={}, processor=qwen
    )
    prompt = list(builder.build_initial_tokens([{"role": "user", "content": content}], images=None, videos=videos))
    worker = object.__new__(AgentLoopWorker)
    worker.processor, worker.tokenizer, worker.mm_processor_kwargs = qwen, qwen.tokenizer, {}
    output = types.SimpleNamespace(multi_modal_data={"videos": videos}, mm_processor_kwargs={})
    plain = worker._compute_multi_modal_inputs(output, torch.tensor(prompt))
    odd = worker._compute_multi_modal_inputs(output, torch.tensor([*prompt, qwen.video_token_id]))
    assert torch.equal(plain["pixel_values_videos"], odd["pixel_values_videos"])
    assert len(odd["video_grid_thw"]) == 1


@pytest.mark.asyncio
async def test_sglangs_payload_is_not_sent_to_the_trainer(monkeypatch):
    worker = AgentLoopWorkerTQ.__ray_actor_class__
    seen = []

    async def stock(self, output, validate, **kwargs):
        seen.append(output)

    wrapped = worker._agent_loop_postprocess
    assert wrapped.stock.__qualname__.endswith("AgentLoopWorkerTQ._agent_loop_postprocess")
    cell = wrapped.__closure__[wrapped.__code__.co_freevars.index("stock")]
    monkeypatch.setattr(cell, "cell_contents", stock)
    payload = [{"pixel_values_videos": torch.zeros(3)}]
    output = AgentLoopOutput(
        prompt_ids=[1], response_ids=[2], response_mask=[1], metrics={}, mm_processor_output=payload
    )
    await worker._agent_loop_postprocess(object.__new__(worker), output, False)
    assert seen[0].as_dict()["mm_processor_output"] is None
