"""Sends all answers of a prompt to one rollout server, which then computes the prompt and its videos once.

verl 0.9.1 sends each request to the server with the fewest requests in flight, so the n answers of a prompt reach up to
n servers, and each of them prepares, encodes and prefills the same videos. verl makes this router of `router.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REMEMBERED = 10_000  # prompts whose server is known while none of their requests is in flight, as between two turns


@dataclass(eq=False)
class _Server:
    name: str
    handle: Any
    open: set[_Group] = field(default_factory=set)  # with requests in flight
    prompts: int = 0  # that it ever got

    def load(self) -> tuple[int, int, int]:
        """Returns (answers, prompt tokens, prompts so far) to compare servers by."""
        return sum(group.owed() for group in self.open), sum(group.tokens for group in self.open), self.prompts

    def in_flight(self) -> int:
        return sum(group.in_flight for group in self.open)


@dataclass(eq=False)
class _Group:
    """The requests of one prompt on one server."""

    server: _Server
    answers: int
    tokens: int
    asked: set[str] = field(default_factory=set)
    in_flight: int = 0

    def owed(self) -> int:
        return self.in_flight + max(0, self.answers - len(self.asked))


class PromptRouter:
    """verl's RequestLoadBalancer: the first request of a prompt goes to the least loaded server, the others follow it.

    Load is first the number of answers that a server owes. To decode one takes about as long as to decode another, and
    that is most of a rollout's time. All n answers of a prompt count from its first request on, since the others are
    about to come; a server that had them only counted as they came would be given a second prompt meanwhile. Between
    servers that owe as many, as at the start of a batch, the tokens of their prompts decide, once for each prompt: they
    are what is left to prefill, and the cache that answers must keep. Then those that had fewer prompts so far.

    A request without a prompt, from code that does not tell it, is a prompt of its own, as in verl's own balancer.

    Args:
        servers: actor handles by address.
        _config: `router.yaml`, which holds no settings.
    """

    def __init__(self, servers: Mapping[str, Any], _config: Mapping[str, Any]) -> None:
        self._servers: dict[str, _Server] = {}
        self._placed: dict[str, _Group] = {}  # the newest group of each prompt, oldest prompt first
        self._running: dict[str, list[_Group]] = {}  # by request
        self.add_servers(servers)

    def require_acquire_fields(self) -> list[str]:
        """Names what `prompt_of_request` hands on."""
        return ["prompt", "answers", "prompt_tokens"]

    def require_release_fields(self) -> list[str]:
        """Names what `release_server` needs beside the server."""
        return ["request_id"]

    def acquire_server(
        self, request_id: str, prompt: str | None = None, answers: int = 1, prompt_tokens: int = 0
    ) -> tuple[str, Any]:
        """Returns (address, actor handle) of the server for a request.

        Args:
            prompt: what all answers of a prompt, and no others, have in common.
            answers: how many of them there will be.
            prompt_tokens: the prompt's length.

        Raises:
            RuntimeError: there is no server. verl knows the message.
        """
        key = request_id if prompt is None else prompt
        group = self._placed.get(key)
        if group is None or self._servers.get(group.server.name) is not group.server:
            group = self._place(key, answers, prompt_tokens)
        group.asked.add(request_id)
        group.in_flight += 1
        group.server.open.add(group)
        self._running.setdefault(request_id, []).append(group)
        return group.server.name, group.server.handle

    def _place(self, key: str, answers: int, tokens: int) -> _Group:
        if not self._servers:
            raise RuntimeError("No available servers in load balancer")
        server = min(self._servers.values(), key=_Server.load)
        server.prompts += 1
        self._placed.pop(key, None)
        self._placed[key] = _Group(server, answers, tokens)
        if len(self._placed) > REMEMBERED:
            del self._placed[next(iter(self._placed))]
        return self._placed[key]

    def release_server(self, server_id: str, request_id: str | None = None) -> None:
        """Notes that a request has ended, whether answered or failed."""
        groups = self._running.get(request_id or "", [])
        group = next((group for group in groups if group.server.name == server_id), None)
        if group is None:
            return
        groups.remove(group)
        if not groups:
            del self._running[request_id or ""]
        group.in_flight -= 1
        if not group.in_flight:
            group.server.open.remove(group)

    def add_servers(self, servers: Mapping[str, Any]) -> None:
        """Adds servers, or puts new ones in the place of those with the same address."""
        self._servers |= {name: _Server(name, handle) for name, handle in servers.items()}

    def remove_servers(self, server_ids: list[str]) -> None:
        """Takes servers away. Later requests of their prompts go, together, to another."""
        for name in server_ids:
            self._servers.pop(name, None)

    def clear_sticky_cache(self) -> dict[str, Any]:
        """Forgets which server a prompt has, so that later requests go where least is to do."""
        cleared = len(self._placed)
        self._placed.clear()
        return {"cleared_entries": cleared, "server_loads": self._in_flight()}

    def get_all_servers(self) -> list[str]:
        """Returns the servers' addresses."""
        return list(self._servers)

    def get_total_inflight(self) -> int:
        """Returns the requests in flight on all servers."""
        return sum(self._in_flight().values())

    def get_status(self) -> dict[str, Any]:
        """Returns what verl shows for debugging."""
        return {
            "servers": self._in_flight(),
            "total_inflight": self.get_total_inflight(),
            "active_servers": len(self._servers),
            "registered_handles": list(self._servers),
        }

    def _in_flight(self) -> dict[str, int]:
        return {name: server.in_flight() for name, server in self._servers.items()}
