"""The trainer's view of a video prompt against a real vLLM engine's, through verl's own functions."""

import gc

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from transformers import AutoModelForImageTextToText
from verl.models.transformers.monkey_patch import apply_monkey_patch
from verl.utils.dataset.rl_dataset import RLHFDataset
from verl.utils.model import extract_multi_modal_inputs
from verl.workers.rollout import utils

from videossr_verl.preflight.parity import TrainerSide, dataset_prompts
from videossr_verl.prompt.shared_media import SharedVideos

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
            limit_mm_per_prompt={"video": 6, "image": 4},
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
            videos = sorted((f for f in mm_features if f.modality == "video"), key=lambda f: f.mm_position.offset)
            self.grids[tuple(input_tokens)] = [f.data["video_grid_thw"].data.tolist() for f in videos]
            return positions, delta

        model.get_mrope_input_positions = get_mrope_input_positions

    def __call__(self, ids, videos, images=()):
        media = {"video": list(videos), "image": list(images)}
        request = {"prompt_token_ids": ids, "multi_modal_data": {k: v for k, v in media.items() if v}}
        output = self.llm.generate([request], self.sampling, use_tqdm=False)[0]
        sampled = list(output.outputs[0].token_ids)
        steps = zip(output.outputs[0].logprobs, sampled, strict=True)
        return (
            list(output.prompt_token_ids),
            sampled,
            torch.tensor([step[token].logprob for step, token in steps]),
        )


class Trainer(TrainerSide):
    """What verl computes from the same messages, and the log-probs of the model that it trains."""

    def __init__(self, folder, banned):
        super().__init__(str(folder))
        self.banned = banned
        self.model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="sdpa"
        ).eval()
        apply_monkey_patch(self.model, use_remove_padding=False, ulysses_sp_size=1)

    def score(self, prompt, sampled, videos, images=()):
        """positions (4, L), video grids, log-probs of `sampled`."""
        inputs, positions = self.inputs([*prompt, *sampled], videos, images)
        ids = torch.tensor([[*prompt, *sampled]])
        with torch.no_grad():
            logits = self.model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
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
    yield qwen, rollout, Trainer(folder, banned)
    rollout.llm.llm_engine.engine_core.shutdown()
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
    "odd count": [_regular(2, 7)],
    "two frames": [_regular(1, 2)],
    "fewer frames than a patch": [[0.0], _regular(2, 4)],
    "three clips": [_regular(3, 4), _irregular(1, 6), _regular(0.4, 2)],
    "six clips": [_regular(rate, count) for rate, count in ((4, 4), (2, 8), (0.7, 2), (3, 6), (1, 5), (2.5, 4))],
}


def check(sides, messages, videos, images=()):
    """All that the issue of fidelity is about, for one prompt."""
    qwen, rollout, trainer = sides
    prompt = trainer.ids(messages, videos, list(images))
    seen, sampled, rollout_logprobs = rollout(utils.qwen2_5_vl_dedup_image_tokens(prompt, qwen), videos, images)
    positions, grids, trainer_logprobs = trainer.score(prompt, sampled, videos, list(images))

    assert seen == prompt
    assert rollout.grids[tuple(seen)] == grids
    assert torch.equal(rollout.positions[tuple(seen)], positions[1:, : len(prompt)])
    assert (rollout_logprobs - trainer_logprobs).abs().max() <= 1e-3


def user(*parts):
    content = [part if isinstance(part, dict) else {"type": "text", "text": part} for part in parts]
    return [{"role": "user", "content": content}]


VIDEO, IMAGE = {"type": "video"}, {"type": "image"}


@pytest.mark.parametrize("shared", [False, True], ids=["", "shared by rollouts"])
@pytest.mark.parametrize("times", CASES.values(), ids=CASES)
def test_rollout_and_trainer_agree(sides, video, times, shared):
    videos = [video([t - clip[0] for t in clip], seed) for seed, clip in enumerate(times)]
    videos = SharedVideos(videos) if shared else videos
    parts = [part for _ in videos for part in ("Clip: ", VIDEO)]
    check(sides, user(*parts, "order"), videos)


def test_videos_without_a_word_between_them(sides, video):
    videos = SharedVideos([video(_regular(2, 4), 1), video(_regular(0.7, 6), 2)])
    check(sides, user(VIDEO, VIDEO, "order"), videos)


@pytest.mark.parametrize(
    "parts",
    [(VIDEO, "order", IMAGE, IMAGE, IMAGE, IMAGE), (IMAGE, IMAGE, IMAGE, "order", VIDEO), (IMAGE, VIDEO, IMAGE)],
    ids=["after", "before", "around"],
)
def test_images_beside_a_video(sides, video, parts):
    pictures = np.random.default_rng(0).integers(0, 255, (4, 56, 84, 3), dtype=np.uint8)
    images = [Image.fromarray(picture) for picture in pictures[: parts.count(IMAGE)]]
    check(sides, user(*parts, "answer"), [video(_regular(1, 6), 3)], images)


def test_a_clip_that_two_prompts_share(sides, video):
    """vLLM's multimodal cache is on: what it remembers of a clip must not depend on the clip's neighbours."""
    first, second = video(_regular(4, 6), 5), video(_regular(0.7, 6), 6)
    for videos in ([first], [first, second], [second, first], [second]):
        check(sides, user(*[VIDEO] * len(videos), "order"), SharedVideos(videos))


def test_the_same_frames_at_another_rate(sides, video):
    for rate in (4, 0.5):
        check(sides, user(VIDEO, "count"), SharedVideos([video(_regular(rate, 6), 7)]))


@pytest.mark.asyncio
async def test_a_list_of_picture_files(sides, tmp_path):
    """A row that is not ours, prepared by verl and qwen-vl-utils."""
    for i, picture in enumerate(np.random.default_rng(0).integers(0, 255, (6, 56, 84, 3), dtype=np.uint8)):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    frames = {"type": "video", "video": [str(tmp_path / f"{i}.png") for i in range(6)], "sample_fps": 0.7}
    patch = sides[0].video_processor.patch_size
    messages = user(frames, "order")
    _, videos, _ = await RLHFDataset.process_multi_modal_info(messages, patch, OmegaConf.create({}))
    check(sides, messages, videos)


def test_real_samples_of_each_task(sides, dataset_folder, corpus_folder):
    prompts = list(dataset_prompts(str(dataset_folder / "train.parquet"), str(corpus_folder), sides[0]))
    assert len(prompts) == 4
    for prompt in prompts:
        check(sides, prompt.messages, prompt.videos)


def test_these_weights_show_a_wrong_position(sides, video):
    qwen, rollout, trainer = sides
    videos = [video(_regular(2, 8))]
    prompt = trainer.ids(user(VIDEO, "order"), videos)
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
