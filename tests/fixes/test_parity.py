"""The trainer's view of a video prompt against a real vLLM engine's, through verl's own functions."""

import gc
import types

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText
from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
from verl.models.transformers.monkey_patch import apply_monkey_patch
from verl.utils.model import extract_multi_modal_inputs
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder
from verl.workers.rollout import utils

from videossr_verl.shared_videos import SharedVideos

vllm = pytest.importorskip("vllm")

NUM_SAMPLED = 16


class Rollout:
    """A vLLM engine that records the positions it gives to each prompt."""

    def __init__(self, folder, banned):
        self.positions, self.grids = {}, {}
        self.llm = vllm.LLM(
            str(folder),
            dtype="float32",
            max_model_len=2048,
            max_num_seqs=4,
            enforce_eager=True,
            limit_mm_per_prompt={"video": 3, "image": 0},
            logprobs_mode="processed_logprobs",
        )
        self.sampling = vllm.SamplingParams(
            max_tokens=NUM_SAMPLED,
            logprobs=0,
            ignore_eos=True,
            seed=1,
            logit_bias=dict.fromkeys(banned, -100.0),
        )
        self.llm.apply_model(self._record)

    def _record(self, model):
        stock = model.get_mrope_input_positions

        def get_mrope_input_positions(input_tokens, mm_features):
            positions, delta = stock(input_tokens, mm_features)
            self.positions[tuple(input_tokens)] = positions.clone()
            self.grids[tuple(input_tokens)] = [f.data["video_grid_thw"].data.tolist() for f in mm_features]
            return positions, delta

        model.get_mrope_input_positions = get_mrope_input_positions

    def __call__(self, ids, videos):
        request = {"prompt_token_ids": ids, "multi_modal_data": {"video": list(videos)}}
        output = self.llm.generate([request], self.sampling, use_tqdm=False)[0]
        sampled = list(output.outputs[0].token_ids)
        steps = zip(output.outputs[0].logprobs, sampled, strict=True)
        return (
            list(output.prompt_token_ids),
            sampled,
            torch.tensor([step[token].logprob for step, token in steps]),
        )


class Trainer:
    """What verl computes from the same messages: ids, positions and log-probs."""

    def __init__(self, folder, processor, banned):
        self.processor, self.banned = processor, banned
        self.model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        ).eval()
        apply_monkey_patch(self.model, use_remove_padding=False, ulysses_sp_size=1)
        self.builder = create_continuous_token_builder(
            processor.tokenizer,
            hf_model_type=self.model.config.model_type,
            chat_template_kwargs={},
            mm_processor_kwargs={},
            processor=processor,
        )
        self.worker = object.__new__(AgentLoopWorker)
        self.worker.processor, self.worker.tokenizer = processor, processor.tokenizer
        self.worker.mm_processor_kwargs = {}

    def prompt(self, messages, videos):
        return list(self.builder.build_initial_tokens(messages, images=None, videos=videos))

    def score(self, prompt, sampled, videos):
        """positions (4, L), video grids, log-probs of `sampled`."""
        ids = torch.tensor([prompt + sampled])
        output = types.SimpleNamespace(multi_modal_data={"videos": videos}, mm_processor_kwargs={})
        inputs = self.worker._compute_multi_modal_inputs(output, ids[0])
        mask = torch.ones_like(ids)
        positions = self.worker._compute_position_ids(ids, mask, inputs)
        with torch.no_grad():
            logits = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions.transpose(0, 1),
                use_cache=False,
                **extract_multi_modal_inputs([inputs]),
            ).logits[0]
        logits[:, self.banned] -= 100.0
        logprobs = torch.log_softmax(logits[:-1], -1).gather(-1, ids[0, 1:, None])[-len(sampled) :, 0]
        return positions[0], inputs["video_grid_thw"].tolist(), logprobs


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def sides(request, checkpoint, processor):
    folder, qwen = checkpoint(request.param), processor(request.param)
    banned = utils.get_vision_placeholder_token_ids(qwen)  # verl bans them too
    rollout = Rollout(folder, banned)
    yield qwen, rollout, Trainer(folder, qwen, banned)
    del rollout
    gc.collect()
    vllm.distributed.cleanup_dist_env_and_memory()


def _regular(fps, num_frames):
    return (np.arange(num_frames) / fps).tolist()


def _irregular(seed, num_frames):
    return np.cumsum(np.random.default_rng(seed).uniform(0.05, 1.5, num_frames)).tolist()


CASES = {
    "4 fps": [_regular(4, 8)],
    "2 fps": [_regular(2, 12)],
    "0.7 fps": [_regular(0.7, 8)],
    "variable frame rate": [_irregular(0, 10)],
    "three clips": [_regular(3, 4), _irregular(1, 6), _regular(0.4, 2)],
}


@pytest.mark.parametrize("shared", [False, True], ids=["", "shared by rollouts"])
@pytest.mark.parametrize("times", CASES.values(), ids=CASES)
def test_rollout_and_trainer_agree(sides, video, times, shared):
    qwen, rollout, trainer = sides
    videos = [video([t - clip[0] for t in clip], seed) for seed, clip in enumerate(times)]
    videos = SharedVideos(videos) if shared else videos
    parts = [{"type": "video"} if i % 2 else {"type": "text", "text": "Clip: "} for i in range(2 * len(videos))]
    messages = [{"role": "user", "content": [*parts, {"type": "text", "text": "order"}]}]

    prompt = trainer.prompt(messages, videos)
    seen, sampled, rollout_logprobs = rollout(utils.qwen2_5_vl_dedup_image_tokens(prompt, qwen), videos)
    positions, grids, trainer_logprobs = trainer.score(prompt, sampled, videos)

    assert seen == prompt
    assert rollout.grids[tuple(seen)] == grids
    assert torch.equal(rollout.positions[tuple(seen)], positions[1:, : len(prompt)])
    assert (rollout_logprobs - trainer_logprobs).abs().max() <= 1e-3


def test_these_weights_show_a_wrong_position(sides, video):
    qwen, rollout, trainer = sides
    videos = [video(_regular(2, 8))]
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "order"}]}]
    prompt = trainer.prompt(messages, videos)
    _, sampled, rollout_logprobs = rollout(utils.qwen2_5_vl_dedup_image_tokens(prompt, qwen), videos)
    stock = trainer.worker._compute_position_ids

    def one_step_late(*args):
        positions = stock(*args)
        positions[:, 1, positions.shape[2] // 2 :] += 1
        return positions

    trainer.worker._compute_position_ids = one_step_late
    try:
        _, _, trainer_logprobs = trainer.score(prompt, sampled, videos)
    finally:
        del trainer.worker._compute_position_ids
    assert (rollout_logprobs - trainer_logprobs).abs().max() > 0.05
