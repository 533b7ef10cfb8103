"""An error is told by its own name and message, also when Ray brings it from another process."""

import pytest
from ray.exceptions import ActorDiedError, RayTaskError, UnserializableException

from videossr_verl.patches.survival.causes import cause

TRACEBACK = "ray::Worker.work()\n  File 'a.py', line 3, in work\nmy.Error: 7 is lost\n"


def sent(error, times):
    """As it arrives from a task, and from a task that waited for that."""
    for _ in range(times):
        error = RayTaskError("work", TRACEBACK, error).as_instanceof_cause()
    return error


@pytest.mark.parametrize("times", [0, 1, 2])
def test_type_and_message_in_one_line(times):
    assert cause(sent(ValueError("first\nsecond"), times)) == "ValueError: first second"
    assert cause(sent(KeyError("score"), times)) == "KeyError: 'score'"
    assert len(cause(sent(ValueError("word " * 2000), times))) < 600


@pytest.mark.parametrize("error", [UnserializableException(TRACEBACK), sent(ActorDiedError(), 1)])
def test_where_only_the_traceback_is_left_its_last_line_tells(error):
    assert cause(error) == "my.Error: 7 is lost"


def test_a_reason_has_no_colours_and_no_commands():
    coloured = UnserializableException("Traceback\n\x1b[36mmy.Error\x1b[39m: \x1b[1m7\x1b[0m is lost\n")
    assert cause(coloured) == "my.Error: 7 is lost"
    assert cause(ValueError("\x1b[31mgone\x1b[0m\x07")) == "ValueError: gone\\x07"


def test_a_process_that_died_is_told_by_ray():
    assert cause(ActorDiedError()).startswith("ActorDiedError: ")
