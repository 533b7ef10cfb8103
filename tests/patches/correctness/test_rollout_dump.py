"""Rollouts that `skip.rollout_tq` wrote down, through a real TransferQueue: another run gets them with their pixels."""

import pytest
import torch
from omegaconf import OmegaConf
from transfer_queue import KVBatchMeta
from verl.utils.model import extract_multi_modal_inputs
from verl.utils.skip import RolloutTqSkip
from verl.utils.skip.config import RolloutTqSkipConfig
from verl.utils.tensordict_utils import list_of_dict_to_tensordict

from videossr_verl.patches.speed.pixel_transfer import PARTITION
from videossr_verl.prompt.pixels import PromptPixels

ROLLOUTS = 3
MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)


@pytest.fixture
def skip(tmp_path):
    whole = {"trainer": {"v1": {"trainer_mode": "sync"}}, "actor_rollout_ref": {"rollout": {"n": ROLLOUTS}}}
    return RolloutTqSkip(RolloutTqSkipConfig(enable=True, dump_dir=str(tmp_path), steps=[1]), OmegaConf.create(whole))


def pixels_of(queue, keys):
    rows = queue.kv_batch_get(keys=keys, partition_id="train")["multi_modal_inputs"]
    return extract_multi_modal_inputs([getattr(row, "data", row) for row in rows])["pixel_values_videos"]


def test_another_run_trains_on_the_same_pixels(queue, skip):
    generator = torch.Generator().manual_seed(0)
    rows, keys = [], []
    for uid in ("first", "second"):
        patches = torch.randint(0, 256, (8, 12), dtype=torch.uint8, generator=generator)
        queue.kv_put(key=uid, partition_id=PARTITION, fields={"pixel_values_videos": patches})
        for rollout in range(ROLLOUTS):
            inputs = {"pixel_values_videos": PromptPixels(MEAN, STD, key=uid)}
            rows.append({"responses": torch.arange(2 + rollout), "multi_modal_inputs": inputs})
            keys.append(f"{uid}_{rollout}_0")
    tags = [{"status": "success", "seq_len": 4} for _ in keys]
    queue.kv_batch_put(keys=keys, partition_id="train", fields=list_of_dict_to_tensordict(rows), tags=tags)
    before = pixels_of(queue, keys)
    batch = KVBatchMeta(partition_id="train", keys=keys, tags=tags)
    skip.prepare_data(step=1, batch=batch, global_steps=1)
    skip.prepare_data(step=1, batch=batch, global_steps=1)  # it is there already
    queue.kv_clear(keys=keys, partition_id="train")
    assert not queue.kv_list(partition_id=PARTITION).get(PARTITION)
    assert skip.maybe_load_and_inject(1, ["third", "fourth"])
    again = [f"{uid}_{rollout}_0" for uid in ("third", "fourth") for rollout in range(ROLLOUTS)]
    assert torch.equal(pixels_of(queue, again), before)
    (file,) = skip._get_project_dump_dir().rglob(skip.tq_batch_name)
    stored = torch.load(file, weights_only=False)["tensordict"]["multi_modal_inputs"]
    assert len({row["pixel_values_videos"].patches.data_ptr() for row in stored}) == 2  # on disk once for each prompt
