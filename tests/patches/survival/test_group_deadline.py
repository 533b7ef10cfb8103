"""A rollout that never ends fails after the deadline, and the trainer tells what it waits for before."""

import asyncio
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from verl.utils.dataset.rl_dataset import collate_fn
from verl.utils.tensordict_utils import get_tensordict

from videossr_verl.errors import BadInput
from videossr_verl.patches.survival import group_deadline as module
from videossr_verl.patches.survival.group_deadline import group_deadline, wrap_run_agent_loop
from videossr_verl.patches.survival.open_groups import GRACE, NOTICE, WAITING, GroupDeadlineError, OpenGroups


def run(stock, seconds):
    worker = SimpleNamespace(config=SimpleNamespace(data={"group_deadline": seconds}))
    return asyncio.run(wrap_run_agent_loop(stock)(worker, {}, uid="u"))


def test_an_answer_passes_and_an_error_stays_what_it_is():
    async def answers(self, params, uid):
        return uid

    async def fails(self, params, uid):
        raise KeyError(uid)

    assert run(answers, 60) == run(answers, None) == "u"
    with pytest.raises(KeyError, match="u"):
        run(fails, 60)


def test_a_rollout_that_never_ends_is_cancelled():
    ended = []

    async def hangs(self, params, uid):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(uid)

    with pytest.raises(GroupDeadlineError, match=r"^no answer within data.group_deadline=0.05 s$"):
        run(hangs, 0.05)
    assert ended == ["u"]


def test_a_rollout_that_does_not_heed_is_left_behind(monkeypatch):
    monkeypatch.setattr("videossr_verl.patches.survival.group_deadline.CANCEL", 0.05)

    async def heeds_nothing(self, params, uid):
        for _ in range(2):  # the second time by asyncio, at its end
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(GroupDeadlineError):
        run(heeds_nothing, 0.05)


@pytest.mark.parametrize("seconds", [0, -1, "long", True, float("nan")])
def test_a_deadline_that_is_none_is_refused(seconds):
    assert group_deadline({}) == 3600
    assert group_deadline({"group_deadline": None}) == math.inf
    with pytest.raises(BadInput, match=r"data.group_deadline is .*, must be a number of seconds above 0"):
        group_deadline({"group_deadline": seconds})


@pytest.fixture
def groups():
    opened = OpenGroups(deadline=1000)
    opened.hand_out({"a": ["a.mp4"], "b": ["b.mp4", "c.mp4"], "c": [], "d": ["d.mp4"]}, now=0)
    return opened


def test_as_long_as_groups_end_nothing_is_told(groups):
    assert groups.look({"a", "b", "c"}, now=NOTICE + 1) is None
    assert groups.look({"a", "b"}, now=2 * NOTICE) is None
    assert groups.look(set(), now=10 * NOTICE) is None
    assert groups.look(set(), now=20 * NOTICE) is None


def test_what_is_waited_for_is_told_once_a_period(groups):
    message = groups.look({"a", "b", "c", "d"}, now=NOTICE)
    assert message == (
        f"{WAITING}4 groups, the oldest for 120 s: a.mp4; b.mp4, c.mp4; no media and 1 more; "
        "lost after data.group_deadline=1000 s"
    )
    assert groups.look({"a", "b", "c", "d"}, now=NOTICE + 1) is None
    assert groups.look({"a"}, now=3 * NOTICE) is None
    assert groups.look({"a"}, now=4 * NOTICE).startswith(f"{WAITING}1 groups, the oldest for 480 s: a.mp4; lost")


def test_a_worker_that_does_not_even_heed_the_deadline_ends_the_run(groups):
    groups.look({"d"}, now=1000 + GRACE)
    with pytest.raises(GroupDeadlineError, match=r"1 groups, .*: d.mp4, though data.group_deadline=1000: a rollout"):
        groups.look({"d"}, now=1001 + GRACE)


def test_the_trainer_notes_what_it_hands_out(monkeypatch):
    """With a batch as verl's trainer makes it, and the replay buffer's sets as verl fills them."""
    opened = OpenGroups()
    monkeypatch.setattr(module, "_OPEN", opened)
    content = [{"type": "video", "video": "a.mp4"}, {"type": "text", "text": "When?"}]
    rows = [{"raw_prompt": [{"role": "user", "content": content}]}, {"raw_prompt": [{"role": "user", "content": "?"}]}]
    batch = collate_fn([row | {"dummy_tensor": torch.zeros(1)} for row in rows])
    batch["uid"] = np.array(["u", "v"], dtype=object)
    manager = SimpleNamespace(config=SimpleNamespace(data={"group_deadline": 60}))
    assert module.wrap_generate_sequences(lambda self, prompts: len(prompts))(manager, get_tensordict(batch)) == 2
    assert opened.media == {"u": ["a.mp4"], "v": []}
    assert opened.deadline == 60
    buffer = SimpleNamespace(pending_keys={"train": {"v"}}, running_keys={"val": set()})
    module.wrap_sync_metadata(lambda self: None)(buffer)
    assert set(opened.since) == {"v"}
