"""Each rule solves what is made for it; small views in even light leave little."""

from dataclasses import replace
from itertools import permutations

import cv2
import numpy as np
import pytest

from videossr_verl.evaluate.attacks.placements import cheapest_placement
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.evaluate.attacks.spatial_jigsaw import RULES
from videossr_verl.tasks import spatial_jigsaw as task

WHOLE = task.Difficulty(view=1.0, even_light=False)


@pytest.fixture(scope="module")
def few(scenes):
    """12 frames of each scene, 3 a second."""
    return [(replace(clip, times=clip.times[::4]), frames[::4]) for clip, frames in scenes]


def rules(*names):
    return {name: RULES[name] for name in names}


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (2, 3), (1, 4)])
def test_the_cheapest_placement_is_the_best_of_all(rows, columns):
    count = rows * columns
    for seed in range(5):
        right, below = np.random.default_rng(seed).uniform(size=(2, count, count))

        def cost(order, right=right, below=below):
            grid = np.reshape(order, (rows, columns))
            return right[grid[:, :-1], grid[:, 1:]].sum() + below[grid[:-1], grid[1:]].sum()

        found = cheapest_placement(right, below, rows, columns, np.arange(count))
        assert cost(found) == pytest.approx(min(map(cost, permutations(range(count)))))


def test_a_piece_is_used_in_one_way_only():
    piece = np.repeat(np.arange(4), 2)
    ways = cheapest_placement(np.zeros((8, 8)), np.zeros((8, 8)), 2, 2, piece, np.tile(np.arange(8.0), (4, 1)))
    assert sorted(piece[ways]) == [0, 1, 2, 3]
    assert all(way % 2 == 0 for way in ways)  # the cheaper of each piece


def test_whole_regions_are_solved(few, earned):
    found = earned(task, rules("edges", "profiles of edges", "profiles that slide"), WHOLE, few, 2)
    assert min(value for name, value in found.items() if name != "chance") > 0.95, found


def test_even_light_hides_neighbours_from_colours_but_not_from_profiles(few, earned):
    difficulty = task.Difficulty(view=1.0)
    found = earned(task, rules("edges", "profiles of edges"), difficulty, few, 2)
    assert found["profiles of edges"] > 0.95 > found["edges"], found


@pytest.mark.parametrize("turns", ["UUUM", "MRUU", "DLMU"])
def test_one_motion_tells_turns(turns):
    """All of the picture moves one way, and askew, so a mirrored piece fits one turn of the others only."""
    texture = cv2.resize(
        np.random.default_rng(3).uniform(0, 255, (16, 16, 3)), (300, 300), interpolation=cv2.INTER_CUBIC
    )
    frames = np.stack([texture[i : i + 224, 3 * i : 3 * i + 224] for i in range(8)]).clip(0, 255).astype(np.uint8)
    transform = {"rows": 2, "columns": 2, "view": 1.0, "places": [[0.5, 0.5]] * 4, "regions": [2, 0, 3, 1]}
    shown = task.render(transform | {"turns": turns, "light": []}, frames)
    said = RULES["one motion"](Shown("2 rows of 2, upside down", (shown,), (np.arange(8.0),)))
    assert "".join(turn for _, turn in sorted(said.split(","))) == turns


def test_no_rule_leads_by_much_with_turns(few, earned):
    found = earned(task, RULES, task.PRESETS["hard"], few, 3)
    assert max(found.values()) < found["chance"] + 0.15, found
