"""Lost groups are counted once each, written down with their reason, and end the run above the limit."""

import asyncio
import json
from types import SimpleNamespace

import pytest
import ray
from omegaconf import OmegaConf

from videossr_verl.cluster.worker_reports import open_mailbox
from videossr_verl.errors import BadInput
from videossr_verl.patches.survival import lost_groups
from videossr_verl.patches.survival.lost_groups import (
    FILE,
    MAILBOX,
    WINDOW,
    Ledger,
    TooManyLostGroupsError,
    max_lost_share,
)
from videossr_verl.video.rejected import RejectReason, VideoRejected


@pytest.fixture(scope="module", autouse=True)
def _ray():
    ray.shutdown()
    ray.init(num_cpus=1, log_to_driver=False)
    box = open_mailbox(MAILBOX)  # as the trainer holds it
    yield box
    ray.shutdown()


def lost(group, validation=False, reason="gone"):
    return {"group": group, "validation": validation, "videos": ["a.mp4"], "reason": reason}


def lines(folder):
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def test_a_group_counts_once(tmp_path):
    ledger = Ledger(tmp_path, groups=10, max_share=0.1)
    reports = [lost("g", reason="first"), lost("g", reason="second"), lost("h"), lost("v", validation=True)]
    assert ledger.after_step(3, reports) == {
        "training/lost_groups": 2,
        "training/lost_groups_so_far": 2,
        "training/lost_share": pytest.approx(2 / 100),
        "validation/lost_groups": 1,
    }
    assert [
        (line["step"], line["group"], line["reason"]) for line in sorted(lines(tmp_path), key=lambda x: x["group"])
    ] == [
        (3, "g", "first"),
        (3, "h", "gone"),
        (3, "v", "gone"),
    ]


def test_a_step_without_losses_writes_nothing(tmp_path):
    metrics = Ledger(tmp_path, groups=10, max_share=0.1).after_step(1, [])
    assert metrics["training/lost_groups"] == 0
    assert not (tmp_path / FILE).exists()


def test_a_share_above_the_limit_ends_the_run_with_the_list(tmp_path):
    """4 groups a batch: 4 of the 40 of ten batches may be lost, at once or over time."""
    ledger = Ledger(tmp_path, groups=4, max_share=0.1)
    assert ledger.after_step(1, [lost(f"a{i}") for i in range(4)])["training/lost_share"] == pytest.approx(0.1)
    with pytest.raises(
        TooManyLostGroupsError, match=r"5 groups were lost within 2 steps, more than data.max_lost_share=0.1"
    ):
        ledger.after_step(2, [lost("b", reason="b.mp4 is broken")])
    assert len(lines(tmp_path)) == 5


@pytest.mark.parametrize("share", [-0.1, 1.5, "many", True, float("nan")])
def test_a_limit_that_is_no_share_is_refused(share):
    assert max_lost_share({"max_lost_share": 1}) == 1
    with pytest.raises(BadInput, match=r"data\.max_lost_share is .*, must be between 0"):
        max_lost_share({"max_lost_share": share})


def test_old_losses_are_forgotten_but_counted(tmp_path):
    ledger = Ledger(tmp_path, groups=4, max_share=0.1)
    ledger.after_step(1, [lost(f"a{i}") for i in range(4)])
    for step in range(2, WINDOW + 2):
        metrics = ledger.after_step(step, [])
    assert metrics["training/lost_share"] == 0
    assert metrics["training/lost_groups_so_far"] == 4
    ledger.after_step(WINDOW + 2, [lost(f"b{i}") for i in range(4)])


def test_validation_does_not_end_a_run(tmp_path):
    ledger = Ledger(tmp_path, groups=4, max_share=0.0)
    assert ledger.after_step(1, [lost("v", validation=True)])["validation/lost_groups"] == 1


def test_the_message_names_each_reason_once_and_not_all_of_them(tmp_path):
    ledger = Ledger(tmp_path, groups=1, max_share=0)
    message = ledger.reasons_of([lost(str(i), reason=f"reason {i % 12}") for i in range(50)])
    assert message.count("reason 3") == 1
    assert message.endswith(f"and 2 more (all in {tmp_path / FILE})")


def test_a_worker_reports_and_fails_as_before():
    async def stock(self, *args, **kwargs):
        raise VideoRejected(RejectReason.MISSING, "b.mp4 does not exist")

    prompt = {
        "uid": "u",
        "trajectory": {"validate": False},
        "raw_prompt": [{"role": "user", "content": [{"type": "text"}, {"type": "video", "video": "b.mp4"}]}],
    }
    # Messages of other data sets and agents.
    prompt["raw_prompt"] += [{"role": "assistant", "tool_calls": []}, {"role": "tool", "content": ["text", None]}]
    with pytest.raises(VideoRejected):
        asyncio.run(lost_groups.wrap_run_agent_loop(stock)(None, {}, **prompt))
    assert ray.get(open_mailbox(MAILBOX).take.remote()) == [
        {
            "group": "u",
            "validation": False,
            "videos": ["b.mp4"],
            "reason": "VideoRejected: b.mp4 does not exist [missing]",
        }
    ]


@pytest.fixture
def trainer(tmp_path):
    config = {"data": {"train_batch_size": 4, "max_lost_share": 0.1}, "trainer": {"default_local_dir": str(tmp_path)}}
    return SimpleNamespace(config=OmegaConf.create(config), global_steps=7)


def test_verls_error_of_an_empty_batch_is_explained(trainer, tmp_path):
    def stock(self, agent_loop_manager):
        ray.get(open_mailbox(MAILBOX).post.remote(lost("g", reason="a.mp4 does not exist")))
        raise RuntimeError("nothing\nno materializable trajectories")

    with pytest.raises(RuntimeError, match=r"^no materializable trajectories \(1 groups .*a.mp4 does not"):
        lost_groups.wrap_fit(stock)(trainer, None)
    assert lines(tmp_path)[0]["step"] == 7


def test_any_other_error_stays_as_it_is(trainer):
    def stock(self, agent_loop_manager):
        raise KeyError("x")

    with pytest.raises(KeyError):
        lost_groups.wrap_fit(stock)(trainer, None)
