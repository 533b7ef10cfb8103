"""What the screen shows of a training run."""

import io

import pytest

from videossr_verl.patches.survival.open_groups import WAITING
from videossr_verl.run import follow

STEP = (
    "(TaskRunner pid=7) step:3 - critic/score/mean:0.5 - actor/kl_loss:np.float64(0.012) - "
    "val-aux/videossr/a/score/mean@1:0.25 - val-aux/videossr/b/score/mean@1:0.75 - "
    "val-aux/videossr/a/blind/score/mean@1:0.9\n"
)


def test_step_lines_are_short_and_the_log_is_whole():
    lines = ["(TaskRunner pid=7) all initialize finished\n", STEP, "noise step by step\n"]
    log, screen = io.StringIO(), io.StringIO()
    follow.follow(iter(lines), log, screen, 60)
    assert log.getvalue() == "".join(lines)
    shown = screen.getvalue().splitlines()
    assert len(shown) == 2
    assert shown[0].startswith("everything is up")
    assert shown[1].startswith("step 3/60  reward 0.500  KL 0.012  held-out reward 0.500  (")


def test_remaining_time_leaves_the_start_up_out(monkeypatch):
    clock = iter([0, 300, 300, 310, 320])
    monkeypatch.setattr(follow.time, "monotonic", lambda: next(clock))
    screen = io.StringIO()
    lines = ["noise\n", *(f"step:{step} - a:0.5\n" for step in (0, 1, 2))]
    follow.follow(iter(lines), io.StringIO(), screen, 62)
    assert [line.rsplit("(", 1)[1] for line in screen.getvalue().splitlines()] == [
        "5.0 min)",
        "5.2 min, about 10 min left)",
        "5.3 min, about 10 min left)",
    ]


@pytest.mark.parametrize(
    ("line", "shown", "code"),
    [
        ("videossr_verl.errors.BadInput: data.data_root is not set\n", "data.data_root is not set\n", 2),
        ("torch.OutOfMemoryError: no more\n", "first error in the log: OutOfMemoryError: no more\n", 0),
        ("no error: all is well\n", "", 0),
    ],
)
def test_an_error_is_one_sentence(line, shown, code):
    lines = ["Traceback\n", f"\x1b[36m(Worker pid=3)\x1b[0m {line}", "bye\n"]
    screen = io.StringIO()
    assert follow.follow(iter(lines), io.StringIO(), screen, 60) == code
    assert screen.getvalue() == shown


def test_what_a_run_waits_for_is_shown_and_nothing_of_it_obeyed():
    told = f"{WAITING}1 groups, the oldest for 240 s: \x1b]0;owned\x07.mp4; lost after data.group_deadline=3600 s"
    screen = io.StringIO()
    follow.follow([f"\x1b[36m(TaskRunner pid=7)\x1b[0m WARNING:{told}\n"], io.StringIO(), screen, 60)
    assert screen.getvalue() == told.replace("\x1b", "\\x1b").replace("\x07", "\\x07") + "\n"
