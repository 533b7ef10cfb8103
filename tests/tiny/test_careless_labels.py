"""Labels of a careless annotator: how often they are wrong, and in which way."""

import numpy as np
import pytest

from reward_fns import compute_score
from videossr_verl.errors import BadInput
from videossr_verl.tasks.contract import Sample
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.careless_labels import carelessly_labelled
from videossr_verl.tiny.scenes import Drawn, draw, load_scenes

PRESET = load_preset("videossr_tiny")
SHARE = 0.8


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return load_scenes(tmp_path_factory.mktemp("videos"), 4, 0, PRESET, 28)


def labelled(scenes, task, share, count=300):
    """Returns pairs of the true answer and what the annotator writes."""
    rng = np.random.default_rng(0)
    drawn = [draw(scenes, PRESET, task, rng) for _ in range(count)]
    return [(d.sample, carelessly_labelled(d, share, rng).sample.answer) for d in drawn]


def share_wrong(pairs):
    return np.mean([sample.answer != written for sample, written in pairs])


@pytest.mark.fast
@pytest.mark.parametrize("task", PRESET.subsets)
def test_who_never_errs_writes_the_truth(scenes, task):
    assert share_wrong(labelled(scenes, task, 0.0, 30)) == 0


@pytest.mark.fast
@pytest.mark.parametrize("task", PRESET.subsets)
def test_the_mistake_is_made_so_often(scenes, task):
    assert share_wrong(labelled(scenes, task, SHARE)) == pytest.approx(
        SHARE, abs=4 * (SHARE * (1 - SHARE) / 300) ** 0.5
    )


@pytest.mark.fast
def test_the_clips_are_told_backwards(scenes):
    for sample, written in labelled(scenes, "temporal_jigsaw", 1.0, 30):
        assert written == sample.answer[::-1]


@pytest.mark.fast
def test_the_last_frame_is_a_distractor(scenes):
    for sample, written in labelled(scenes, "masked_video_prediction", 1.0, 30):
        assert written[0] == sample.answer[0]
        assert {*sample.answer, written[1]} == set("ABC")


@pytest.mark.fast
def test_the_change_is_overlooked(scenes):
    for sample, written in labelled(scenes, "anomaly_grounding", 1.0, 30):
        assert compute_score("videossr/anomaly_grounding", sample.answer, sample.answer, {})["score"] == 1
        assert compute_score("videossr/anomaly_grounding", written, sample.answer, {})["score"] == 0


@pytest.mark.fast
def test_one_shape_of_each_kind_is_overlooked(scenes):
    for sample, written in labelled(scenes, "object_counting", 1.0, 30):
        true, seen = ([int(count) for count in answer.split(",")] for answer in (sample.answer, written))
        assert seen == [count - 1 if count else 0 for count in true]


@pytest.mark.fast
def test_a_task_without_a_mistake_is_told():
    with pytest.raises(BadInput, match=r"no careless labels for task 'other', only for anomaly_grounding, .*: choose"):
        carelessly_labelled(Drawn(Sample("other", "?", (), "1"), [], {}), SHARE, np.random.default_rng(0))
