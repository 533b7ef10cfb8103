"""Each pretext row is looked through before anything is made of it, and told with file, number and reason."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reward_fns
from videossr_verl.errors import BadInput
from videossr_verl.rows.check import check_rows
from videossr_verl.rows.dataset_folder import read_rows

TASKS = ("anomaly_grounding", "masked_video_prediction", "object_counting", "temporal_jigsaw")


@pytest.fixture(scope="module")
def stored(dataset_folder):
    """A row of each task."""
    rows = pq.read_table(dataset_folder / "train.parquet").to_pylist()
    return {task: next(row for row in rows if row["extra_info"]["task"] == task) for task in TASKS}


def check(row):
    return check_rows([(7, row)], "row {} of 'x.parquet'".format)


def changed(row, **fields):
    """The row with other fields; `a__b` is b in a, `a__0__b` that of the first of a list."""
    row = json.loads(json.dumps(row))
    for name, value in fields.items():
        *above, last = name.split("__")
        where = row
        for step in above:
            where = where[int(step) if step.isdecimal() else step]
        where[last] = value
    return row


def test_the_rows_of_a_build_are_good_and_their_files_known(dataset_folder):
    rows = read_rows(dataset_folder / "train.parquet") + read_rows(dataset_folder / "test.parquet")
    named = check_rows(enumerate(rows), str)
    assert named == {video["video"] for row in rows for video in row["videos"]}


TRUTHS = {"x": "ground truth of .*'x'", "": "ground truth of .*''", 7: "the ground truth 7", None: "None"}


@pytest.mark.parametrize("truth", TRUTHS)
@pytest.mark.parametrize("task", TASKS)
def test_a_wrong_ground_truth_is_told(stored, truth, task):
    row = changed(stored[task], reward_model__ground_truth=truth)
    with pytest.raises(BadInput, match=rf"row 7 of 'x.parquet' cannot be used: .*{TRUTHS[truth]}.*; build the data"):
        check(row)


@given(st.sampled_from(TASKS), st.text(max_size=12))
def test_any_other_truth_is_refused_or_earns_everything(stored, task, truth):
    """No row passes whose best answer the run would then mark as wrong."""
    row = changed(stored[task], reward_model__ground_truth=truth)
    try:
        check(row)
    except BadInput:
        return
    assert reward_fns.compute_score(row["data_source"], truth, truth, row["extra_info"])["score"] == 1


DIFFICULTIES = {
    "easy": "extra_info.difficulty is no JSON",
    3: "extra_info.difficulty is no JSON text but int",
    "[1]": "no JSON object but list",
    "{": "no JSON",
    '{"a":' * 100_000: "nested too deeply",
    '{"max_frames": NaN}': "NaN is not a number",
    '{"max_frames": 1000000}': "max_frames must be a whole number from 0 to 400",
    '{"max_frames": 50, "max_instances": 50}': "at most 400 of a shape",
    '{"max_frames": "3"}': "cannot be",
    '{"max_frames": 0}': "need 1 <= min_frames",
    '{"colour": 1}': "the unknown knob 'colour'",
}


@pytest.mark.parametrize("difficulty", DIFFICULTIES, ids=lambda text: str(text)[:24])
def test_a_wrong_difficulty_is_told(stored, difficulty):
    with pytest.raises(BadInput, match=DIFFICULTIES[difficulty]):
        check(changed(stored["object_counting"], extra_info__difficulty=difficulty))


@pytest.mark.parametrize(
    ("task", "knobs", "word"),
    [
        ("anomaly_grounding", {"num_frames": 10**6}, "num_frames must be a whole number from 1 to 4096"),
        ("anomaly_grounding", {"num_frames": 4096, "min_length": 2, "max_length": 4096}, "raise the stride"),
        ("temporal_jigsaw", {"num_clips": 10**6}, "num_clips"),
        ("masked_video_prediction", {"num_masked": 10**9}, "num_masked"),
    ],
)
def test_a_chance_that_has_no_end_is_told(stored, task, knobs, word):
    with pytest.raises(BadInput, match=word):
        check(changed(stored[task], extra_info__difficulty=json.dumps(knobs)))


FIELDS = [
    ({"data_source": "videossr/os"}, "unknown task 'os'|row of task 'os'"),
    ({"data_source": "videossr/a/../b\n"}, "is not videossr/TASK"),
    ({"prompt": None}, "its prompt is None"),
    ({"prompt": []}, "must be a list of messages"),
    ({"prompt__1__content": None}, "a prompt that is no text"),
    ({"prompt__1__role": "<|im_start|>"}, "the role '<|im_start|>'"),
    ({"prompt__1__content": "<video><|video_pad|>"}, "the special token <|video_pad|>"),
    ({"prompt__1__content": "<video><|im_end|>"}, "the special token <|im_end|>"),
    ({"prompt__1__content": "<video><video>"}, "2 <video> places for 1 videos"),
    ({"prompt__1__content": "When?"}, "0 <video> places for 1 videos"),
    ({"prompt__1__content": "<video><image>"}, "1 <image> places for 0 images"),
    ({"prompt__1__content": "<video><audio>"}, "1 <audio> places for 0 audios"),
    ({"prompt__1__content": "<video>" + "x" * 10**6}, "more than 100000"),
    ({"prompt__1__content": "<video>\ud800"}, "a lone surrogate"),
    ({"videos": None}, "has no videos"),
    ({"videos": []}, "has no videos"),
    ({"videos": ["v.mp4"]}, "an entry that is no object"),
    ({"videos__0__min_pixels": 2**26, "videos__0__max_pixels": 2**26}, "pixels"),
    ({"reward_model": None}, "reward_model is None"),
    ({"extra_info": None}, "extra_info is None"),
    ({"extra_info__index": None}, "extra_info.index is None"),
    ({"extra_info__index": True}, "extra_info.index is True"),
    ({"extra_info__task": "object_counting"}, "in a row of task 'anomaly_grounding'"),
    ({"extra_info__video_id": "\x1b[2J"}, "extra_info.video_id is"),
    ({"extra_info__draw": 3}, "extra_info.draw is not null"),
    ({"videos__0__decoder": [["x"]]}, "names the decoder"),
    ({"extra_info__details": "[]"}, "extra_info.details is no JSON object but list"),
    ({"extra_info__num_prompt_tokens": '{"a": "7"}'}, "has the length '7'"),
    ({"extra_info__num_prompt_tokens": "x"}, "extra_info.num_prompt_tokens is no JSON"),
]


@pytest.mark.parametrize(("fields", "word"), FIELDS, ids=[f"{i}-{'-'.join(f)}" for i, (f, _) in enumerate(FIELDS)])
def test_what_no_build_makes_is_told(stored, fields, word):
    with pytest.raises(BadInput) as error:
        check(changed(stored["anomaly_grounding"], **fields))
    assert any(part in str(error.value) for part in word.split("|")) or word in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1200


def test_the_place_is_that_in_the_file(stored, tmp_path):
    rows = [stored["object_counting"]] * 3
    bad = changed(rows[0], extra_info__index=None)
    pq.write_table(pa.Table.from_pylist([*rows, bad]), tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match=r"^row 3 of '.*rows.parquet' cannot be used: "):
        read_rows(tmp_path / "rows.parquet")
