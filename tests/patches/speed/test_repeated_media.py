"""The processor runs once for a prompt's videos, and every rollout gets what stock verl would compute."""

import types

import pytest
import ray
import torch
from omegaconf import OmegaConf
from PIL import Image
from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopWorker
from verl.utils.tokenizer import tokenizer
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder
from verl.workers.rollout.llm_server import LLMServerClient

from videossr_verl.prompt.pixels import PromptPixels
from videossr_verl.prompt.shared_media import SharedVideos


class Counted:
    """A processor that counts its calls."""

    def __init__(self, processor):
        self._processor, self.calls = processor, 0

    def __getattr__(self, name):
        return getattr(self._processor, name)

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self._processor(*args, **kwargs)


def roll_out(processor, family, videos, answer, images=None):
    """Prompt ids, trainer inputs and positions (1, 4, L) of one rollout, through verl's own methods."""
    builder = create_continuous_token_builder(
        processor.tokenizer, hf_model_type=family, chat_template_kwargs={}, mm_processor_kwargs={}, processor=processor
    )
    content = [*[{"type": "video"} for _ in videos], {"type": "text", "text": "order"}]
    content += [{"type": "image"} for _ in images or []]
    prompt = list(builder.build_initial_tokens([{"role": "user", "content": content}], images=images, videos=videos))
    worker = object.__new__(AgentLoopWorker)
    worker.processor, worker.tokenizer, worker.mm_processor_kwargs = processor, processor.tokenizer, {}
    media = {"videos": videos} | ({"images": images} if images else {})
    output = types.SimpleNamespace(multi_modal_data=media, mm_processor_kwargs={})
    ids = torch.tensor([prompt + answer])
    for _ in range(2):  # for the reward, and for the trainer
        inputs = worker._compute_multi_modal_inputs(output, ids[0])
        positions = worker._compute_position_ids(ids, torch.ones_like(ids), inputs)
    return prompt, {name: plain(value) for name, value in inputs.items()}, positions


def plain(value):
    return value.normalised(value.patches) if isinstance(value, PromptPixels) else value


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


@pytest.fixture
def stills():
    """Images of two sizes."""
    generator = torch.Generator().manual_seed(5)
    sizes = ((56, 84), (84, 56), (56, 84))
    return [
        Image.fromarray(torch.randint(0, 256, (*s, 3), dtype=torch.uint8, generator=generator).numpy()) for s in sizes
    ]


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_images_beside_videos_are_processed_once_too(family, processor, video, stills):
    videos = [video([0.0, 0.5, 1.0, 1.5], 1), video([2.0, 2.5], 2)]
    stock, ours = Counted(processor(family)), Counted(processor(family))
    shared = SharedVideos(videos, stills)
    for answer in ([5, 6], [7]):
        prompt, inputs, positions = roll_out(stock, family, videos, answer, stills)
        our_prompt, our_inputs, our_positions = roll_out(ours, family, shared, answer, shared.images)
        assert our_prompt == prompt
        assert torch.equal(our_positions, positions)
        assert our_inputs.keys() == inputs.keys() >= {"pixel_values", "pixel_values_videos", "images_seqlens"}
        for name, value in inputs.items():
            assert torch.equal(torch.as_tensor(our_inputs[name]), value), name
    assert (stock.calls, ours.calls) == (6, 1)
    roll_out(ours, family, shared, [5], stills[:1])  # not the images that belong to the videos
    assert ours.calls == 4


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
    even = worker._compute_multi_modal_inputs(output, torch.tensor(prompt))
    odd = worker._compute_multi_modal_inputs(output, torch.tensor([*prompt, qwen.video_token_id]))
    assert even["pixel_values_videos"] is odd["pixel_values_videos"]
    assert len(odd["video_grid_thw"]) == 1


@ray.remote
class Server:
    """Stands at the far end of Ray, where a rollout server would, and tells what reached it."""

    def generate(self, video_data, image_data, **request):
        return types.SimpleNamespace(video_data=video_data, image_data=image_data, extra_fields={})


class Client(LLMServerClient):
    """verl's client without the load balancer."""

    def __init__(self, rollout):
        self.config = OmegaConf.create({"actor_rollout_ref": {"rollout": {"name": rollout}}})
        self.server = Server.remote()

    async def _acquire_server(self, request_id, *, video_data, **extra):
        self.taken = video_data
        return "server", self.server

    def _release_server(self, server_id, request_id=None):
        pass


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.asyncio
async def test_frames_travel_to_the_server_by_one_reference(cluster, video):
    videos, client = SharedVideos([video([0.0, 0.5, 1.0, 1.5], 1)]), Client("vllm")
    taken = []
    for _ in range(2):
        output = await client.generate("1", prompt_ids=[1], sampling_params={}, video_data=videos)
        taken.append(client.taken)
        (frames, metadata), *others = output.video_data
        assert torch.equal(frames, videos[0][0])
        assert metadata == videos[0][1]
        assert not others
    assert isinstance(taken[0], ray.ObjectRef)
    assert taken[0] is taken[1]


@pytest.mark.asyncio
async def test_images_travel_with_them(cluster, video, stills):
    videos, client = SharedVideos([video([0.0, 0.5], 1)], stills), Client("vllm")
    output = await client.generate("1", prompt_ids=[1], sampling_params={}, video_data=videos, image_data=videos.images)
    assert [image.tobytes() for image in output.image_data] == [image.tobytes() for image in stills]
    assert torch.equal(output.video_data[0][0], videos[0][0])


@pytest.mark.asyncio
async def test_sglang_gets_the_processors_floats(cluster, processor, video):
    qwen, client = processor("qwen3_vl"), Client("sglang")
    videos = SharedVideos([video([0.0, 0.5, 1.0, 1.5], 1)])
    texts = ["<|vision_start|><|video_pad|><|vision_end|>"]
    made = [tokenizer.build_multimodal_processor_inputs(qwen, text=texts, videos=v) for v in (videos, list(videos))]
    payload = AgentLoopBase.build_sglang_video_payload(videos, made[0])
    output = await client.generate(
        "1", prompt_ids=[1], sampling_params={}, video_data=videos, mm_processor_output=payload
    )
    assert torch.equal(output.video_data[0]["pixel_values_videos"], made[1]["pixel_values_videos"])
