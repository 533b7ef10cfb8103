"""What cannot be resumed is told before anything starts, in one sentence; what can be is the last whole checkpoint."""

import json

import pytest
from omegaconf import OmegaConf

from videossr_verl.errors import BadInput
from videossr_verl.patches.survival.fingerprint import fingerprint, read_fingerprint, write_fingerprint
from videossr_verl.patches.survival.resume import check_same_data, check_whole, checkpoint_to_resume


@pytest.fixture
def steps(tmp_path):
    """A folder with a whole checkpoint of step 5, written by 2 GPUs."""
    actor = tmp_path / "global_step_5" / "actor"
    actor.mkdir(parents=True)
    (actor / "fsdp_config.json").write_text(json.dumps({"FSDP_version": 2, "world_size": 2}))
    (tmp_path / "global_step_5" / "data.pt").write_bytes(b"")
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("5")
    return tmp_path


def trainer(steps, **changes):
    values = {"default_local_dir": str(steps), "resume_mode": "auto", "nnodes": 1, "n_gpus_per_node": 2}
    return OmegaConf.create(values | changes)


def test_the_marked_checkpoint(steps):
    folder = checkpoint_to_resume(trainer(steps))
    assert folder == steps / "global_step_5"
    check_whole(folder, trainer(steps))


def test_a_run_from_the_start(steps, tmp_path):
    assert checkpoint_to_resume(trainer(steps / "new")) is None
    assert checkpoint_to_resume(trainer(steps, resume_mode="disable")) is None


def test_a_named_checkpoint(steps):
    named = trainer(steps, resume_mode="resume_path", resume_from_path=str(steps / "global_step_5"))
    assert checkpoint_to_resume(named) == steps / "global_step_5"
    with pytest.raises(BadInput, match=r"resume_from_path='.*global_step_6' is not a folder on node"):
        checkpoint_to_resume(OmegaConf.merge(named, {"resume_from_path": str(steps / "global_step_6")}))


@pytest.mark.parametrize("content", ["7", "", "five"])
def test_a_marker_that_names_nothing(steps, content):
    """verl itself would begin from the start, or end with a traceback."""
    (steps / "latest_checkpointed_iteration.txt").write_text(content)
    with pytest.raises(BadInput, match=f"names step '{content}', whose folder is not there on node"):
        checkpoint_to_resume(trainer(steps))


def test_no_place_in_the_data(steps):
    (steps / "global_step_5" / "data.pt").unlink()
    with pytest.raises(BadInput, match=r"does not say where in the data the run was \(no data.pt\)"):
        check_whole(steps / "global_step_5", trainer(steps))


def test_another_number_of_gpus(steps):
    with pytest.raises(BadInput, match="was written by 2 GPUs and this run has 4: resume on 2, or start a new run"):
        check_whole(steps / "global_step_5", trainer(steps, nnodes=2))


class _Data(list):
    def __init__(self, files, rows):
        super().__init__(range(rows))
        self._files = files

    def fingerprint(self):
        return fingerprint(self._files, len(self))


@pytest.fixture
def data():
    return _Data(["of train.parquet"], 10)


def test_the_same_data(steps, data):
    write_fingerprint(data, steps / "global_step_5")
    assert read_fingerprint(steps / "global_step_5") == data.fingerprint()
    check_same_data(steps / "global_step_5", data, OmegaConf.create({}))


@pytest.mark.parametrize("change", ["content", "rows", "order"])
def test_changed_data_is_refused_with_both_fingerprints(steps, change):
    first, second = "of train.parquet", "of more.parquet"
    write_fingerprint(_Data([first, second], 10), steps / "global_step_5")
    then = read_fingerprint(steps / "global_step_5")
    files = [second, first] if change == "order" else [first, "of another" if change == "content" else second]
    now = _Data(files, 9 if change == "rows" else 10)
    with pytest.raises(BadInput, match=f"its fingerprint was {then} and is {now.fingerprint()}"):
        check_same_data(steps / "global_step_5", now, OmegaConf.create({}))
    check_same_data(steps / "global_step_5", now, OmegaConf.create({"resume_with_changed_data": True}))


def test_data_sets_without_a_fingerprint_are_not_judged(steps, data):
    write_fingerprint([1, 2], steps / "global_step_5")
    assert read_fingerprint(steps / "global_step_5") is None
    check_same_data(steps / "global_step_5", data, OmegaConf.create({}))
