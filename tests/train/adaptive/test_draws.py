"""Rows drawn at load, in the hands of verl's data loader and of a real Ray actor."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pyarrow.parquet as pq
import pytest
import ray
from omegaconf import OmegaConf
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.utils.dataset.rl_dataset import collate_fn
from verl.utils.tokenizer import hf_processor, hf_tokenizer

from reward_fns import compute_score as plain_compute_score
from videossr_verl.cluster import worker_reports
from videossr_verl.errors import BadInput
from videossr_verl.train.dataset import PretextDataset
from videossr_verl.train.reward_hook import MAILBOX, Report, compute_score

GROUP, BATCH = 4, 6


@pytest.fixture(scope="module")
def _ray():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def open_dataset(_ray, tiny_model, corpus_folder, dataset_folder, tmp_path):
    """(**changes of data.adaptive) -> the training data set, with an empty mailbox as at a run's start."""
    processor, tokenizer = hf_processor(str(tiny_model)), hf_tokenizer(str(tiny_model))

    def make(data=None, **adaptive):
        worker_reports._box.cache_clear()
        with suppress(ValueError):
            ray.kill(ray.get_actor(MAILBOX))
        config = {
            "data_root": str(corpus_folder),
            "train_files": str(dataset_folder / "train.parquet"),
            "val_files": str(dataset_folder / "test.parquet"),
            "max_prompt_length": 256,
            "filter_overlong_prompts": False,
            "image_patch_size": None,
            "seed": 3,
            "dataloader_num_workers": 0,
            "adaptive": {"levels": "videossr_tiny_levels", "memory": 20, "group_size": GROUP, "log": None} | adaptive,
        } | (data or {})
        return PretextDataset(config["train_files"], tokenizer, OmegaConf.create(config), processor)

    return make


def _loader(dataset):
    return StatefulDataLoader(dataset, batch_size=BATCH, num_workers=0, drop_last=True, collate_fn=collate_fn)


def _rows(batch):
    keys = ("data_source", "raw_prompt", "reward_model", "extra_info", "index")
    return [{key: batch[key][i] for key in keys} for i in range(len(batch["index"]))]


def _answer(row, rollout):
    """A model that knows easy levels: right half of the time, else nothing; a harder level is always wrong."""
    hard = row["data_source"].rsplit("/", 1)[-1].endswith(("hard", "clips", "fps"))
    return "nothing" if hard or rollout % 2 else row["reward_model"]["ground_truth"]


def _reward(batch):
    """All rollouts of a batch, from several threads in any order, as verl's reward workers."""
    jobs = [(row, rollout) for row in _rows(batch) for rollout in range(GROUP)]

    def one(job):
        row, rollout = job
        truth = row["reward_model"]["ground_truth"]
        return compute_score(row["data_source"], _answer(row, rollout), truth, row["extra_info"])

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, jobs))


def _what(batch):
    return [(r["data_source"], r["reward_model"]["ground_truth"], r["extra_info"]["seed"]) for r in _rows(batch)]


def _epochs(loader):
    while True:
        yield from loader


def _train(loader, steps):
    seen, batches = [], _epochs(loader)
    for _ in range(steps):
        batch = next(batches)
        seen.append(_what(batch))
        _reward(batch)
    return seen


def test_drawn_rows_are_of_the_stored_rows_tasks_and_videos(open_dataset, dataset_folder):
    dataset = open_dataset()
    stored = [dataset.dataframe[i] for i in range(BATCH)]
    batch = next(iter(_loader(dataset)))
    for old, new in zip(stored, _rows(batch), strict=True):
        assert new["extra_info"]["task"] == old["extra_info"]["task"]
        assert new["extra_info"]["video_id"] == old["extra_info"]["video_id"]
        assert new["index"] == old["extra_info"]["index"]
        assert new["extra_info"]["preset"] == "videossr_tiny_levels"
        assert new["extra_info"]["seed"] != old["extra_info"]["seed"]
        assert (
            plain_compute_score(
                new["data_source"],
                new["reward_model"]["ground_truth"],
                new["reward_model"]["ground_truth"],
                new["extra_info"],
            )["acc"]
            == 1
        )
    assert len({r["extra_info"]["draw"] for r in _rows(batch)}) == BATCH


def test_levels_follow_the_rewards_and_equal_rewards_give_equal_draws(open_dataset):
    first = _train(_loader(open_dataset()), 12)
    assert _train(_loader(open_dataset()), 12) == first
    sources = [source.rsplit("/", 1)[-1] for step in first[6:] for source, *_ in step]
    hard = np.mean([name.endswith(("hard", "clips", "fps")) for name in sources])
    assert hard < 0.35  # at the start 7 of 14 levels are
    assert _train(_loader(open_dataset(data={"seed": 4})), 2) != first[:2]


def test_a_resumed_run_draws_what_it_would_have_drawn(open_dataset):
    whole = _train(_loader(open_dataset()), 8)
    loader = _loader(open_dataset())
    batches = _epochs(loader)
    for _ in range(5):
        _reward(next(batches))
    state = json.loads(json.dumps(loader._iterator.state_dict()["dataset_state"]))  # nothing but JSON data
    assert state["draws"]["drawn"] == 5 * BATCH
    checkpoint = loader.state_dict()
    again = _loader(open_dataset())
    again.load_state_dict(checkpoint)
    assert _train(again, 3) == whole[5:]


def test_a_checkpoint_between_rollouts_keeps_what_has_come(open_dataset):
    """Some of a group's rewards are in the checkpoint, the others come after it."""
    dataset = open_dataset()
    row = dataset.__getitems__([0])[0]
    draw = row["extra_info"]["draw"]
    for score in (0.0, 1.0):
        worker_reports.post(MAILBOX, Report(draw, score, 0.25))
    state = dataset.state_dict()
    again = open_dataset()
    again.load_state_dict(state)
    for score in (1.0, 0.5):
        worker_reports.post(MAILBOX, Report(draw, score, 0.25))
    assert again._draws._learn() == [[0.0, 0.5, 1.0, 1.0]]
    assert again._draws._open == {}


def test_a_lost_rollout_keeps_its_group_out_and_nothing_waits(open_dataset):
    dataset = open_dataset()
    rows = dataset.__getitems__([0, 1])
    for row in rows:
        for _ in range(GROUP - (row is rows[0])):
            worker_reports.post(MAILBOX, Report(row["extra_info"]["draw"], 0.5, 0.25))
    dataset.__getitems__([2])
    assert sorted(dataset._draws._reports) == [rows[0]["extra_info"]["draw"]]


def test_validation_and_single_rows_stay_as_stored(open_dataset, dataset_folder, tiny_model):
    dataset = open_dataset()
    assert "draw" not in dataset[0]["extra_info"]
    config = dataset.config
    test = PretextDataset(str(dataset_folder / "test.parquet"), dataset.tokenizer, config, dataset.processor)
    batch = next(iter(_loader(test)))
    assert all("draw" not in row["extra_info"] for row in _rows(batch))
    assert test.state_dict() == {"draws": None}


def test_off_by_default_rewards_report_nothing(open_dataset):
    dataset = open_dataset(levels=None)
    batch = next(iter(_loader(dataset)))
    assert len(_reward(batch)) == BATCH * GROUP  # there is no mailbox that a report could reach
    with pytest.raises(ValueError, match=MAILBOX):
        ray.get_actor(MAILBOX)


def test_a_level_that_no_video_carries_leaves_the_stored_row(open_dataset, tmp_path):
    preset = tmp_path / "nine.yaml"
    preset.write_text(
        "clip: {num_frames: 8, fps: 4, min_pixels: 784, max_pixels: 3136}\n"
        "tasks:\n  nine: {task: temporal_jigsaw, difficulty: {num_clips: 9}}\n"
    )
    log = tmp_path / "run" / "difficulty.jsonl"
    dataset = open_dataset(levels=str(preset), log=str(log))
    rows = dataset.__getitems__(list(range(BATCH)))
    assert all("draw" not in row["extra_info"] for row in rows)
    line = json.loads(log.read_text())
    assert (line["drawn"], line["stored"], line["levels"]) == (BATCH, BATCH, {})
    assert line["rates"]["temporal_jigsaw"]["nine"]["share"] == 1


def test_a_prompt_that_is_too_long_is_told_and_not_used(open_dataset, dataset_folder, caplog):
    longest = max(open_dataset()._prompt_lengths(open_dataset().dataframe))
    dataset = open_dataset(data={"max_prompt_length": longest})
    rows = [row for at in range(0, 24, BATCH) for row in dataset.__getitems__(list(range(at, at + BATCH)))]
    stored = [row for row in rows if "draw" not in row["extra_info"]]
    assert 0 < len(stored) == caplog.text.count("longer than data.max_prompt_length")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"levels": "nonsense"}, "unknown preset 'nonsense'"),
        ({"embedding": "no/such/clip"}, "no/such/clip"),
        ({"memory": 1}, "memory above 1"),
        ({"group_size": 1}, "group_size of 2 or more"),
        ({"data": {"dataloader_num_workers": 2}}, "dataloader_num_workers=0"),
        ({"data": {"val_files": None}}, "cannot validate on the training rows"),
    ],
)
def test_wrong_settings(open_dataset, dataset_folder, changes, message):
    if "val_files" in changes.get("data", {}):
        changes = {"data": {"val_files": str(dataset_folder / "train.parquet")}}
    with pytest.raises(BadInput, match=message):
        open_dataset(**changes)


def test_levels_of_other_tasks_only(open_dataset, dataset_folder, tmp_path):
    table = pq.read_table(dataset_folder / "train.parquet")
    counting = [source.startswith("videossr/object_counting") for source in table["data_source"].to_pylist()]
    pq.write_table(table.filter(counting), tmp_path / "counting.parquet")
    preset = tmp_path / "jigsaw.yaml"
    preset.write_text("tasks:\n  temporal_jigsaw: {difficulty: {num_clips: 3}}\n")
    with pytest.raises(BadInput, match="'jigsaw' has no level of the data's tasks: object_counting"):
        open_dataset(levels=str(preset), data={"train_files": str(tmp_path / "counting.parquet")})
