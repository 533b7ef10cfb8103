"""One server answers a prompt and computes it once; servers get as much to do as one another. Real servers show it."""

import asyncio
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import ray
import yaml
from hypothesis import given
from hypothesis import strategies as st
from verl.utils.import_utils import resolve_config_path
from verl.workers.rollout.router import RequestLoadBalancer

from videossr_verl.patches.speed.prompt_router.router import PromptRouter
from videossr_verl.preflight.memory.run_settings import compose_config

BENCHMARKS = Path(__file__).parent.parent.parent.parent / "benchmarks"
PROMPTS = 4


def router(*names):
    return PromptRouter({name: f"handle of {name}" for name in names}, {})


def ask(balancer, prompt, request, answers=8, tokens=1000):
    return balancer.acquire_server(f"{prompt}/{request}", prompt=prompt, answers=answers, prompt_tokens=tokens)[0]


@given(st.integers(1, 5), st.integers(1, 20), st.integers(1, 9), st.data())
def test_a_prompt_has_one_server_and_servers_owe_alike_whatever_the_order(servers, prompts, answers, data):
    balancer = router(*map(str, range(servers)))
    arrivals = data.draw(st.permutations([(p, a) for p in map(str, range(prompts)) for a in range(answers)]))
    where = defaultdict(Counter)
    for prompt, answer in arrivals:
        where[prompt][ask(balancer, prompt, answer, answers)] += 1
    assert all(len(counts) == 1 for counts in where.values())
    assert balancer.get_total_inflight() == prompts * answers
    loads = balancer.get_status()["servers"].values()
    assert max(loads) - min(loads) <= answers  # one prompt
    for prompt, answer in data.draw(st.permutations(arrivals)):
        balancer.release_server(next(iter(where[prompt])), f"{prompt}/{answer}")
    assert set(balancer.get_status()["servers"].values()) == {0}


def test_all_answers_to_come_count_from_the_first():
    balancer = router("a", "b")
    assert [ask(balancer, prompt, 0) for prompt in "pqrs"] == ["a", "b", "a", "b"]
    assert [ask(balancer, "p", answer) for answer in range(1, 8)] == ["a"] * 7
    assert ask(balancer, "t", 0, answers=1) in "ab"


def test_a_prompt_whose_answers_have_ended_counts_no_more():
    balancer = router("a", "b")
    assert [ask(balancer, prompt, 0, answers=3) for prompt in "pqr"] == ["a", "b", "a"]
    balancer.release_server("a", "p/0")  # its other answers never came
    balancer.release_server("a", "r/0")
    assert [ask(balancer, prompt, 0, answers=1) for prompt in "st"] == ["a", "a"]


def test_idle_servers_take_turns():
    balancer = router("a", "b")
    for prompt, server in zip("pqrs", "abab", strict=True):
        assert ask(balancer, prompt, 0) == server
        balancer.release_server(server, f"{prompt}/0")


def test_between_servers_that_owe_as_much_prompt_tokens_decide():
    balancer = router("a", "b")
    assert [ask(balancer, prompt, 0, tokens=tokens) for prompt, tokens in (("p", 8000), ("q", 200))] == ["a", "b"]
    assert [ask(balancer, prompt, 0, tokens=500) for prompt in "rs"] == ["b", "a"]


def test_the_turns_of_one_answer_stay_where_its_prompt_is():
    balancer = router("a", "b")
    ask(balancer, "other", 0, answers=1)
    assert ask(balancer, "p", 0) == "b"
    balancer.release_server("b", "p/0")
    for number in range(3):
        ask(balancer, f"q{number}", 0, answers=1)
    assert ask(balancer, "p", 0) == "b"


def test_requests_without_a_prompt_go_where_fewest_are_in_flight():
    balancer = router("a", "b")
    assert [balancer.acquire_server(name)[0] for name in "pqrs"] == ["a", "b", "a", "b"]
    balancer.release_server("a", "p")
    assert balancer.acquire_server("t")[0] == "a"
    assert balancer.acquire_server("q") == ("b", "handle of b")  # its next turn


def test_prompts_of_a_server_that_is_gone_go_elsewhere_together():
    balancer = router("a", "b", "c")
    assert ask(balancer, "p", 0) == "a"
    balancer.remove_servers(["a"])
    assert {ask(balancer, "p", answer) for answer in range(1, 8)} == {"b"}
    balancer.release_server("a", "p/0")
    assert balancer.get_total_inflight() == 7
    balancer.add_servers({"a": "new handle"})
    assert [ask(balancer, prompt, 0) for prompt in "qr"] == ["c", "a"]
    assert balancer.acquire_server("r/1", prompt="r") == ("a", "new handle")
    assert balancer.get_status()["servers"] == {"b": 7, "c": 1, "a": 2}
    balancer.remove_servers(["a", "b", "c"])
    with pytest.raises(RuntimeError, match="No available servers in load balancer"):
        ask(balancer, "r", 0)


def test_what_is_forgotten_goes_where_least_is_to_do():
    balancer = router("a", "b")
    ask(balancer, "p", 0)
    assert balancer.clear_sticky_cache() == {"cleared_entries": 1, "server_loads": {"a": 1, "b": 0}}
    assert ask(balancer, "p", 1) == "b"
    balancer.release_server("a", "p/0")
    assert balancer.get_status()["servers"] == {"a": 0, "b": 1}


def test_it_is_what_verl_wants():
    names = [name for name in vars(RequestLoadBalancer) if not name.startswith("_")]
    assert all(callable(getattr(PromptRouter, name)) for name in names)


@pytest.mark.parametrize("name", ["videossr_grpo", "videossr_grpo_cpu", "mvp_grpo", "videossr_mvp_grpo"])
def test_our_configs_name_it_where_verl_finds_it_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    setting = compose_config(name, []).actor_rollout_ref.rollout.router_config_path
    assert yaml.safe_load(Path(resolve_config_path(setting)).read_text()) == {"router_class": class_name(PromptRouter)}


def test_verls_own_router_is_one_setting_away():
    config = compose_config("videossr_grpo", ["actor_rollout_ref.rollout.router_config_path=null"])
    assert config.actor_rollout_ref.rollout.router_config_path is None


def class_name(kind):
    return f"{kind.__module__}.{kind.__name__}"


@pytest.fixture(scope="module")
def benchmark():
    """benchmarks/rollout_prefill.py, in an environment that servers inherit."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("VLLM_")] + ["OMP_NUM_THREADS", "RAY_ADDRESS"]:
            patch.delenv(name, raising=False)
        patch.syspath_prepend(BENCHMARKS)
        patch.setenv("PYTHONPATH", str(BENCHMARKS), prepend=os.pathsep)  # for what the servers are given
        import rollout_prefill

        patch.setenv("VLLM_ALLOW_INSECURE_SERIALIZATION", "1")
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        yield rollout_prefill


@pytest.fixture(scope="module")
def two(benchmark):
    """Two vLLM servers with both routers, and what makes prompts."""
    with benchmark.started(2, []) as (servers, side):
        yield servers, side


def figures(lines):
    """{(answers, label): (stock, ours)} of the benchmark's table."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {(int(row[0]), row[1].partition(" ")[0]): (float(row[2]), float(row[3])) for row in rows}


def test_a_prompt_is_computed_once_and_its_video_encoded_once(benchmark, two):
    found = figures(benchmark.table(*two, 2, [8, 16]))
    for answers in (8, 16):
        tokens, videos = found[answers, "tokens"], found[answers, "videos"]
        assert 1 <= tokens[1] <= 1.1
        assert videos[1] == 1
        assert tokens[0] > 1.7  # nearly each of the two servers computes each prompt
        assert videos[0] > 1.7


def cost(two, prompts, answers, side="ours"):
    return asyncio.run(two[0].answer(side, prompts, answers))


def spread(cost, prompts):
    """Whether each of so many prompts had one server, and each server some. On a busy machine not as many: a server
    whose prompt is answered before the next one is placed gets that too.
    """
    return sum(cost.prompts) == prompts and all(cost.prompts)


def test_prompts_of_the_same_tokens_are_not_taken_for_one(benchmark, two):
    prompts = benchmark.video_prompts(two[1], PROMPTS)
    assert len({tuple(prompt.ids) for prompt in prompts}) == 1
    assert spread(cost(two, prompts, 4), PROMPTS)


def test_a_row_that_comes_again_is_another_prompt(benchmark, two):
    (row,) = benchmark.video_prompts(two[1], 1)
    assert sum(cost(two, [row, row], 4).prompts) == 2


def test_prompts_of_text_are_shared_as_well(benchmark, two):
    texts = [benchmark.Prompt([20 + number] * 1000, None) for number in range(PROMPTS)]
    ours = cost(two, texts, 8)
    # An answer more computes what is left of the last block of 16 tokens.
    assert ours.tokens == PROMPTS * (1000 + 7 * (1000 % 16))
    assert spread(ours, PROMPTS)


def test_a_validation_with_one_answer_each_is_spread(benchmark, two):
    assert spread(cost(two, benchmark.video_prompts(two[1], 6), 1), 6)


def test_a_dead_servers_prompts_are_answered_by_the_other(benchmark, two):
    """Once verl takes it away. If it does not, the run ends: survival/dead_workers.py."""
    servers, side = two
    balancer = servers.clients["ours"]._load_balancer
    dead = next(iter(servers.handles))
    ray.kill(servers.handles.pop(dead))
    ray.get(balancer.remove_servers.remote([dead]))
    assert cost(two, benchmark.video_prompts(side, 2), 4).prompts == (2,)
    assert ray.get(balancer.get_all_servers.remote()) == list(servers.handles)
