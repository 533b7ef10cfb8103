"""Copies in other bytes are found, whatever was done to them; different videos are kept apart."""

import importlib.util
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_preprocess.look_alikes import MAX_DISTANCE, are_alike, group_look_alikes
from videossr_verl.video.signature import Signature, sign

PATH = Path(__file__).parent.parent.parent / "examples" / "look_alikes" / "compare.py"
SPEC = importlib.util.spec_from_file_location("compare_look_alikes", PATH)
compare = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(compare)

MEANT_TO_BE_FOUND = list(compare.COPIES)[:-5]


@pytest.fixture(scope="module")
def films():
    every = compare.originals()
    return {name: every[name] for name in ("bikes", "carphone_pristine", "scene 0", "scene 1", "astronaut", "rocket")}


@pytest.fixture(scope="module")
def originals(films, tmp_path_factory):
    path = tmp_path_factory.mktemp("original") / "video.mp4"
    return {name: sign(compare.write(film, path)) for name, film in films.items()}


@pytest.mark.parametrize("kind", MEANT_TO_BE_FOUND)
def test_copies_are_found_among_all(kind, films, originals, tmp_path):
    change, crf = compare.COPIES[kind]
    copies = {
        f"{name}, copy": sign(compare.write(change(film), tmp_path / "v.mp4", crf)) for name, film in films.items()
    }
    groups = group_look_alikes(originals | copies)
    assert groups == {name: name.removesuffix(", copy") for name in groups}


def test_a_compressed_copy_of_a_real_clip(real_clips):
    groups = group_look_alikes({name: sign(path) for name, path in real_clips.items()})
    assert groups.pop("carphone_pristine") == "carphone_distorted"
    assert groups == {name: name for name in groups}


def test_different_videos_are_kept_apart(originals, tmp_path):
    assert not any(are_alike(*pair) for pair in combinations(originals.values(), 2))
    one_camera = [sign(compare.write(film, tmp_path / "v.mp4")) for film in compare.one_camera(0.25)]
    assert not are_alike(*one_camera)


def test_a_common_title_is_no_copy():
    """The first seconds of one are the last of the other: 16 of 60 pictures, then 20."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 2**64, (2, 60, 2), dtype=np.uint64, endpoint=False)
    places = np.arange(60, dtype=np.int32)
    for common, alike in ((16, False), (20, True)):
        ends = other.copy()
        ends[-common:] = one[:common]
        pair = Signature(places, one), Signature(places, ends)
        assert are_alike(*pair) == are_alike(*pair[::-1]) == alike


def test_pictures_at_other_rates_meet():
    """A long video has every fourth picture; a short one cut out of it has all."""
    bits = np.random.default_rng(0).integers(0, 2**64, (400, 2), dtype=np.uint64, endpoint=False)
    long = Signature(np.arange(0, 400, 4, dtype=np.int32), bits[::4])
    short = Signature(np.arange(90, dtype=np.int32), bits[101:191])
    assert are_alike(long, short)
    assert group_look_alikes({"long": long, "short": short})["short"] == "long"


@given(st.integers(2, 12), st.data())
def test_planted_copies_are_found_in_any_order(count, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shown = data.draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    scenes = rng.integers(0, 2**64, (6, 60, 2), dtype=np.uint64, endpoint=False)
    videos = {}
    for i, scene in enumerate(shown):
        start, end = rng.integers(0, 15), rng.integers(45, 61)
        flips = np.uint64(1) << rng.integers(0, 64, (end - start, 2), dtype=np.uint64)
        videos[f"{i:02d}"] = Signature(np.arange(end - start, dtype=np.int32), scenes[scene, start:end] ^ flips)
    groups = group_look_alikes(dict(reversed(videos.items())))
    assert groups == {f"{i:02d}": f"{shown.index(scene):02d}" for i, scene in enumerate(shown)}
    assert groups == group_look_alikes(videos)


def test_a_large_corpus_and_many_copies_of_one_video():
    videos = compare.corpus(150, 15)
    groups = group_look_alikes(videos)
    assert all(groups[f"copy of {i:016x}"] == f"{i:016x}" for i in range(15))
    assert len(set(groups.values())) == 150
    one = videos[f"{0:016x}"]
    assert len(set(group_look_alikes({f"{i:03d}": one for i in range(40)}).values())) == 1


def test_nothing_to_compare():
    nothing = Signature(np.empty(0, np.int32), np.empty((0, 2), np.uint64))
    assert group_look_alikes({}) == {}
    assert group_look_alikes({"a": nothing, "b": nothing}) == {"a": "a", "b": "b"}
    still = Signature(np.array([0], np.int32), np.array([[7, 7]], np.uint64))
    other = Signature(np.array([0], np.int32), np.array([[7, 7 ^ (2 ** (MAX_DISTANCE + 1) - 1)]], np.uint64))
    assert are_alike(still, still)
    assert not are_alike(still, other)
