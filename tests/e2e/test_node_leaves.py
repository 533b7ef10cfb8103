"""One node of two leaves while a run trains under the launchers that people use. The run ends with its reason, waits
for the node, and goes on from its last checkpoint.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

RAY = Path(__file__).parent.parent.parent / "recipes" / "launch" / "ray.sh"
DEADLINE = 900  # seconds
STEPS = 3


def processes(mark):
    """Returns the ids of all processes with `mark` in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes() and int(process.name) != os.getpid():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def until(condition, process):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def variables(two_free_ports, tmp_path_factory):
    """Returns the environment of a cluster of its own on this machine."""
    port, client = two_free_ports()
    sockets = tempfile.mkdtemp(prefix="ray")  # short: Ray keeps sockets there
    kept = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS" and not k.startswith(("VLLM_", "RAY_"))}
    yield kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "VERL_PLATFORM": "cpu",
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "RUN": str(tmp_path_factory.mktemp("leaving")),
        "PORT": str(port),
        "NODES": "2",
        "WAIT_NODES": "300",
        "RESTART_PAUSE": "0",
        "SKIP_DOCTOR": "1",
        "RAY_TMPDIR": sockets,
        "RAY_START": f"--num-cpus 8 --num-gpus 1 --include-dashboard=false --ray-client-server-port {client}",
    }
    shutil.rmtree(sockets, ignore_errors=True)


@pytest.fixture(scope="module")
def run(variables, tiny_model, dataset_folder, corpus_folder):
    """Returns (the head's exit code, its output, the run's folder)."""
    folder = Path(variables["RUN"])
    command = (
        "python",
        "-m",
        "verl.trainer.main_ppo",
        "--config-name",
        "videossr_grpo_cpu",
        f"data.train_files={dataset_folder}/train.parquet",
        f"data.val_files={dataset_folder}/test.parquet",
        f"data.data_root={corpus_folder}",
        "data.train_batch_size=4",
        "data.parity=off",
        "data.max_prompt_length=256",
        "data.max_response_length=12",
        f"actor_rollout_ref.model.path={tiny_model}",
        "actor_rollout_ref.actor.ppo_mini_batch_size=4",
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=8",
        "actor_rollout_ref.rollout.n=4",
        "actor_rollout_ref.rollout.agent.num_workers=2",
        "trainer.nnodes=2",
        "ray_kwargs.ray_init.num_cpus=null",
        "ray_kwargs.ray_init.num_gpus=null",
        f"trainer.total_training_steps={STEPS}",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.save_freq=1",
        f"trainer.default_local_dir={folder}/steps",
    )
    marker = folder / "steps" / "latest_checkpointed_iteration.txt"

    def start(*arguments, **changes):
        with (folder / f"{arguments[0]}.log").open("a") as log:
            return subprocess.Popen(
                ["bash", str(RAY), *arguments],
                cwd=folder,
                env=variables | changes,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    worker = {"NODE": f"second of {folder}", "RAY_START": "--num-cpus 8 --num-gpus 1"}
    head = start("head", *command, IP="127.0.0.1")
    second = start("worker", "127.0.0.1", **worker)
    try:
        until(marker.is_file, head)
        for pid in processes(worker["NODE"]):
            os.kill(pid, signal.SIGKILL)
        second.wait(60)
        second = start("worker", "127.0.0.1", **worker)  # it comes back
        code = head.wait(DEADLINE)
    finally:
        for pid in processes(variables["RAY_TMPDIR"]):
            os.kill(pid, signal.SIGKILL)
    return code, (folder / "head.log").read_text(), folder


def test_the_run_is_finished(run):
    code, said, folder = run
    assert code == 0, said[-3000:]
    assert (folder / "steps" / "latest_checkpointed_iteration.txt").read_text() == str(STEPS)
    assert len(list((folder / "steps" / f"global_step_{STEPS}" / "actor").glob("model_world_size_2_rank_*.pt"))) == 2


def test_it_was_started_again_once_from_its_checkpoint_with_a_reason(run):
    _, said, _ = run
    restarts = re.findall(r"supervise: .* last checkpoint: (\d+): (.*); restart 1 of 3 in 0 s", said)
    assert len(restarts) == 1
    saved, reason = restarts[0]
    assert int(saved) >= 1
    # The last is what the other rank says, where Ray takes longer than that to miss the node.
    known = r"(ray|videossr_verl)\.\S*(DeadWorker|NodeLeft|ActorDied|ActorUnavailable)Error|RuntimeError: .* by peer"
    assert re.match(known, reason)
    assert f"global_step_{saved}" in said
    assert said.count("2 of 2 nodes are there") == 2
