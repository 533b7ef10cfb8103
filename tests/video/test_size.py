import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from qwen_vl_utils.vision_process import smart_resize

from videossr_verl.video.probe import VideoRejected
from videossr_verl.video.size import target_size

sides = st.integers(1, 5000)
limits = st.lists(st.integers(1, 2_000_000), min_size=2, max_size=2).map(sorted)


@given(sides, sides, limits, st.sampled_from([28, 32]))
def test_same_as_qwen(height, width, limits, factor):
    assume(max(height, width) <= 200 * min(height, width))
    expected = smart_resize(height, width, factor=factor, min_pixels=limits[0], max_pixels=limits[1])
    if 0 in expected:  # Qwen's goes on with an empty picture
        with pytest.raises(VideoRejected, match="raise max_pixels"):
            target_size(height, width, *limits, factor)
    else:
        assert target_size(height, width, *limits, factor) == expected


def test_paper_setting():
    assert target_size(720, 1280, 128 * 128, 256 * 256, 28) == (168, 336)
    assert target_size(720, 1280, 128 * 128, 256 * 256, 32) == (192, 320)


def test_extreme_shape_is_one_clear_sentence():
    with pytest.raises(VideoRejected, match=r"a 4020x20 picture is 201:1; the limit is 200:1") as caught:
        target_size(20, 4020, 128 * 128, 256 * 256, 28)
    assert caught.value.reason.value == "extreme_shape"


@pytest.mark.parametrize("wrong", [(0, 10, 1, 100, 28), (10, 10, 200, 100, 28), (10, 10, 1, 100, 0)])
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="min_pixels"):
        target_size(*wrong)
