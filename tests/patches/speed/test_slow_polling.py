"""The replay buffer looks for finished rollouts often, and verl's own default is still to look seldom."""

import inspect

import pytest
from verl.trainer.ppo.v1 import replay_buffer

from videossr_verl.patches.speed.slow_polling import POLL_INTERVAL


@pytest.fixture(params=[replay_buffer.ReplayBuffer, replay_buffer.ReplayBufferAsync])
def buffer(request):
    return request.param("sync", {}, None, "drop", {})


def slept(buffer, monkeypatch):
    intervals = []
    monkeypatch.setattr(replay_buffer.time, "sleep", intervals.append)
    buffer._wait_for_next_poll("train", replay_buffer.time.time())
    return intervals


def test_it_looks_often(buffer, monkeypatch):
    assert slept(buffer, monkeypatch) == [POLL_INTERVAL]
    assert buffer.poll_interval == 2.0  # the asynchronous trainer judges idleness by it


def test_a_shorter_interval_stays(buffer, monkeypatch):
    buffer.poll_interval = 0.05
    assert slept(buffer, monkeypatch) == [0.05]


def test_verl_still_looks_every_two_seconds():
    """When this fails, verl has changed its interval: the repair may go."""
    assert inspect.signature(replay_buffer.ReplayBuffer).parameters["poll_interval"].default == 2.0
