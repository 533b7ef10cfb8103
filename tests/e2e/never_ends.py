"""An agent loop that waits for what never comes. test_lost_videos.py puts it into verl's rollout workers."""

from __future__ import annotations

import asyncio

from verl.experimental.agent_loop.agent_loop import AgentLoopBase


class NeverEnds(AgentLoopBase):
    """Answers the rows whose agent_name is never_ends."""

    async def run(self, sampling_params, **kwargs):
        await asyncio.Event().wait()
