"""Checkpoints appear whole or not at all, on each disk, and old ones go only after the marker has changed."""

from pathlib import Path

import pytest
import ray
from omegaconf import OmegaConf
from ray.cluster_utils import Cluster
from verl.trainer.ppo.v1.trainer_base import PPOTrainer

from videossr_verl.cluster.nodes import NodeLeftError, on_each_node
from videossr_verl.patches.survival.checkpoints import (
    MARKER,
    PARTIAL,
    publish,
    remove_older,
    wrap_save_checkpoint,
    write_marker,
)


def write(steps, step, content="weights"):
    folder = steps / PARTIAL / f"global_step_{step}"
    (folder / "actor").mkdir(parents=True)
    (folder / "actor" / "model.pt").write_text(content)


def names(steps):
    return sorted(path.name for path in steps.iterdir())


def test_publish_moves_the_whole_folder(tmp_path):
    write(tmp_path, 5)
    publish(tmp_path, "global_step_5")
    assert names(tmp_path) == ["global_step_5"]
    assert (tmp_path / "global_step_5" / "actor" / "model.pt").read_text() == "weights"


def test_publish_replaces_what_an_earlier_attempt_left(tmp_path):
    write(tmp_path, 5, "old")
    publish(tmp_path, "global_step_5")
    write(tmp_path, 5, "new")
    publish(tmp_path, "global_step_5")
    assert names(tmp_path) == ["global_step_5"]
    assert (tmp_path / "global_step_5" / "actor" / "model.pt").read_text() == "new"


def test_publish_on_a_node_without_ranks_or_after_another_node(tmp_path):
    publish(tmp_path / "nothing", "global_step_5")
    assert not (tmp_path / "nothing").exists()
    write(tmp_path, 5)
    for _ in range(2):
        publish(tmp_path, "global_step_5")
    assert names(tmp_path) == ["global_step_5"]


def test_the_marker_changes_in_one_step(tmp_path, monkeypatch):
    """A reader that comes just before the change still finds the old number."""
    write_marker(tmp_path, 5)
    seen = []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (seen.append((tmp_path / MARKER).read_text()), replace(self, to))
    )
    write_marker(tmp_path, 10)
    assert seen == ["5"]
    assert (tmp_path / MARKER).read_text() == "10"


@pytest.mark.parametrize(
    ("keep", "left"), [(None, [5, 10, 100, 15, 20]), (1, [100, 20]), (2, [100, 15, 20]), (9, [5, 10, 100, 15, 20])]
)
def test_the_newest_below_this_step_stay(tmp_path, keep, left):
    """Not to be deleted: a later step, of a run that began anew from an earlier one, and what users put there."""
    for step in (5, 10, 15, 20, 100, "5_best"):
        write(tmp_path, step)
        publish(tmp_path, f"global_step_{step}")
    remove_older(tmp_path, 20, keep)
    assert names(tmp_path) == sorted(f"global_step_{step}" for step in [*left, "5_best"])


def test_each_node_has_its_own_disk(tmp_path):
    """Both nodes of a real cluster are asked; each finds its own folder (here by its own variable)."""
    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "env_vars": {"DISK": str(tmp_path / "a")}})
    cluster.add_node(num_cpus=1, env_vars={"DISK": str(tmp_path / "b")})
    for disk in ("a", "b"):
        write(tmp_path / disk, 5)

    def on_this_disk(name):
        import os

        publish(Path(os.environ["DISK"]), name)

    try:
        ray.init(address=cluster.address, log_to_driver=False)
        on_each_node(on_this_disk, "global_step_5")
        assert [names(tmp_path / disk) for disk in ("a", "b")] == [["global_step_5"]] * 2
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_a_node_that_leaves_meanwhile_is_named(tmp_path):
    """Two nodes kill each other; Ray counts the second one, which is asked after its death, as there."""
    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes = [cluster.add_node(num_cpus=1, env_vars={"DISK": str(tmp_path / name)}) for name in ("a", "b")]
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    pids = {str(tmp_path / "a"): raylets[1], str(tmp_path / "b"): raylets[0]}

    def kill_the_other(pids):
        import os
        import signal

        if other := pids.get(os.environ.get("DISK")):
            os.kill(other, signal.SIGKILL)

    try:
        ray.init(address=cluster.address, log_to_driver=False)
        with pytest.raises(NodeLeftError, match=r"^node [\d.]+ left the cluster$"):
            on_each_node(kill_the_other, pids)
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_what_fails_on_a_node_keeps_its_name():
    def read_nothing():
        Path("nowhere").read_text()

    ray.shutdown()
    ray.init(num_cpus=1, log_to_driver=False)
    try:
        with pytest.raises(FileNotFoundError):
            on_each_node(read_nothing)
    finally:
        ray.shutdown()


def test_verl_still_needs_it():
    """When this fails, verl writes checkpoints in another way: look whether the wrapping may go."""
    import inspect

    stock = inspect.getsource(PPOTrainer._save_checkpoint.stock)
    assert 'with open(local_latest_checkpointed_iteration, "w") as f:' in stock
    assert "self.config.trainer.default_local_dir" in stock


def test_asynchronous_saving_is_left_to_verl():
    asked = []
    trainer = OmegaConf.create({"default_local_dir": "nowhere"})
    config = OmegaConf.create(
        {"trainer": trainer, "actor_rollout_ref": {"actor": {"checkpoint": {"async_save": True}}}}
    )

    wrap_save_checkpoint(asked.append)(type("Trainer", (), {"config": config})())
    assert len(asked) == 1
