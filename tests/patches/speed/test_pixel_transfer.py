"""The pixels of a prompt, through a real TransferQueue: once per prompt, right in the trainer, gone with its rows."""

import asyncio
import uuid

import pytest
import ray
import torch
from PIL import Image
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ
from verl.utils.model import extract_multi_modal_inputs
from verl.utils.tokenizer import tokenizer

from videossr_verl.patches.speed.pixel_transfer import PARTITION
from videossr_verl.prompt.pixels import PromptPixels
from videossr_verl.prompt.shared_media import SharedVideos

TEXT = "<|vision_start|><|video_pad|><|vision_end|>"


class Worker(AgentLoopWorkerTQ.__ray_actor_class__):
    """verl's worker, whose answers come without an engine and a reward."""

    def __init__(self, processor):
        self.processor, self.tokenizer, self.mm_processor_kwargs = processor, processor.tokenizer, {}

    async def _compute_score(self, outputs, kwargs):
        pass

    async def _compute_teacher_logprobs(self, output, **kwargs):
        pass


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def qwen(request, processor):
    return processor(request.param)


def prompt(qwen, videos, images=None):
    """Shared videos, token ids, and what stock verl would compute for the trainer."""
    shared = SharedVideos(videos, images)
    text = [TEXT * len(videos) + TEXT.replace("video", "image") * len(images or [])]
    ids = tokenizer.build_multimodal_processor_inputs(qwen, text=text, videos=shared, images=images)["input_ids"]
    stock = tokenizer.build_multimodal_processor_inputs.stock(qwen, text=text, videos=videos, images=images)
    return shared, torch.as_tensor(ids)[0].tolist(), stock


def write_rows(qwen, prompts, rollouts, validate=False, uids=None, sessions=0):
    """Lets each rollout of each prompt write its row, numbered from `sessions` on; returns the prompts' uids."""
    worker = Worker(qwen)
    uids = uids or [uuid.uuid4().hex for _ in prompts]

    async def write(uid, session, shared, ids):
        output = AgentLoopOutput(
            prompt_ids=ids,
            response_ids=[5, 6 + session],
            response_mask=[1, 1],
            multi_modal_data={"videos": shared} | ({"images": shared.images} if shared.images else {}),
            mm_processor_output=[{"pixel_values_videos": torch.zeros(1)}],
            metrics={},
        )
        row = {"uid": uid, "session_id": session, "global_steps": 1}
        await worker._agent_loop_postprocess(output, validate, **row)

    async def write_all():
        jobs = [
            write(uid, session, shared, ids)
            for uid, (shared, ids, _) in zip(uids, prompts, strict=True)
            for session in range(sessions, sessions + rollouts)
        ]
        await asyncio.gather(*jobs)

    asyncio.run(write_all())
    return uids


def read_rows(queue, uids, rollouts, partition="train"):
    keys = [f"{uid}_{session}_0" for uid in uids for session in range(rollouts)]
    return keys, queue.kv_batch_get(keys=keys, partition_id=partition)


def test_once_per_prompt_and_equal_to_stock(queue, qwen, video):
    prompts = [
        prompt(qwen, [video([0.0, 0.5, 1.0, 1.5], 1)]),
        prompt(qwen, [video([0.0, 0.3, 0.9], 2), video([0.0, 1.0], 3, height=84)]),
    ]
    uids = write_rows(qwen, prompts, rollouts=3)
    assert set(queue.kv_list(partition_id=PARTITION)[PARTITION]) == set(uids)
    keys, rows = read_rows(queue, uids, 3)
    assert rows.get("mm_processor_output", None) is None or not any(rows["mm_processor_output"])
    inputs = [row.data if hasattr(row, "data") else row for row in rows["multi_modal_inputs"]]
    assert all(row["pixel_values_videos"].patches is None for row in inputs)

    # A micro-batch of rows of both prompts, in any order.
    chosen = [4, 0, 2, 3]
    got = extract_multi_modal_inputs(inputs, chosen)
    wanted = [prompts[i // 3][2] for i in chosen]
    for name in ("pixel_values_videos", "video_grid_thw"):
        assert torch.equal(got[name], torch.cat([stock[name] for stock in wanted])), name

    queue.kv_clear(keys=[f"{uids[0]}"], partition_id="train")  # verl's note of the prompt goes first
    assert set(queue.kv_list(partition_id=PARTITION)[PARTITION]) == set(uids)
    queue.kv_clear(keys=keys, partition_id="train")
    assert not queue.kv_list(partition_id=PARTITION).get(PARTITION)


def test_rows_with_and_without_images_in_one_batch(queue, qwen, video):
    generator = torch.Generator().manual_seed(0)
    images = [Image.fromarray(torch.randint(0, 256, (56, 84, 3), dtype=torch.uint8, generator=generator).numpy())] * 2
    prompts = [prompt(qwen, [video([0.0, 0.5], 1)]), prompt(qwen, [video([0.0, 0.5], 2)], images)]
    uids = write_rows(qwen, prompts, rollouts=2)
    keys, rows = read_rows(queue, uids, 2)
    inputs = [row.data if hasattr(row, "data") else row for row in rows["multi_modal_inputs"]]
    assert all(inputs[i]["pixel_values"].patches is None for i in (2, 3))
    got = extract_multi_modal_inputs(inputs)
    stock = [prompts[i][2] for i in (0, 0, 1, 1)]
    for name in ("pixel_values_videos", "video_grid_thw", "pixel_values", "image_grid_thw"):
        assert torch.equal(got[name], torch.cat([s[name] for s in stock if name in s])), name
    queue.kv_clear(keys=keys, partition_id="train")
    assert not queue.kv_list(partition_id=PARTITION).get(PARTITION)


def test_validation_rows_send_none(queue, qwen, video):
    prompts = [prompt(qwen, [video([0.0, 0.5, 1.0, 1.5], 1)])]
    uids = write_rows(qwen, prompts, rollouts=1, validate=True)
    assert not queue.kv_list(partition_id=PARTITION).get(PARTITION)
    keys, rows = read_rows(queue, uids, 1, partition="val")
    inputs = [row.data if hasattr(row, "data") else row for row in rows["multi_modal_inputs"]]
    with pytest.raises(RuntimeError, match="validation row"):
        extract_multi_modal_inputs(inputs)
    queue.kv_clear(keys=keys, partition_id="val")


def test_rollouts_of_a_prompt_in_two_workers(queue, qwen, video):
    """Each worker has decoded the videos for itself."""
    first, second = (prompt(qwen, [video([0.0, 0.5, 1.0, 1.5], 1)]) for _ in range(2))
    uids = write_rows(qwen, [first], rollouts=2)
    write_rows(qwen, [second], rollouts=2, uids=uids, sessions=2)
    assert list(queue.kv_list(partition_id=PARTITION)[PARTITION]) == uids
    keys, rows = read_rows(queue, uids, 4)
    inputs = [row.data if hasattr(row, "data") else row for row in rows["multi_modal_inputs"]]
    got = extract_multi_modal_inputs(inputs)["pixel_values_videos"]
    assert torch.equal(got, first[2]["pixel_values_videos"].repeat(4, 1))
    queue.kv_clear(keys=keys, partition_id="train")
    assert not queue.kv_list(partition_id=PARTITION).get(PARTITION)


def test_the_same_videos_in_two_prompts_are_kept_for_both(queue, qwen, video):
    same = prompt(qwen, [video([0.0, 0.5, 1.0, 1.5], 1)])
    first, second = write_rows(qwen, [same, same], rollouts=2)
    queue.kv_clear(keys=[f"{first}_{i}_0" for i in range(2)], partition_id="train")
    keys, rows = read_rows(queue, [second], 2)
    inputs = [row.data if hasattr(row, "data") else row for row in rows["multi_modal_inputs"]]
    got = extract_multi_modal_inputs(inputs)["pixel_values_videos"]
    assert torch.equal(got, same[2]["pixel_values_videos"].repeat(2, 1))
    queue.kv_clear(keys=keys, partition_id="train")


def test_ray_can_send_the_worker_class():
    ray.cloudpickle.dumps(AgentLoopWorkerTQ.__ray_actor_class__)


def test_rows_that_carry_their_pixels(qwen, video):
    shared, _, stock = prompt(qwen, [video([0.0, 0.5, 1.0, 1.5], 1)])
    ours = dict(shared.any_processed())
    assert isinstance(ours["pixel_values_videos"], PromptPixels)
    theirs = {"pixel_values_videos": stock["pixel_values_videos"] + 1}
    got = extract_multi_modal_inputs([theirs, None, {"pixel_values_videos": ours["pixel_values_videos"]}])
    wanted = torch.cat([theirs["pixel_values_videos"], stock["pixel_values_videos"]])
    assert torch.equal(got["pixel_values_videos"], wanted)
