"""vLLM 0.28: answers of a prompt that wait together prefill it again, each of them, when the vision encoder is busy.

The scheduler computes, of a request whose next video does not fit into the encoder's budget or cache any more, the few
tokens before the video. From then on the request runs, and a request that runs never looks again for what others have
computed. The n answers of a prompt come together, so all n are begun so, and all n prefill the whole prompt.

Here such a request goes on waiting until there is room for its video. The first of the answers then computes the
prompt, and the others find it. If nothing else runs, it does begin, so that there is always progress.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vllm.v1.request import RequestStatus


def wrap_try_schedule_encoder_inputs(stock: Callable[..., Any]) -> Callable[..., Any]:
    """Makes the scheduler begin no request for the sake of the tokens before a video."""

    def _try_schedule_encoder_inputs(
        self: Any, request: Any, computed: int, wanted: int, budget: int, *args: Any, **kwargs: Any
    ) -> Any:
        planned = stock(self, request, computed, wanted, budget, *args, **kwargs)
        videos, tokens, *_ = planned
        begun = request.status == RequestStatus.RUNNING
        if begun or tokens == wanted or videos or not self.running or not self.cache_config.enable_prefix_caching:
            return planned
        self.encoder_cache_manager.free(request)  # what the request has claimed of it, as if not looked at
        return [], 0, budget, []

    return _try_schedule_encoder_inputs
