"""The paper's grounding and counting fall to simple measurements."""

import pytest

from videossr_verl.evaluate.attacks import anomaly_grounding, object_counting
from videossr_verl.tasks import anomaly_grounding as grounding
from videossr_verl.tasks import object_counting as counting


@pytest.mark.parametrize("change", ["channel_swap", "mirror", "rotate_180", "zoom_out", "invert", "grayscale",
                                    "noise", "saturation"])  # fmt: skip
def test_a_change_is_found_by_undoing_or_measuring_it(change, scenes, earned):
    found = earned(grounding, anomaly_grounding.RULES, grounding.Difficulty((change,)), scenes, 2)
    assert found["change undone"] > 0.9


def test_a_change_is_found_by_its_jumps(scenes, earned):
    found = earned(grounding, anomaly_grounding.RULES, grounding.PRESETS["videossr"], scenes, 4)
    assert found["largest jumps"] > 0.8
    assert 0.1 < found["blind constant"] < 0.5


@pytest.mark.parametrize("preset", ["videossr", "hard"])
def test_shapes_are_regions_of_one_colour(preset, scenes, earned):
    found = earned(counting, object_counting.RULES, counting.PRESETS[preset], scenes, 3)
    assert found["flat regions"] > 0.85
    assert found["blind constant"] < 0.75
