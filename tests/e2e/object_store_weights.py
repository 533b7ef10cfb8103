"""A checkpoint engine for verl where there is no NCCL. Weights go to rollouts elsewhere through Ray's object store."""

import asyncio

import ray
from verl.checkpoint_engine.base import CheckpointEngine, CheckpointEngineRegistry


class Shelf:
    """The newest weights, by step."""

    def __init__(self):
        self._step, self._weights = None, None

    def put(self, step, weights):
        self._step, self._weights = step, weights

    def get(self, step):
        return self._weights if step == self._step else None


@CheckpointEngineRegistry.register("object_store")
class ObjectStoreEngine(CheckpointEngine):
    def __init__(self, bucket_size, is_master=False):
        self._rank, self._shelf = None, None

    def prepare(self):
        return {}

    @classmethod
    def build_topology(cls, actor_wg_world_size, rollout_world_size, metadata):
        return {"rank": list(range(actor_wg_world_size))}, {"rank": [-1] * rollout_world_size}

    def init_process_group(self, rank):
        self._rank = rank
        # Called before each exchange; the shelf goes with the handle of who made it.
        self._shelf = self._shelf or ray.remote(Shelf).options(name="shelf", get_if_exists=True, num_cpus=0).remote()

    def finalize(self):
        pass

    async def send_weights(self, weights, global_steps=None):
        weights = {name: weight.detach().cpu().clone() for name, weight in weights}  # every rank has its part in it
        if self._rank == 0:
            await self._shelf.put.remote(global_steps, weights)

    async def receive_weights(self, global_steps=None):
        while (weights := await self._shelf.get.remote(global_steps)) is None:
            await asyncio.sleep(0.05)
        for item in weights.items():
            yield item
