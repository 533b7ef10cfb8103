"""Parts that test_two_nodes.py puts into verl's workers. Each writes down what it did, and on which node.

Through verl's own hooks (an agent loop and a reward function of one's own); what is written down is not changed.
Every process appends to a file of its own in the folder $WITNESS.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import ray
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from videossr_verl.train import reward_hook
from videossr_verl.train.dataset import data_root


def write_down(kind, **facts):
    """Writes one line of JSON. `node` is the address of the Ray node that the caller is on."""
    line = json.dumps({"kind": kind, "node": ray.util.get_node_ip_address()} | facts)
    with open(Path(os.environ["WITNESS"], f"{os.getpid()}.jsonl"), "a") as file:
        file.write(line + "\n")


class WitnessedAgentLoop(SingleTurnAgentLoop):
    """verl's own single-turn loop."""

    async def run(self, sampling_params, **kwargs):
        client, served_by = copy.copy(self.server_manager), []

        async def acquire(request_id, **extra):
            address, server = await type(client)._acquire_server(client, request_id, **extra)
            served_by.append(address)
            return address, server

        client._acquire_server = acquire
        self.server_manager = client
        output = await super().run(sampling_params, **kwargs)
        write_down(
            "rollout",
            greedy=sampling_params["temperature"] == 0,
            step=int(kwargs["global_steps"]),
            prompt=f"{kwargs['data_source']} {kwargs['index']}",
            uid=kwargs["uid"],
            served_by=served_by[0].rpartition(":")[0],
            tokens=list(output.response_ids),
            data_root=data_root(self.data_config),
        )
        return output


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    """Calls the package's own reward, and writes it down."""
    result = reward_hook.compute_score(data_source, solution_str, ground_truth, extra_info, **kwargs)
    asked = json.dumps([data_source, solution_str, ground_truth], default=str)
    write_down("reward", asked=asked, result=result)
    return result
