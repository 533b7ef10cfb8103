"""What the screen shows of a training run."""

import io
import json
import threading

import pytest

from videossr_verl.patches.survival.open_groups import WAITING
from videossr_verl.run.follow import follow, step_line

STEP = {
    "critic/score/mean": 0.5,
    "actor/kl_loss": 0.012,
    "training/rollout_probs_diff_max": None,  # as the logger writes what is no number
    "val-aux/videossr/a/score/mean@1": 0.25,
    "val-aux/videossr/b/score/mean@1": 0.75,
    "val-aux/videossr/a/blind/score/mean@1": 0.9,
}


def test_step_lines_are_short_and_the_log_is_whole(tmp_path):
    """Each step shows once, whether it was there before the output's next line or comes after its last."""
    metrics, log, screen = tmp_path / "metrics.jsonl", io.StringIO(), io.StringIO()
    lines = ["(TaskRunner pid=7) all initialize finished\n", "step:3 - critic/score/mean:0.9\n", "noise\n"]

    def output():
        for step, line in enumerate(lines, 1):
            yield line
            text = json.dumps({"step": step, "data": STEP}) + "\n"
            with metrics.open("a") as file:
                file.write(text if step < 3 else text[:-9])  # the last one is being written as the run dies

    follow(output(), log, metrics, screen, 60)
    assert log.getvalue() == "".join(lines)
    stages = [line for line in screen.getvalue().splitlines() if not line.startswith("step ")]
    steps = [line.partition("  (")[0] for line in screen.getvalue().splitlines() if line.startswith("step ")]
    assert [line.partition(" (")[0] for line in stages] == ["everything is up; the held-out samples come first"]
    assert steps == [f"step {step}/60  reward 0.500  KL 0.012  held-out reward 0.500" for step in (1, 2)]


def test_a_step_shows_while_no_line_comes(tmp_path):
    metrics, shown, log = tmp_path / "metrics.jsonl", threading.Event(), io.StringIO()

    class Screen(io.StringIO):
        def flush(self):
            if "step 1/60" in self.getvalue():
                shown.set()

    def output():
        metrics.write_text(json.dumps({"step": 1, "data": STEP}) + "\n")
        assert shown.wait(30)
        yield "bye\n"

    follow(output(), log, metrics, Screen(), 60)
    assert log.getvalue() == "bye\n"


def test_remaining_time_leaves_the_start_up_out():
    shown = [step_line({"step": step, "data": {"a": 0.5}}, 62, 300 + 10 * step, (0, 300)) for step in (0, 1, 2)]
    assert [line.rsplit("(", 1)[1] for line in shown] == [
        "5.0 min)",
        "5.2 min, about 10 min left)",
        "5.3 min, about 10 min left)",
    ]


@pytest.mark.parametrize(("gap", "shown"), [(2.7e-5, "3e-05"), (0.0005, "0.001"), (0.0312, "0.031"), (0, "0.000")])
def test_a_small_gap_is_no_zero(gap, shown):
    line = step_line({"step": 1, "data": {"training/rollout_probs_diff_max": gap}}, 2, 1, (0, 0))
    assert f"probability gap {shown}  (" in line


@pytest.mark.parametrize(
    ("line", "shown", "code"),
    [
        ("videossr_verl.errors.BadInput: data.data_root is not set\n", "data.data_root is not set\n", 2),
        ("torch.OutOfMemoryError: no more\n", "first error in the log: OutOfMemoryError: no more\n", 0),
        ("no error: all is well\n", "", 0),
    ],
)
def test_an_error_is_one_sentence(line, shown, code, tmp_path):
    lines = ["Traceback\n", f"\x1b[36m(Worker pid=3)\x1b[0m {line}", "bye\n"]
    screen = io.StringIO()
    assert follow(lines, io.StringIO(), tmp_path / "none", screen, 60) == code
    assert screen.getvalue() == shown


def test_what_a_run_waits_for_is_shown_and_nothing_of_it_obeyed(tmp_path):
    notice = f"{WAITING}1 groups, the oldest for 240 s: \x1b]0;owned\x07.mp4; lost after data.group_deadline=3600 s"
    screen = io.StringIO()
    line = f"\x1b[36m(TaskRunner pid=7)\x1b[0m WARNING:{notice}\n"
    follow([line], io.StringIO(), tmp_path / "none", screen, 60)
    assert screen.getvalue() == notice.replace("\x1b", "\\x1b").replace("\x07", "\\x07") + "\n"
