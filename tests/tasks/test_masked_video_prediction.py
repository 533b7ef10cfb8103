"""The label answers the sample: everything is read back from the sample and checked against a naive de-duplication."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from string import ascii_uppercase

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from videossr_verl.tasks.contract import CannotDraw
from videossr_verl.tasks.frames.views import through
from videossr_verl.tasks.masked_video_prediction import PRESETS, Difficulty, draw, render
from videossr_verl.video.embedding import embed

KAPPA = 0.9
SMALL = {"num_key_frames": 8, "num_masked": 2, "num_distractors": 2, "kappa": KAPPA, "hardness": 0.5}


@pytest.fixture(scope="module")
def frames():
    """48 pictures of which no two look alike, so that embeddings alone decide."""
    pictures = rng().integers(0, 256, (48, 56, 56, 3), np.uint8)
    pictures.setflags(write=False)
    return pictures


def rng(seed=0):
    return np.random.default_rng(seed)


def walk(length, seed, memory=0.8, pause=0.4):
    """(T, D) unit vectors of a scene of which a frame keeps `memory` of the one before, or all of it now and then."""
    generator = rng(seed)
    scene, vectors = generator.normal(size=12), []
    for _ in range(length):
        if generator.random() > pause:
            scene = memory * scene + np.sqrt(1 - memory**2) * generator.normal(size=12)
        noisy = scene + generator.normal(size=12) * 0.02
        vectors.append(noisy / np.linalg.norm(noisy))
    return np.array(vectors, np.float32)


def alike(embeddings, i, j):
    return round(float(np.dot(embeddings[i].astype(np.float64), embeddings[j].astype(np.float64))), 4)


def deduplicated(embeddings, indices, kappa=KAPPA):
    """MVP's rule, naively: a frame is kept when it is at most kappa similar to the one kept before it."""
    kept = [indices[0]]
    for index in indices[1:]:
        if alike(embeddings, kept[-1], index) <= kappa:
            kept.append(index)
    return kept


def read(clip, sample):
    """(frames before the gap, after it, candidates in the order of their labels, true frames by the answer)."""
    at = {time: i for i, time in enumerate(clip.times)}
    before, after = ([at[t] for t in spec.times] for spec in sample.videos[:2])
    singles = [spec.times for spec in sample.videos[2:]] + [(image.time,) for image in sample.images]
    assert all(len(set(times)) == 1 for times in singles)
    pool = [at[times[0]] for times in singles]
    return before, after, pool, [pool[ascii_uppercase.index(letter)] for letter in sample.answer]


@st.composite
def cases(draw_):
    masked = draw_(st.integers(1, 4))
    difficulty = Difficulty(
        num_key_frames=masked + 2 * draw_(st.integers(2, 5)),
        num_masked=masked,
        num_distractors=draw_(st.integers(1, 5)),
        kappa=KAPPA,
        radius=draw_(st.integers(1, 8)),
        hardness=draw_(st.sampled_from([0.0, 0.5, 1.0])),
        candidates=draw_(st.sampled_from(["video", "image"])),
    )
    if difficulty.candidates == "video" and draw_(st.booleans()):
        difficulty = replace(difficulty, view=0.6)
    return difficulty, draw_(st.integers(0, 10**6)), draw_(st.integers(0, 10**6))


@settings(max_examples=150)
@given(cases())
def test_the_label_answers_the_sample(clip_of, frames, case):
    difficulty, seed, scene = case
    clip, embeddings = clip_of(48, jitter=0.5), walk(48, scene)
    try:
        sample = draw(clip, frames, difficulty, rng(seed), embeddings=embeddings)
    except CannotDraw:
        assume(False)
    before, after, pool, true = read(clip, sample)
    distractors = [i for i in pool if i not in true]
    assert (len(pool), len(true)) == (difficulty.num_masked + difficulty.num_distractors, difficulty.num_masked)
    assert len(set(pool)) == len(pool)
    for part in (before, after):
        assert len(part) % 2 == 0
        assert len(part) >= 2

    # Re-inserting the labelled frames gives the de-duplicated sequence: of all frames, once distractors and what they
    # stood for are taken out.
    whole = sorted(before + true + after)
    assert before + true + after == whole
    assert len(whole) == difficulty.num_key_frames
    everything = sorted(whole + distractors)
    assert deduplicated(embeddings, list(range(everything[0], 48)))[: len(everything)] == everything
    stands_for = {i: max(j for j in everything if j <= i) for i in range(everything[0], everything[-1] + 1)}
    rest = [i for i in range(whole[0], everything[-1] + 1) if stands_for[i] not in distractors]
    assert deduplicated(embeddings, rest) == whole

    # Distractors are runs as long as the gap; what is left over is a shorter one. Two may follow each other.
    places = [everything.index(d) for d in distractors]
    starts = [0, *(np.flatnonzero(np.diff(sorted(places)) > 1) + 1), len(places)]
    beside = [int(b - a) % difficulty.num_masked for a, b in pairwise(starts)]
    rest = difficulty.num_distractors % difficulty.num_masked
    assert sorted(beside) == sorted([0] * (len(beside) - bool(rest)) + [rest] * bool(rest))

    # No candidate is shown, none looks like another frame of the prompt, and no distractor lies in the gap.
    assert not set(pool) & set(before + after)
    for i in pool:
        assert all(alike(embeddings, i, j) <= KAPPA for j in everything if j != i)
    assert not [d for d in distractors if before[-1] < d < after[0]]
    reach = [everything.index(before[-1]) - difficulty.radius, everything.index(after[0]) + difficulty.radius]
    assert all(reach[0] <= everything.index(d) <= reach[1] for d in distractors)


@settings(max_examples=30)
@given(cases())
def test_what_is_shown(clip_of, frames, case):
    difficulty, seed, scene = case
    clip = clip_of(48, jitter=0.5)
    try:
        sample = draw(clip, frames, difficulty, rng(seed), embeddings=walk(48, scene))
    except CannotDraw:
        assume(False)
    before, after = sample.videos[:2]
    zero = before.times[0]
    for part in (before, after):  # one clock for both: it goes on after the gap
        np.testing.assert_allclose(part.clock, np.array(part.times) - zero, atol=1e-9)
    assert before.clock[0] == 0
    kind = difficulty.candidates
    assert (len(sample.videos), len(sample.images)) == ((2, len(sample.images)) if kind == "image" else (
        2 + difficulty.num_masked + difficulty.num_distractors, 0))  # fmt: skip
    assert all(spec.clock == (0.0, 0.0) for spec in sample.videos[2:])
    lines = sample.question.splitlines()
    clocks = [[float(t) for t in line[10 : line.index(" seconds")].split(", ")] for line in (lines[0], lines[2])]
    np.testing.assert_allclose(clocks[0], before.clock, atol=0.0051)
    np.testing.assert_allclose(clocks[1], after.clock, atol=0.0051)
    assert lines[1] == (
        f"Gap from {clocks[0][-1]:g} to {clocks[1][0]:g} seconds: {difficulty.num_masked} frames are missing here."
    )
    pool = difficulty.num_masked + difficulty.num_distractors
    assert lines[4 : 4 + pool] == [f"{letter}: <{kind}>" for letter in ascii_uppercase[:pool]]
    example = lines[-1].split()[-1].rstrip(".")
    assert len(set(example)) == len(example) == difficulty.num_masked
    assert set(example) <= set(ascii_uppercase[:pool])


def test_question_by_hand(clip_of, frames):
    sample = draw(clip_of(48), frames, Difficulty(**SMALL), rng(), embeddings=walk(48, 0))
    before, after = ([f"{round(t, 2):g}" for t in spec.clock] for spec in sample.videos[:2])
    assert sample.question == (
        f"Frames at {', '.join(before)} seconds: <video>\nGap from {before[-1]} to {after[0]} seconds: 2 frames are "
        f"missing here.\nFrames at {', '.join(after)} seconds: <video>\nCandidates:\nA: <video>\nB: <video>\n"
        "C: <video>\nD: <video>\nThe 2 missing frames are among the candidates; the others come from other moments of "
        "the same video. Which 2 candidates fill the gap, in the order of time? Answer only with their 2 letters from "
        "the earliest to the latest, without spaces, for example BA."
    )


def scene(kind, index, generator):
    """A frame (64, 64, 3) as videos have them between, before and after what happens."""
    rows, columns = np.indices((64, 64))
    if kind == "black":
        picture = np.zeros((64, 64, 3))
    elif kind == "fade":
        picture = np.full((64, 64, 3), 2.0 * (index % 6))
    elif kind == "title":  # bright letters that stand still on black
        picture = np.repeat(220.0 * ((rows // 8 == 3) & (columns // 4 % 2 == 0))[..., None], 3, axis=2)
    elif kind == "grey":
        picture = np.full((64, 64, 3), 119.0)
    elif kind == "night":  # something moves, hardly brighter than the dark around it
        picture = np.repeat(8 + 3.0 * ((rows - 8 * (index % 7)) ** 2 + (columns - 30) ** 2 < 150)[..., None], 3, axis=2)
    else:
        picture = np.kron(rng(index).uniform(0, 255, (4, 4, 3)), np.ones((16, 16, 1)))
    return np.clip(picture + generator.normal(0, 1.5, picture.shape), 0, 255).round().astype(np.uint8)


def differ(a, b):
    """Could a person tell? Grey levels between the 25 of 256 cells that differ most, the long way round."""
    cells = [picture.astype(float).reshape(16, 4, 16, 4, 3).mean(axis=(1, 3)) for picture in (a, b)]
    return sorted(np.abs(cells[0] - cells[1]).mean(axis=2).ravel())[-25:]


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(["black", "fade", "title", "grey", "night"] + 8 * ["day"]), min_size=24, max_size=24),
    st.sampled_from(["built_in", "tells everything apart"]),
    st.integers(0, 10**6),
)
def test_no_candidate_looks_like_a_shown_frame_in_flat_and_dark_scenes(clip_of, kinds, embedding, seed):
    """Whatever the embedding: the other one sees no likeness at all, not even of two black frames."""
    generator, clip = rng(seed), clip_of(24)
    pictures = np.stack([scene(kind, i, generator) for i, kind in enumerate(kinds)])
    vectors = embed(pictures) if embedding == "built_in" else np.eye(24, dtype=np.float32)
    try:
        sample = draw(clip, pictures, Difficulty(**SMALL), rng(seed), embeddings=vectors)
    except CannotDraw:
        assume(False)
    before, after, pool, _ = read(clip, sample)
    for i in pool:
        for j in {*before, *after, *pool} - {i}:
            assert np.mean(differ(pictures[i], pictures[j])) > 7
    assert sample == draw(clip, pictures, Difficulty(**SMALL), rng(seed), embeddings=vectors)


def test_a_dark_video_changes_too_little_whatever_the_embedding_says(clip_of):
    pictures = np.stack([scene("night", i, rng(i)) for i in range(48)])
    with pytest.raises(CannotDraw, match="only 1 of its 48 frames differ"):
        draw(clip_of(48), pictures, Difficulty(**SMALL), rng(), embeddings=np.eye(48, dtype=np.float32))


def test_the_same_seed_gives_the_same_sample(clip_of, frames):
    clip, embeddings = clip_of(48), walk(48, 1)
    samples = [draw(clip, frames, Difficulty(**SMALL), rng(seed), embeddings=embeddings) for seed in (1, 1, 2, 3, 4)]
    assert samples[0] == samples[1]
    assert len({repr(sample.videos) for sample in samples}) == 4


def test_every_answer_is_as_likely(clip_of, frames):
    """The pool is shuffled: no blind guess is better than chance."""
    clip = clip_of(24)
    answers = Counter(
        draw(clip, frames[:24], Difficulty(**SMALL), rng(seed), embeddings=walk(24, seed % 10, memory=0.6)).answer
        for seed in range(1200)
    )
    assert len(answers) == 12
    assert min(answers.values()) > 60  # expected 100, standard deviation 10


def test_harder_distractors_are_more_like_true_frames(clip_of, frames):
    clip, likeness = clip_of(48), []
    for hardness in (0.0, 0.5, 1.0):
        knobs = Difficulty(**{**SMALL, "num_key_frames": 12, "hardness": hardness})
        closest = []
        for seed in range(60):
            embeddings = walk(48, seed, memory=0.6, pause=0)
            *_, pool, true = read(clip, draw(clip, frames, knobs, rng(seed), embeddings=embeddings))
            closest += [max(alike(embeddings, i, j) for j in true) for i in pool if i not in true]
        likeness.append(np.mean(closest))
    assert likeness[0] + 0.05 < likeness[1] < likeness[2] - 0.02


def test_too_little_change_is_told_as_such(clip_of, frames):
    with pytest.raises(CannotDraw, match=r"only 1 of its 48 frames differ .* \(kappa 0.9\); 10 are needed") as clocks:
        draw(clip_of(48), frames, Difficulty(**SMALL), rng(), embeddings=np.ones((48, 4), np.float32) / 2)
    assert clocks.value.reason == "too_little_change"


def test_too_few_frames_are_told_as_such(clip_of, frames):
    with pytest.raises(CannotDraw, match=r"it has 8 frames .*; 8 key frames and 2 distractors are needed") as clocks:
        draw(clip_of(8), frames[:8], Difficulty(**SMALL), rng(), embeddings=walk(8, 0))
    assert clocks.value.reason == "too_few_frames"


def test_two_scenes_in_turn_have_no_unambiguous_gap(clip_of, frames):
    embeddings = np.eye(2, dtype=np.float32)[np.arange(48) % 2]
    with pytest.raises(CannotDraw, match="that look like no other frame"):
        draw(clip_of(48), frames, Difficulty(**SMALL), rng(), embeddings=embeddings)


def test_presets_keep_their_order():
    easy, usual, hard, harder = (PRESETS[name] for name in ("mvp_easy", "mvp", "mvp_hard", "mvp_harder"))
    assert easy.num_distractors < usual.num_distractors < hard.num_distractors < harder.num_distractors
    assert easy.num_masked < usual.num_masked < hard.num_masked < harder.num_masked
    assert easy.hardness < usual.hardness < hard.hardness == harder.hardness
    assert easy.view == usual.view == 1 > hard.view == harder.view
    whole_runs = (one for name, one in PRESETS.items() if name != "mvp_short")  # which has no room for one
    assert all(one.num_distractors % one.num_masked == 0 for one in whole_runs)


def test_candidates_seen_through_views(clip_of, frames):
    clip = clip_of(48)
    sample = draw(clip, frames, Difficulty(**SMALL, view=0.6), rng(), embeddings=walk(48, 0))
    assert [bool(spec.transform) for spec in sample.videos] == [False, False, True, True, True, True]
    at = {time: i for i, time in enumerate(clip.times)}
    for spec in sample.videos[2:]:
        clean = frames[[at[time] for time in spec.times]]
        np.testing.assert_array_equal(render(spec.transform, clean), through(spec.transform, clean))
    assert "Each shows only a part of the picture, which may be mirrored. Which 2 candidates" in sample.question
    only_light = (frames[:1] * np.linspace(0.4, 1, 48)[:, None, None, None]).astype(np.uint8)
    with pytest.raises(CannotDraw, match=r"in no part of 0[.]6"):
        draw(clip, only_light, Difficulty(**SMALL, view=0.6), rng(), embeddings=walk(48, 0))


def test_frames_are_shown_as_they_are(frames):
    shown = render({}, frames)
    np.testing.assert_array_equal(shown, frames)
    assert shown is not frames


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"num_masked": 0}, "num_masked and num_distractors of at least 1, got 0"),
        ({"num_distractors": 0}, "at least 1, got 4 and 0"),
        ({"num_masked": 10, "num_distractors": 17}, "at most 26, one letter each, got 10 [+] 17"),
        ({"num_masked": 3}, "must be even .* got 16 - 3"),
        ({"num_key_frames": 6}, r"must be at least 4 \(2 shown on each side\), got 6 - 4"),
        ({"kappa": 1.0}, "kappa must be between 0 and 1"),
        ({"radius": 0}, "radius must be at least 1"),
        ({"hardness": 1.5}, "hardness must be from 0 to 1, got 1.5"),
        ({"view": 0.1}, "view must be from 0.2 to 1"),
        ({"view": 0.6, "candidates": "image"}, "must be 'video' for a view below 1"),
        ({"candidates": "text"}, "'video' or 'image', got 'text'"),
    ],
)
def test_impossible_knobs(knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        Difficulty(**knobs)


def test_without_embeddings(clip, frames):
    with pytest.raises(ValueError, match="needs the frames' embeddings"):
        draw(clip, frames, Difficulty(), rng())
