"""A vLLM engine in the tests' own process."""

import os

# Before vLLM is imported.
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")

import pytest


@pytest.fixture(scope="module", autouse=True)
def vllm_leaves_no_process_group():
    """vLLM keeps its groups as long as the process lives, and a test that comes later makes its own."""
    yield
    from vllm.distributed import cleanup_dist_env_and_memory

    cleanup_dist_env_and_memory()
