"""On one node the rollout's server listens for that node alone, and is known by the address that it listens on."""

import asyncio
import inspect
from types import SimpleNamespace

import psutil
import pytest
import ray
import verl.workers.rollout.vllm_rollout.vllm_async_server as module
from fastapi import FastAPI
from ray.cluster_utils import Cluster
from verl.workers.rollout.utils import run_uvicorn

from videossr_verl.patches.correctness.open_server import LOOPBACK, wrap_run_server


@pytest.fixture
def nodes():
    """(number) -> a cluster with as many; connected to it."""
    clusters = []

    def start(number):
        ray.shutdown()
        clusters.append(Cluster(initialize_head=True, head_node_args={"num_cpus": 1}))
        for _ in range(number - 1):
            clusters[-1].add_node(num_cpus=1)
        ray.init(address=clusters[-1].address, log_to_driver=False)

    yield start
    ray.shutdown()
    for cluster in clusters:
        cluster.shutdown()


@pytest.mark.parametrize("number", [1, 2])
def test_the_address_that_it_listens_on(number, nodes):
    """verl's own uvicorn server, without vLLM behind it."""
    nodes(number)
    own = ray.util.get_node_ip_address()

    async def run_server(self, args):
        self.port, task = await run_uvicorn(FastAPI(), args, self._server_address)
        listening = [c for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        self.bound = {c.laddr.ip for c in listening if c.laddr.port == self.port}
        task.cancel()

    server = SimpleNamespace(_server_address=own)
    asyncio.run(wrap_run_server(run_server)(server, SimpleNamespace()))
    assert server.bound == {LOOPBACK if number == 1 else own}


def test_verl_still_needs_it():
    """When this fails, verl lets its server listen in another way: look whether the repair may go."""
    stock = inspect.getsource(module.vLLMHttpServer.run_server.stock)
    assert "run_uvicorn(app, args, self._server_address)" in stock
    assert "get_node_ip_address()" in inspect.getsource(module.vLLMHttpServer.__init__)
