"""A run goes on from its last whole checkpoint with the same data, whichever of its processes was killed.

tests/faults/test_killed_saves.py kills at each file operation of a save, test_check_gpu.py a rollout server.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

PHASES = ("rollout", "agent", "engine", "update", "trainer")
REASONS = {  # in the run's own words, where it still has any
    "agent": r"DeadWorkerError: agent_loop_worker_0_\w+ died: ",
    "engine": r"EngineDeadError",
    "update": r"ActorDiedError|ActorUnavailableError",
    "trainer": r"ActorDiedError",
}
STEPS, BATCH = 3, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Makes the folder of all the runs."""
    return tmp_path_factory.mktemp("killed")


@pytest.fixture(scope="module")
def settings(folder, tiny_model, dataset_folder, corpus_folder):
    """Returns the overrides of all the runs."""
    return (
        f"data.train_files={dataset_folder}/train.parquet",
        f"data.val_files={dataset_folder}/test.parquet",
        f"data.data_root={corpus_folder}",
        f"data.train_batch_size={BATCH}",
        "data.max_prompt_length=256",
        "data.max_response_length=12",
        f"actor_rollout_ref.model.path={tiny_model}",
        "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16",
        "actor_rollout_ref.rollout.n=4",
        f"trainer.total_training_steps={STEPS}",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.save_freq=1",
        "trainer.max_actor_ckpt_to_keep=2",
        f"trainer.default_local_dir={folder}/steps",
        f"trainer.rollout_data_dir={folder}/rollouts",
    )


@pytest.fixture(scope="module")
def run(train, settings, folder):
    """Kills runs and goes on. Returns the folder, and {phase: what the run left}: one step, and two of the last run."""
    (folder / "killed").mkdir()
    left = {}
    hook = {"PYTHONPATH": Path(__file__).parent / "killed_at", "KILL_FOLDER": folder / "killed"}
    for phase in PHASES:
        finished = train(folder, *settings, KILL_AT=phase, **hook)
        (folder / f"{phase}.log").write_text(finished.stdout + finished.stderr)
        left[phase] = finished.returncode, whole_steps(folder / "steps"), marker(folder / "steps")
        assert (folder / "killed" / phase).exists(), finished.stdout[-3000:] + finished.stderr[-3000:]
    return folder, left


@pytest.fixture(scope="module")
def changed(run, train, settings, dataset_folder):
    """Goes on with other data and settings, refused first and then wanted. Returns the output, and rows and
    fingerprints of the data before and after.
    """
    folder, _ = run
    table = pq.read_table(dataset_folder / "train.parquet").slice(4)
    pq.write_table(table, folder / "train.parquet")
    then = training_data(folder / "steps", 2)["fingerprint"]
    with_other_data = (*settings, f"data.train_files={folder}/train.parquet")
    refused = train(folder, *with_other_data)
    others = (
        "actor_rollout_ref.actor.optim.lr=1e-3",
        "actor_rollout_ref.rollout.n=2",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=8",
    )
    finished = train(folder, *with_other_data, *others, "data.resume_with_changed_data=true")
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    return refused, then, finished.stdout + finished.stderr, table.num_rows


def marker(steps):
    return int((steps / "latest_checkpointed_iteration.txt").read_text())


def training_data(steps, step):
    return json.loads((steps / f"global_step_{step}" / "training_data.json").read_text())


def whole_steps(steps):
    """Returns the numbers of the checkpoints under their final names, after reading each of their files to its end."""
    folders = sorted(steps.glob("global_step_*"))
    for folder in folders:
        names = {file.name for file in folder.rglob("*.pt")}
        assert {"data.pt", *(f"{kind}_world_size_1_rank_0.pt" for kind in ("model", "optim", "extra_state"))} == names
        for file in folder.rglob("*.pt"):
            torch.load(file, weights_only=False)
    return [int(folder.name.rpartition("_")[2]) for folder in folders]


@pytest.mark.parametrize("phase", PHASES)
def test_what_a_killed_run_leaves_is_whole(run, phase):
    code, steps, marked = run[1][phase]
    assert code != 0
    assert marked == (2 if phase == "trainer" else 1)
    assert steps == list(range(1, marked + 1))


@pytest.mark.parametrize("phase", REASONS)
def test_a_run_that_loses_a_process_says_which(run, phase):
    assert re.search(REASONS[phase], (run[0] / f"{phase}.log").read_text())


def test_the_rollout_server_is_reached_from_its_node_only(run):
    addresses = re.findall(r"LLMServerManager: \['([\d.]+):\d+'\]", (run[0] / "trainer.log").read_text())
    assert addresses == ["127.0.0.1"]


def test_each_step_has_the_rows_of_an_uninterrupted_run(run, batches, dataset_folder):
    """What the loader gives from the seed against what the first and the resumed runs answered."""
    for step, batch in enumerate(batches(dataset_folder / "train.parquet", BATCH, 2), 1):
        lines = (run[0] / "rollouts" / f"{step}.jsonl").read_text().splitlines()
        answered = Counter(json.loads(line)["gts"] for line in lines)
        assert answered == {key: 4 * n for key, n in Counter(r["reward_model"]["ground_truth"] for r in batch).items()}
        assert training_data(run[0] / "steps", step)["rows"] == 24


def test_another_data_set_is_refused_before_any_worker_starts(changed):
    refused, then, *_ = changed
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("videossr: the training data changed since ")
    said = refused.stdout + refused.stderr
    assert f"its fingerprint was {then} and is " in said
    assert "set data.resume_with_changed_data=true" in said
    assert "actor and ref model engine initialized" not in said


def test_where_it_is_wanted_the_run_goes_on_with_the_new_rows(changed, run):
    _, then, _, rows = changed
    written = training_data(run[0] / "steps", STEPS)
    assert written["rows"] == rows
    assert written["fingerprint"] != then


def test_other_changed_settings_are_told_as_they_act(changed, run):
    said = changed[2]
    assert "resuming with another actor_rollout_ref.actor.optim.lr: 1e-06 -> 0.001 has no effect" in said
    assert "actor/lr:1e-06" in said
    assert re.search(r"resuming with another [\w., ]*actor_rollout_ref\.rollout\.n\b.*: 4 -> 2 takes effect now", said)
    assert len((run[0] / "rollouts" / f"{STEPS}.jsonl").read_text().splitlines()) == 2 * BATCH


def test_it_goes_on_to_the_end_and_keeps_the_last_checkpoints(changed, run):
    assert whole_steps(run[0] / "steps") == [2, 3]
    assert marker(run[0] / "steps") == STEPS
    assert not (run[0] / "steps" / ".partial").exists()
    assert not (run[0] / "steps" / ".writer").exists()
