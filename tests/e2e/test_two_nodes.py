"""GRPO on two Ray nodes on one machine. Each has a raylet, an address and a copy of the videos of its own.

Not shown here: two kernels' disks and clocks, and a real network between the nodes.
"""

import json
import os
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import ray
import torch
from ray.cluster_utils import Cluster
from safetensors.torch import load_file

from videossr_verl.cluster.nodes import alive_nodes, on_node

HERE = Path(__file__).parent
NODES = ("127.0.0.2", "127.0.0.3")  # Ray takes 127.0.0.1 for the machine's own address
PROMPTS, ROLLOUTS, STEPS = 6, 7, 2  # ranks with as many rollouts, but not as many tokens
TEXTS = 800


@contextmanager
def two_nodes(folder, corpus):
    """Starts a Ray cluster. $VIDEOS is another folder on each node. Ends all of its processes."""
    ray.shutdown()
    temporary = tempfile.mkdtemp(prefix="ray-")  # short, for sockets; and no other Ray of this machine finds it
    videos = {address: folder / f"disk_of_{address}" / "videos" for address in NODES}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VLLM_")] + ["OMP_NUM_THREADS", "RAY_ADDRESS"]:
            patch.delenv(name, raising=False)
        # Ray's workers have their node's environment, not that of the training command.
        patch.setenv("RAY_TMPDIR", temporary)
        patch.setenv("VERL_PLATFORM", "cpu")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("WITNESS", str(folder / "witness"))
        patch.setenv("VERL_FILE_LOGGER_PATH", str(folder / "metrics.jsonl"))
        patch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
        cluster = Cluster()
        try:
            for address, root in videos.items():
                shutil.copytree(corpus, root)
                cluster.add_node(
                    node_ip_address=address,
                    num_cpus=16,
                    num_gpus=1,
                    object_store_memory=500 * 2**20,
                    include_dashboard=False,
                    env_vars={"VIDEOS": str(root)},
                )
            ray.init(address=cluster.address)
            yield cluster.address, videos
        finally:
            ray.shutdown()
            cluster.shutdown()
            shutil.rmtree(temporary, ignore_errors=True)


@pytest.fixture(scope="module")
def settings(tiny_model, dataset_folder, tmp_path_factory):
    """Returns the overrides of both runs. They take plain SGD: its update is the gradient, where Adam's first step is
    nearly the sign.
    """
    trajectories = tmp_path_factory.mktemp("trajectories")
    return (
        f"data.train_files={dataset_folder}/train.parquet",
        # Each row four times, for answers to one question from either node: those of one prompt come from one.
        f"data.val_files={[f'{dataset_folder}/test.parquet'] * 4}",
        f"data.train_batch_size={PROMPTS}",
        "data.max_prompt_length=256",
        "data.max_response_length=12",
        f"actor_rollout_ref.model.path={tiny_model}",
        f"actor_rollout_ref.rollout.n={ROLLOUTS}",
        "actor_rollout_ref.rollout.temperature=1.5",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={PROMPTS}",
        f"actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu={ROLLOUTS}",
        f"actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu={ROLLOUTS}",
        f"actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu={ROLLOUTS}",
        "actor_rollout_ref.actor.optim.optimizer=SGD",
        "actor_rollout_ref.actor.optim.lr=0.1",
        "actor_rollout_ref.actor.optim.weight_decay=0",
        "actor_rollout_ref.actor.optim.clip_grad=100",
        "actor_rollout_ref.actor.checkpoint.save_contents=[model,hf_model]",
        f"trainer.total_training_steps={STEPS}",
        "trainer.save_freq=1",
        "trainer.logger=[console,file]",
        # The first run writes its rollouts down, the second one takes them.
        "skip.rollout_tq.enable=true",
        f"skip.rollout_tq.steps={list(range(1, STEPS + 1))}",
        f"skip.rollout_tq.dump_dir={trajectories}",
    )


@pytest.fixture(scope="module")
def two(train, settings, corpus_folder, dataset_folder, read_metrics, tmp_path_factory):
    """Returns what a run on two nodes did and left."""
    folder = tmp_path_factory.mktemp("two_nodes")
    (folder / "witness").mkdir()
    (folder / "loops.yaml").write_text("- {name: witnessed, _target_: witness.WitnessedAgentLoop}\n")
    with two_nodes(folder, corpus_folder) as (address, videos):
        finished = train(
            folder,
            *settings,
            f"trainer.default_local_dir={folder}/steps",
            "data.data_root=$VIDEOS",
            "trainer.nnodes=2",
            "trainer.n_gpus_per_node=1",
            # As base models below 30 B: each node has a whole copy.
            "actor_rollout_ref.actor.fsdp_config.fsdp_size=1",
            "actor_rollout_ref.ref.fsdp_config.fsdp_size=1",
            # The cluster is there already.
            "ray_kwargs.ray_init.num_cpus=null",
            "ray_kwargs.ray_init.num_gpus=null",
            "reward.num_workers=2",
            "actor_rollout_ref.rollout.agent.num_workers=2",
            "actor_rollout_ref.rollout.agent.default_agent_loop=witnessed",
            f"actor_rollout_ref.rollout.agent.agent_loop_config_path={folder}/loops.yaml",
            f"reward.custom_reward_function.path={HERE}/witness.py",
            f"trainer.test_freq={STEPS}",
            RAY_ADDRESS=address,
        )
        assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
        actors = ray._private.state.actors().values()
        scores = {node["NodeManagerAddress"]: on_node(node, *_scoring(dataset_folder)) for node in alive_nodes()}
        scores = {address: ray.get(reference, timeout=120) for address, reference in scores.items()}
    lines = [json.loads(line) for file in (folder / "witness").iterdir() for line in file.read_text().splitlines()]
    return SimpleNamespace(
        folder=folder,
        metrics=read_metrics(folder / "metrics.jsonl"),
        videos={address: str(root) for address, root in videos.items()},
        actors=[(actor["ActorClassName"].rpartition(".")[2], actor["Address"]["IPAddress"]) for actor in actors],
        rollouts=[line for line in lines if line["kind"] == "rollout"],
        rewards=[line for line in lines if line["kind"] == "reward"],
        scores=scores,
    )


@pytest.fixture(scope="module")
def again(two, train, settings, corpus_folder, read_metrics, tmp_path_factory):
    """Returns a function (name, *overrides) -> the same for one node with one rank, from the rollouts of the run on
    two.
    """

    def run(name, *overrides):
        folder = tmp_path_factory.mktemp(name)
        finished = train(
            folder,
            *settings,
            f"trainer.default_local_dir={folder}/steps",
            f"data.data_root={corpus_folder}",
            "trainer.val_before_train=false",
            "trainer.test_freq=-1",
            *overrides,
            RAY_ADDRESS="local",
        )
        assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
        metrics = read_metrics(folder / "metrics.jsonl")
        injected = finished.stdout.count(f"Injected {PROMPTS * ROLLOUTS} cached trajectories")
        assert injected == len(metrics), finished.stdout[-3000:]
        return SimpleNamespace(folder=folder, metrics=metrics)

    return run


@pytest.fixture(scope="module")
def one(again):
    """Stock verl, which computes each row by itself."""
    return again("one_node", "actor_rollout_ref.actor.shared_prompts=false")


@pytest.fixture(scope="module")
def by_tokens(again):
    """One step with shared prompts, in micro-batches by tokens, and with the rollout's log-probabilities as the old
    ones.
    """
    choices = ("actor_rollout_ref.actor.use_dynamic_bsz=true", "option=[reuse_rollout_log_probs]")
    limits = (f"actor_rollout_ref.{part}_max_token_len_per_gpu=400" for part in ("actor.ppo", "rollout.log_prob"))
    return again("by_tokens", *choices, *limits, "trainer.total_training_steps=1")


def _scoring(dataset):
    """Returns a function that a node can run without this file, and its argument: answers of all kinds to score."""

    def score(asked):
        from reward_fns import compute_score

        return [repr(compute_score(*one)) for one in asked]

    rng = random.Random(0)
    pieces = [
        *"0123456789,.-:ABCDEF \n",
        "Answer:",
        "seconds",
        " to ",
        "\\boxed{",
        "}",
        "١٢",
        "²",
        "\0",
        "1e309",
        "nan",
    ]
    asked = []
    for row in pq.read_table(dataset / "train.parquet").to_pylist():
        truth = row["reward_model"]["ground_truth"]
        for _ in range(TEXTS // 20):
            interval = f"{rng.uniform(0, 1):.1f}-{rng.uniform(0, 2):.1f}"
            counts, order = ",".join(rng.choices("0123", k=3)), "".join(rng.sample(truth, len(truth)))
            noise = "".join(rng.choices(pieces, k=rng.choice((0, 0, 1, 3, 9, 40))))
            answer = rng.choice((truth, interval, counts, order))
            text = rng.choice((answer, f"Answer: {answer}", f"{noise}\nAnswer: {answer}", answer + noise, noise))
            asked.append((row["data_source"], text, truth, {}))
    return score, asked


def _weights(folder):
    return {name: value.double() for name, value in load_file(folder / "model.safetensors").items()}


def _norm(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors.values()]).norm()


def test_each_node_has_a_rank_and_a_replica_and_workers_of_both_kinds(two):
    where = defaultdict(list)
    for kind, address in two.actors:
        where[kind].append(address)
    for kind in ("WorkerDict", "vLLMHttpServer", "AgentLoopWorkerTQ", "RewardLoopWorker"):
        assert sorted(where[kind]) == sorted(NODES), kind
    assert len(where["TaskRunnerV1"]) == 1
    checkpoint = two.folder / "steps" / f"global_step_{STEPS}" / "actor"
    assert len(list(checkpoint.glob("model_world_size_2_rank_*.pt"))) == 2


def test_each_node_reads_its_own_copy_of_the_videos(two):
    nodes = {line["data_root"]: line["node"] for line in two.rollouts}
    assert nodes == {root: address for address, root in two.videos.items()}


def test_both_replicas_answer_and_agree_with_the_trainer(two):
    for step in range(1, STEPS + 1):
        rollouts = [line for line in two.rollouts if line["step"] == step and not line["greedy"]]
        assert len(rollouts) == PROMPTS * ROLLOUTS
        assert {line["served_by"] for line in rollouts} == set(NODES)
        assert any(line["node"] != line["served_by"] for line in rollouts)  # over the wire
        assert two.metrics[step]["training/rollout_probs_diff_max"] <= 0.01
        assert two.metrics[step]["training/rollout_actor_probs_pearson_corr"] > 0.999


def test_all_answers_of_a_prompt_come_from_one_replica(two):
    served = defaultdict(list)
    for line in two.rollouts:
        served[line["uid"]].append(line["served_by"])
    assert Counter(map(len, served.values()))[ROLLOUTS] == STEPS * PROMPTS
    assert all(len(set(replicas)) == 1 for replicas in served.values())


def test_both_replicas_have_the_same_weights_before_and_after_training(two):
    """Greedy answers to one question are the same from either, and changed by the training."""
    answers = defaultdict(lambda: defaultdict(set))
    for line in two.rollouts:
        if line["greedy"]:
            answers[line["step"], line["prompt"]][line["served_by"]].add(tuple(line["tokens"]))
    assert {step for step, _ in answers} == {0, STEPS}
    by_both = {prompt: texts for prompt, texts in answers.items() if len(texts) == 2}
    assert len(by_both) >= len(answers) / 2
    for prompt, texts in answers.items():
        assert len(set().union(*texts.values())) == 1, prompt


def test_the_same_text_earns_the_same_on_either_node(two):
    results = defaultdict(set)
    for line in two.rewards:
        results[line["asked"]].add(json.dumps(line["result"]))
    assert {line["node"] for line in two.rewards} == set(NODES)
    assert all(len(result) == 1 for result in results.values())
    first, second = (two.scores[address] for address in NODES)
    assert len(first) >= TEXTS
    assert len(set(first)) > 50
    assert first == second


def test_the_same_trajectories_give_the_same_update_whoever_computes_them(two, one, by_tokens, tiny_model):
    """Compares stock verl on one rank with shared prompts on two, and on one by tokens without a pass for old
    log-probabilities: the change of all weights, and of each tensor.

    Measured: 1e-5 and 4e-4 at most. A rank too few or a factor 2 would be about 1, and a mean over each rank's own
    tokens, in place of all tokens, was 0.014.
    """
    before = _weights(tiny_model)
    for run, steps in ((two, STEPS), (by_tokens, 1)):
        for step in range(1, steps + 1):
            for name in ("critic/score/mean", "critic/advantages/max", "critic/advantages/min", "actor/grad_norm"):
                assert run.metrics[step][name] == pytest.approx(one.metrics[step][name], rel=1e-4), name
            after = [_weights(each.folder / "steps" / f"global_step_{step}/actor/huggingface") for each in (run, one)]
            assert before.keys() == after[0].keys() == after[1].keys()
            updates = [{name: weights[name] - before[name] for name in before} for weights in after]
            assert all(update.any() for update in updates[1].values())
            differences = {name: updates[0][name] - updates[1][name] for name in before}
            assert _norm(differences) <= 1e-3 * _norm(updates[1])
            for name, difference in differences.items():
                assert difference.norm() <= 1e-2 * updates[1][name].norm(), name


def test_shared_prompts_are_computed_once(two, one, by_tokens):
    """As the trainer's engines count for each rank, and the metrics of the ranks' balance."""
    for step, run, ranks in ((1, two, 2), (2, two, 2), (1, by_tokens, 1)):
        stock, ours = (each.metrics[step] for each in (one, run))
        answers = PROMPTS * ROLLOUTS * stock["response_length/mean"]
        prompts = PROMPTS * stock["prompt_length/mean"]
        assert stock["global_seqlen/mean"] == pytest.approx(ROLLOUTS * prompts + answers)
        assert ours["global_seqlen/mean"] * ranks == pytest.approx(prompts + answers)
        assert ours["actor/computed_tokens"] * ranks == pytest.approx(prompts + answers)
        assert ours["perf/total_num_tokens"] == stock["perf/total_num_tokens"]


def test_the_rollouts_log_probs_spare_a_pass(one, by_tokens):
    """Rollout and trainer agree in fp32, so that no weight is cut off and none is far from 1."""
    stock, ours = one.metrics[1], by_tokens.metrics[1]
    assert "actor/entropy" in stock  # of the pass for old log-probabilities
    assert "actor/entropy" not in ours
    assert ours["actor/rollout_corr/rollout_is_max"] == pytest.approx(1, abs=0.01)
    assert ours["actor/rollout_corr/rollout_is_min"] == pytest.approx(1, abs=0.01)
