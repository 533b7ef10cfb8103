"""What test_lost_videos.py puts into verl's rollout workers: an agent loop that waits for what never comes."""

from __future__ import annotations

import asyncio

from verl.experimental.agent_loop.agent_loop import AgentLoopBase


class NeverEnds(AgentLoopBase):
    """Answers the rows whose agent_name is never_ends."""

    async def run(self, sampling_params, **kwargs):
        await asyncio.Event().wait()
