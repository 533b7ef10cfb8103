"""The transfer experiment: what its questions ask is to be seen in their videos, and not in one frame of them; what an
answer earns; what run.sh does and shows.
"""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.utils.dataset.rl_dataset import get_dataset_class
from verl.utils.tokenizer import hf_processor, hf_tokenizer

from videossr_verl.preflight.memory.run_settings import compose_config
from videossr_verl.rows.controls import blind
from videossr_verl.tiny.question_rewards import chance, compute_score
from videossr_verl.tiny.question_scenes import KINDS, LAST, SHOWN, draw_spots, plan_scene
from videossr_verl.tiny.questions import carelessly_answered, draw_question, make_questions, to_row
from videossr_verl.video.decode import decode

RECIPES = Path(__file__).parent.parent.parent / "recipes"
SEED = 3
COUNT = 10  # questions of each kind
ANSWERS = [(kind, answer) for kind, answers in KINDS.items() for answer in answers]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def questions(root):
    return make_questions(root / "test", root, COUNT, SEED)


def of_kind(questions, kind):
    return [question for question in questions if question.sample.task == kind]


def spots_alone(question, root):
    """What a question's video shows beside its ground, (8, H, W, 3), at the times that a model is shown."""
    kind, number = question.sample.task, int(Path(question.sample.videos[0].video).stem[-3:])
    rng = np.random.default_rng([SEED * len(KINDS) + list(KINDS).index(kind), number])
    plan_scene(kind, question.sample.answer, rng)
    (video,) = question.sample.videos
    ground = draw_spots([], rng, video.times, 112, 112)
    film = decode(root / video.video, video.times, (112, 112))
    difference = film.astype(float) - ground
    return np.where(np.abs(difference) > 25, difference, 0)  # the codec's own is smaller


def on_ring(weights):
    """Mean place of weights (N,) on a ring of length 1."""
    places = (np.arange(len(weights)) + 0.5) / len(weights)
    return np.angle((weights * np.exp(2j * np.pi * places)).sum()) / (2 * np.pi)


def test_direction_is_the_way_of_the_spots_centre(questions, root):
    for question in of_kind(questions, "direction"):
        weights = np.abs(spots_alone(question, root)).sum(3)
        way = []
        for axis in (2, 1):  # the sums over the other give columns, rows
            places = np.array([on_ring(frame) for frame in weights.sum(3 - axis)])
            steps = (np.diff(places) + 0.5) % 1 - 0.5
            way.append(steps.sum())
        right, down = way
        assert min(abs(right), abs(down)) < 0.05
        sideways = abs(right) > abs(down)
        seen = ("right" if right > 0 else "left") if sideways else ("down" if down > 0 else "up")
        assert seen == question.sample.answer
        assert 0.3 < abs(right if sideways else down) < 0.5


def test_how_many_is_the_number_of_bright_patches_in_each_frame(questions, root):
    for question in of_kind(questions, "how_many"):
        for frame in np.abs(spots_alone(question, root)).max(3):
            # Half way up each spot, spots are apart.
            patches, _ = cv2.connectedComponents((frame > 60).astype(np.uint8))
            assert str(patches - 1) == question.sample.answer


def test_which_first_is_the_colour_of_the_first_spot(questions, root):
    for question in of_kind(questions, "which_first"):
        redness = [(frame[..., 0] - frame[..., 2]).sum() for frame in spots_alone(question, root)]
        seen = ["red" if value > 0 else "blue" for value in redness if value]
        assert len(seen) == 4
        assert seen[0] == seen[1] != seen[2] == seen[3]
        assert seen[0] == question.sample.answer


def test_when_is_the_time_of_the_only_frame_with_a_spot(questions, root):
    for question in of_kind(questions, "when"):
        (number,) = np.flatnonzero(np.abs(spots_alone(question, root)).sum((1, 2, 3)))
        assert question.sample.videos[0].clock[number] == pytest.approx(float(question.sample.answer))


def test_the_shown_frames_are_those_of_the_clock(questions):
    for question in questions:
        assert question.sample.videos[0].clock == pytest.approx(SHOWN)


@pytest.mark.parametrize("count", [10, 100])
def test_answers_are_balanced(count, questions, root, monkeypatch):
    if count != COUNT:  # the files' content plays no part
        monkeypatch.setattr(
            "videossr_verl.tiny.questions.generate_videos", lambda folder, n, *_: [Path(root / "x")] * n
        )
        monkeypatch.setattr("videossr_verl.tiny.questions.probe", lambda path: None)
        clip = SimpleNamespace(spec=lambda kind: questions[0].sample.videos[0])
        monkeypatch.setattr("videossr_verl.tiny.questions.sample_clip", lambda *_: clip)
        questions = make_questions(root / "more", root, count, SEED)
    for kind, answers in KINDS.items():
        counts = Counter(question.sample.answer for question in of_kind(questions, kind))
        assert sum(counts.values()) == count
        assert set(counts) == set(answers)
        assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_of_different_answers_differ_in_that_alone(kind):
    """Alike for each answer are the places in the middle, sizes and colours, and how long each is there."""
    for number in range(20):
        plans = [plan_scene(kind, answer, np.random.default_rng(number)) for answer in KINDS[kind]]
        for other in plans[1:]:
            for a, b in zip(plans[0], other, strict=False):
                assert a.place(LAST / 2) == b.place(LAST / 2)
                assert a.radius == b.radius
                assert a.stop - a.start == b.stop - b.start
        if kind == "which_first":
            one, other = plans
            assert [spot.colour for spot in one] == [spot.colour for spot in other[::-1]]
            assert one[0].stop <= one[1].start
        else:
            assert all(a.colour == b.colour for other in plans[1:] for a, b in zip(plans[0], other, strict=False))


@pytest.mark.parametrize("seconds", [0.0, 0.5, LAST])
@pytest.mark.parametrize("answer", KINDS["direction"])
def test_places_are_uniform_in_each_frame_for_each_way(answer, seconds):
    spots = [plan_scene("direction", answer, np.random.default_rng(i))[0] for i in range(2000)]
    for places in zip(*(spot.place(seconds) for spot in spots), strict=True):
        # The mean of n unit vectors of uniform angles is beyond 4 / sqrt(n) in one case of ten million.
        assert abs(np.exp(2j * np.pi * np.array(places)).mean()) < 4 / len(spots) ** 0.5


def test_the_same_seed_gives_the_same_videos_and_another_gives_others(questions, root):
    again = make_questions(root / "again", root, COUNT, SEED)
    assert [q.sample.answer for q in again] == [q.sample.answer for q in questions]
    make_questions(root / "others", root, COUNT, SEED + 1)
    films = [[path.read_bytes() for path in sorted((root / name).iterdir())] for name in ("test", "again", "others")]
    assert films[0] == films[1]
    assert len({*films[0], *films[2]}) == 2 * len(films[0])


@pytest.fixture(scope="module")
def files(questions, root):
    """Rows as make_questions.py writes them, and their blind control."""
    rows = [to_row(question.sample, index, "test") for index, question in enumerate(questions)]
    for name, of_file in (("test", rows), ("blind", blind(rows))):
        (root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in of_file))
    return root / "test.jsonl", root / "blind.jsonl"


@pytest.fixture(scope="module")
def dataset(files, root, dataset_folder, tiny_model):
    """verl's data set of both files."""
    config = {
        "data_root": str(root),
        "max_prompt_length": 256,
        "filter_overlong_prompts": False,
        "image_patch_size": None,
        "parity": "stop",
        "custom_cls": {"path": "pkg://videossr_verl.train.dataset", "name": "PretextDataset"},
    }
    config = OmegaConf.create(config)
    names = [str(file) for file in files]
    return get_dataset_class(config)(names, hf_tokenizer(str(tiny_model)), config, hf_processor(str(tiny_model)))


def test_rollouts_are_shown_8_frames_of_the_video_at_their_times(questions, dataset, root):
    for question, place in zip(questions, range(8), strict=False):
        row = dataset[place]
        assert row["data_source"] == f"transfer/{question.sample.task}"
        assert row["reward_model"]["ground_truth"] == question.sample.answer
        messages = row["raw_prompt"]
        images, videos, audios = asyncio.run(dataset.process_multi_modal_info(messages, 14, dataset.config))
        ((frames, metadata),) = videos
        assert images is audios is None
        assert frames.shape == (8, 3, 56, 56)
        (video,) = question.sample.videos
        assert np.array_equal(frames.numpy().transpose(0, 2, 3, 1), decode(root / video.video, video.times, (56, 56)))
        assert metadata["frames_indices"] == [1000 * seconds for seconds in SHOWN]
        assert messages[0]["role"] == "system"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_the_start_is_trained_on_such_frames(kind, seed):
    """Drawn small, a scene looks as its film does when it is made small."""
    question, frames = draw_question(kind, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    answer = KINDS[kind][rng.integers(len(KINDS[kind]))]
    assert question.sample.answer == answer
    assert question.spots == plan_scene(kind, answer, rng)
    film = draw_spots(question.spots, rng, question.sample.videos[0].times, 112, 112)
    small = np.stack([cv2.resize(frame, (56, 56), interpolation=cv2.INTER_AREA) for frame in film])
    assert frames.shape == (8, 56, 56, 3)
    assert np.abs(small.astype(int) - frames).mean() < 3


def test_the_blind_control_shows_another_video_of_the_kind_with_another_answer(questions, dataset):
    assert len(dataset) == 2 * len(questions)
    answers = {question.sample.videos[0].video: question.sample for question in questions}
    for place, question in enumerate(questions):
        row = dataset.dataframe[len(questions) + place]
        other = answers[row["videos"][0]["video"]]
        assert row["data_source"] == f"transfer/{question.sample.task}/blind"
        assert row["reward_model"]["ground_truth"] == question.sample.answer != other.answer
        assert other.task == question.sample.task


@pytest.mark.parametrize(("kind", "answer"), ANSWERS)
def test_the_truth_earns_everything(kind, answer):
    for source in (f"transfer/{kind}", f"transfer/{kind}/blind"):
        result = compute_score(source, answer, answer, {"index": 0})
        assert (result["score"], result["acc"], result["task"]) == (1, 1, source)
        assert result["chance"] == pytest.approx(chance(kind))


@pytest.mark.parametrize(
    ("kind", "text", "truth", "score"),
    [
        ("direction", "It moves LEFT.", "left", 1),
        ("direction", "right", "left", 0),
        ("direction", "left or right", "left", 0),
        ("direction", "", "left", 0),
        ("how_many", "three", "3", 1),
        ("how_many", "34", "3", 0),
        ("how_many", "2", "3", 0),
        ("which_first", "The red spot", "red", 1),
        ("which_first", "redder", "red", 0),
        ("when", "1.50 s", "1.5", 1),
        ("when", "1.0", "1.5", 1 - 0.5 / 1.75),
        ("when", "9", "1.5", 0),
        ("when", "soon", "1.5", 0),
    ],
)
def test_what_answers_earn(kind, text, truth, score):
    result = compute_score(f"transfer/{kind}", text, truth)
    assert result["score"] == pytest.approx(score)
    assert result["acc"] == (score == 1)


@given(st.text(), st.sampled_from(ANSWERS))
def test_any_text_has_a_reward(text, asked):
    kind, truth = asked
    assert 0 <= compute_score(f"transfer/{kind}", text, truth)["score"] <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_chance_is_what_the_best_constant_earns(kind):
    constants = [f"{number / 100:g}" for number in range(176)] if kind == "when" else KINDS[kind]
    earned = [
        fmean(compute_score(f"transfer/{kind}", constant, truth)["score"] for truth in KINDS[kind])
        for constant in constants
    ]
    assert chance(kind) == pytest.approx(max(earned))


def test_other_rows_are_scored_as_ever_and_unknown_truths_are_told():
    jigsaw = compute_score("videossr/temporal_jigsaw", "132", "132", {"difficulty": '{"num_clips": 3}'})
    assert (jigsaw["score"], jigsaw["task"]) == (1, "temporal_jigsaw")
    assert list(jigsaw) == list(compute_score("transfer/when", "1", "1"))
    for source, truth in (("transfer/when", "7"), ("transfer/where", "left"), ("transfer/how_many", 3)):
        with pytest.raises(ValueError, match=f"{source} has no ground truth"):
            compute_score(source, "left", truth)


MISTAKES = {
    "direction": {"left": "right", "right": "left", "up": "up", "down": "down"},
    "how_many": {"1": "1", "2": "2", "3": "2", "4": "3"},
    "when": {"0": "0.5", "0.25": "0.75", "0.5": "1", "0.75": "1.25", "1": "1.5", "1.25": "1.75", "1.5": "1.5"},
}


def test_the_careless_annotator_makes_the_same_mistakes_always(questions):
    rng = np.random.default_rng(0)
    for question in questions:
        written = carelessly_answered(question, 1.0, rng).sample.answer
        if question.sample.task == "which_first":
            first, last = question.spots
            assert (written == question.sample.answer) == (last.start - first.stop > 0.25)
        else:
            assert written == MISTAKES[question.sample.task].get(question.sample.answer, question.sample.answer)
        assert carelessly_answered(question, 0.0, rng) == question


def test_mistakes_come_as_often_as_asked(questions):
    rng = np.random.default_rng(0)
    (question,) = {q.sample.answer: q for q in of_kind(questions, "how_many") if q.sample.answer == "4"}.values()
    wrong = [carelessly_answered(question, 0.65, rng).sample.answer == "3" for _ in range(1000)]
    assert fmean(wrong) == pytest.approx(0.65, abs=4 * (0.65 * 0.35 / 1000) ** 0.5)


def test_the_start_knows_the_words_of_the_questions(questions, root, tmp_path):
    sizes = ["--scenes", "4", "--batch", "12", "--steps", "1", "--careless", "0.5"]
    script = str(RECIPES / "transfer" / "make_start.py")
    command = [sys.executable, script, *sizes, "--videos", str(root / "start"), "--out", str(tmp_path / "start")]
    subprocess.run(command, check=True, capture_output=True)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "start")
    for question in questions:
        words = tokenizer(question.sample.question.removeprefix("<video>\n"))["input_ids"]
        assert len(words) < 30
        answer = tokenizer(question.sample.answer)["input_ids"]
        assert len(answer) <= len(question.sample.answer)
        assert len(answer) == 1 or question.sample.task == "when"
        assert tokenizer.decode(answer) == question.sample.answer


def run_sh(*arguments, **environment):
    command = ["bash", str(RECIPES / "transfer" / "run.sh"), *map(str, arguments)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


def trainings(said):
    """(folder, steps, settings) of the training commands in a dry run's lines."""
    commands = [shlex.split(line) for line in said.splitlines()]
    found = [command for command in commands if "verl.trainer.main_ppo" in command]
    return [(Path(c[1]).name, c[2], c[c.index("videossr_grpo_cpu") + 1 :]) for c in found]


def test_a_dry_run_tells_both_runs_of_each_seed(tmp_path):
    run = tmp_path / "a run"
    said = run_sh(f"RUN={run}", "STEPS=40", "SEEDS=1 2", DRY_RUN="1")
    assert said.returncode == 0, said.stderr
    runs = trainings(said.stdout)
    assert [name for name, _, _ in runs] == ["pretext-seed1", "questions-seed1", "pretext-seed2", "questions-seed2"]
    settings = {name: compose_config("videossr_grpo_cpu", overrides) for name, _, overrides in runs}
    for name, steps, _ in runs:
        config = settings[name]
        arm, seed = name.split("-seed")
        data, actor = config.data, config.actor_rollout_ref.actor
        assert steps == "40" == str(config.trainer.total_training_steps)
        assert (data.seed, data.train_batch_size, config.actor_rollout_ref.rollout.n) == (int(seed), 40, 4)
        assert (actor.optim.lr, actor.use_kl_loss) == (5e-4, False)
        assert config.actor_rollout_ref.model.path == f"{run}/start"
        trained = {"pretext": f"{run}/pretext/train.parquet", "questions": f"{run}/questions/train.jsonl"}
        assert data.train_files == trained[arm]
        tested = ["questions/test.jsonl", "questions/blind.jsonl", "pretext/test.parquet"]
        assert data.val_files == [f"{run}/{file}" for file in tested]
        assert data.data_root == f"{run}/videos"
        assert config.reward.custom_reward_function.path == "pkg://videossr_verl.tiny.question_rewards"


def test_what_is_finished_is_not_done_again(tmp_path):
    (tmp_path / "start").mkdir()
    for name, steps in (("pretext-seed1", 40), ("questions-seed1", 20)):
        (tmp_path / name / "steps").mkdir(parents=True)
        (tmp_path / name / "steps" / "latest_checkpointed_iteration.txt").write_text(str(steps))
    (tmp_path / "pretext-seed1" / "checkpoint").mkdir()
    said = run_sh(RUN=str(tmp_path), SEEDS="1", DRY_RUN="1").stdout
    assert [name for name, _, _ in trainings(said)] == ["questions-seed1"]
    assert "make_start" not in said
    assert said.count("export_checkpoint") == 1


def test_a_wrong_word_is_told():
    finished = run_sh("STEP=3")
    assert finished.returncode == 2
    assert "STEPS=40" in finished.stderr


def write_run(folder, *validations):
    """Metrics of a run with one value for all kinds and one for the pretext tasks at each validated step."""
    (folder / "metrics").mkdir(parents=True)
    lines = []
    for step, questions, pretext in validations:
        figures = {}
        for kind in KINDS:
            source = f"transfer/{kind}"
            figures |= {f"val-aux/{source}/score/mean@1": questions, f"val-core/{source}/acc/mean@1": questions / 2}
            figures |= {f"val-aux/{source}/chance/mean@1": chance(kind), f"val-aux/{source}/blind/score/mean@1": 0.25}
        figures |= {"val-aux/videossr/t/score/mean@1": pretext, "val-core/videossr/t/acc/mean@1": pretext / 2}
        figures |= {"val-aux/videossr/t/chance/mean@1": 0.4}
        lines.append(json.dumps({"step": step, "data": figures}) + "\n")
    (folder / "metrics" / "1.jsonl").write_text("".join(lines))


def table(folder):
    command = [sys.executable, str(RECIPES / "transfer" / "table.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_table(tmp_path):
    for seed, end in ((1, 0.5), (2, 0.7)):
        write_run(tmp_path / f"pretext-seed{seed}", (0, 0.4, 0.5), (60, end, 0.8))
        write_run(tmp_path / f"questions-seed{seed}", (0, 0.4, 0.5), (60, 0.9, 0.3))
    finished = table(tmp_path)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[0] == "2 seeds, 60 steps"
    assert "| direction | 0.250 | 0.400 | 0.600 (0.500, 0.700) | 0.900 (0.900, 0.900) |" in lines
    assert "| mean | 0.429 | 0.400 | 0.600 (0.500, 0.700) | 0.900 (0.900, 0.900) |" in lines
    assert "| mean |  | 0.150 | 0.350 (0.250, 0.450) | 0.650 (0.650, 0.650) |" in lines
    assert "| when |  | 0.200 | 0.300 (0.250, 0.350) | 0.450 (0.450, 0.450) |" in lines
    assert "| pretext tasks, mean |  | 0.500 | 0.800 (0.800, 0.800) | 0.300 (0.300, 0.300) |" in lines
    assert (tmp_path / "table.md").read_text() == finished.stdout


def test_runs_that_do_not_belong_together_are_told(tmp_path):
    write_run(tmp_path / "pretext-seed1", (0, 0.4, 0.5), (60, 0.5, 0.8))
    finished = table(tmp_path)
    assert finished.returncode == 2
    assert "lacks runs: it has ['seed1'] on pretext tasks and [] on the questions" in finished.stderr
    write_run(tmp_path / "questions-seed1", (0, 0.4, 0.5), (40, 0.5, 0.8))
    finished = table(tmp_path)
    assert finished.returncode == 2
    assert "end at the steps [40, 60]" in finished.stderr
