import re

import pytest

from reward_fns.item_runs import item_runs

NUMBER = re.compile(r"[0-9]+")


def runs(text, links, fillers=()):
    found = item_runs(text, NUMBER, links, fillers)
    return ["".join(n[0] for n in run.items) + "?" * run.doubtful for run in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1, 2 , 3 and 4", ["123", "4"]),
        ("1,2 3", ["12", "3"]),
        ("-1,2 then 3,4", ["34"]),
        ("frames 1, 2 show 3,4", ["34"]),
        ("frames: 3,4", ["34"]),
        ("1,2 or 3", ["12?", "3?"]),
        ("1,2, maybe 3, then 4", ["12?", "3?", "4"]),
        ("not 1,2", ["12?"]),
        ("it isn't the 1,2", ["12?"]),
        ("1,2 is wrong", ["12?"]),
        ("I am not sure: 1,2 is right", ["12"]),
        ("", []),
    ],
)
def test_runs_of_numbers(text, expected):
    assert runs(text, {","}) == expected


def test_fillers_do_not_count():
    assert runs("clip 1, clip 2", {","}, {"clip"}) == ["12"]
    assert runs("clip 1, then clip 2", {","}, {"clip"}) == ["1", "2"]


def test_spaces_link_only_within_a_line():
    assert runs("1 2\n3", {""}) == ["12", "3"]
