"""vLLM's own scheduler, at the sizes of an 8B model, computes a prompt once for answers that come together."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import init_none_hash

BENCHMARKS = Path(__file__).parent.parent.parent.parent / "benchmarks"
ANSWERS = 8


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        import prefill_schedule

        init_none_hash(sha256)
        yield prefill_schedule


@pytest.fixture(scope="module")
def engine(benchmark, tmp_path_factory):
    return benchmark.engine_config("qwen3_vl_8b", tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("kind", ["a video of 2,000 to 8,000", "a video of 3,000, 8 images of 200"])
def test_a_busy_encoder_makes_stock_repeat_prompts(kind, benchmark, engine):
    prompts = benchmark.kinds(8)[kind]
    stock, ours = (benchmark.schedule(engine, prompts, ANSWERS, ours=ours, overlap=True) for ours in (False, True))
    assert stock.tokens > 3
    assert ours.tokens < 1.02
    assert ours.media == 1
    assert ours.steps < stock.steps


prompt = st.lists(st.integers(16, 8000), min_size=1, max_size=9).filter(lambda media: sum(media) < 9500)


@given(st.lists(prompt, min_size=4, max_size=12), st.booleans(), st.booleans(), st.integers(0, 99))
@settings(max_examples=30)
def test_whatever_comes_in_whatever_order_is_computed_once(benchmark, engine, prompts, overlap, mixed, seed):
    """An answer more than the first computes a block at most: vLLM shares whole blocks, all but the last token's."""
    shuffled = random.Random(seed).shuffle if mixed else None
    ours = benchmark.schedule(engine, prompts, ANSWERS, ours=True, overlap=overlap, reorder=shuffled)
    assert ours.media == 1
    blocks = (ANSWERS - 1) * len(prompts) * benchmark.BLOCK
    assert 1 <= ours.tokens <= 1 + blocks / benchmark.prompt_tokens(prompts)
