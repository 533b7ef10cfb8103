"""Rows that ask for too much, for what is not theirs, or for nonsense: one sentence, before memory or time is spent."""

import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.questions import questions
from videossr_verl.preflight.doctor.checks import Asked, check_machine
from videossr_verl.prompt.contact_sheet import draw_contact_sheet
from videossr_verl.prompt.render import render
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.tasks.frames.perturbations import PERTURBATIONS, check_params
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.specs import ImageSpec, VideoSpec

GOOD = {
    "video": "b_frames.mp4",
    "times": [0.0, 0.2, 0.4, 0.6],
    "clock": [0.0, 0.2, 0.4, 0.6],
    "width": 64,
    "height": 48,
    "min_pixels": 784,
    "max_pixels": 4096,
    "task": "anomaly_grounding",
    "transform": "{}",
}
STILL = {"image": "b_frames.mp4", "time": 0.0, **{k: GOOD[k] for k in ("width", "height", "min_pixels", "max_pixels")}}
LONG = [0.01 * i for i in range(4000)]


def change(name, start=0, stop=4, **params):
    return json.dumps({"perturbation": name, "params": params, "start": start, "stop": stop})


def shape(**changed):
    place = {"x": 0.5, "y": 0.5, "size": 0.3, "angle": 0, "r": 9, "g": 9, "b": 9} | changed
    drawn = {"frame": 0, "shape": "circle", "places": [list(place.values())]}
    return {"task": "object_counting", "transform": json.dumps({"drawn": [drawn]})}


def source(video, **changed):
    return json.dumps({"source": {"video": video, "times": [0, 1], "width": 64, "height": 48} | changed})


# What is changed in a good row -> a word of the sentence.
BAD_ROWS = [
    ({"times": [0.0] * 10**6}, "has 1000000"),
    ({"order": [0] * 10**6}, "an order that is no list of 4 numbers"),
    ({"order": [0, 1, 2]}, "an order that is no list of 4 numbers"),
    ({"order": "0123"}, "an order that is no list of 4 numbers"),
    ({"order": [0, 1, 2, 4]}, "4 in order, which must be whole numbers from 0 to 3"),
    ({"order": [0, 1, 2, -1]}, "-1 in order"),
    ({"order": [0, 1, 2, 1.5]}, "1.5 in order"),
    ({"order": [0, 1, 2, True]}, "True in order"),
    ({"times": []}, "has 0"),
    ({"times": None}, "has none"),
    ({"times": "0123"}, "has"),
    ({"times": [0.0, float("nan"), 1.0, 2.0]}, "nan in times"),
    ({"times": [0.0, float("inf"), 1.0, 2.0]}, "inf in times"),
    ({"times": [0.0, -1.0, 1.0, 2.0]}, "-1.0 in times"),
    ({"times": [0.0, 1e300, 1.0, 2.0]}, "1e\\+300 in times"),
    ({"times": [0.0, None, 1.0, 2.0]}, "None in times"),
    ({"clock": [0.0, 1.0]}, "clock of 2 values for 4 times"),
    ({"clock": [0.0, 3.0, 1.0, 2.0]}, "runs backwards"),
    ({"times": [0.0], "clock": [0.0]}, "clock of 1 values"),
    ({"width": 0}, "width 0"),
    ({"width": -64}, "width -64"),
    ({"height": 10**9}, "64x1000000000"),
    ({"height": None}, "height None"),
    ({"height": 48.5}, "height 48.5"),
    ({"width": 100_000, "height": 100_000, "max_pixels": 10**12}, "100000x100000"),
    ({"min_pixels": 10**10, "max_pixels": 10**12}, "pixels"),
    ({"min_pixels": 5000}, "min_pixels 5000 above max_pixels 4096"),
    ({"min_pixels": 0}, "min_pixels 0"),
    ({"min_pixels": 10**6, "max_pixels": 10**6, "times": LONG, "clock": LONG}, "the limit of a prompt"),
    ({"transform": None}, "a transform that is no JSON text but NoneType"),
    ({"transform": "[" * 200_000}, "no JSON: it is nested too deeply"),
    ({"transform": '{"a":' * 100_000}, "no JSON: it is nested too deeply"),
    ({"transform": '{"a": NaN}'}, "NaN is not a number"),
    ({"transform": "{"}, "no JSON"),
    ({"transform": "[]"}, "no JSON object but list"),
    ({"transform": '"' + "x" * 10**8 + '"'}, "at most 1000000 characters"),
    ({"transform": '{"a": 1}', "task": "no_such_task"}, "unknown task 'no_such_task'"),
    ({"transform": '{"a": 1}'}, "cannot be made"),
    ({"transform": '{"a": 1}', "task": None}, "unknown task"),
    ({"transform": '{"source": 7}'}, "source is no JSON object"),
    ({"transform": '{"source": {"video": "http://localhost/v.mp4", "times": [0]}}'}, "network address"),
    ({"transform": source("../../etc/passwd")}, "outside the data root"),
    ({"transform": source("b_frames.mp4", width=10**9)}, "1000000000x48"),
    ({"transform": source("b_frames.mp4", height=None)}, "height None"),
    ({"transform": '{"source": {"video": "b_frames.mp4", "times": [1e99]}}'}, "1e\\+99 in times"),
    ({"transform": change("invert", 0, 10**9)}, "no segment of 4 frames"),
    ({"transform": change("invert", -1, 2)}, "no segment of 4 frames"),
    ({"transform": change("no_such_change")}, "no_such_change"),
    ({"transform": change("zoom_out", factor=1e-4)}, "cannot have factor 0.0001"),
    ({"transform": change("zoom_in", factor=1e9)}, "cannot have factor"),
    ({"transform": change("blur", radius=1e9)}, "cannot have radius"),
    ({"transform": change("stutter_hold", holds=10**9)}, "cannot have holds"),
    ({"transform": change("shuffle", order=[0] * 100_000)}, "cannot have order"),
    ({"transform": change("noise", sigma=1, seed="x")}, "cannot have seed"),
    (shape(size=1e9), "cannot be placed"),
    (shape(x=-1e9), "cannot be placed"),
    (shape(b=1e9), "cannot be placed"),
    ({"task": "object_counting", "transform": '{"drawn": [{"frame": 99, "shape": "circle", "places": []}]}'}, "made"),
    ({"video": "../../etc/passwd"}, "outside the data root"),
    ({"video": "/etc/passwd"}, "outside the data root"),
    ({"video": "http://localhost/v.mp4"}, "network address"),
    ({"video": "https://localhost/v.mp4"}, "network address"),
    ({"video": "file:///etc/passwd"}, "network address"),
    ({"video": "s3://bucket/v.mp4"}, "network address"),
    ({"video": "concat:a.mp4|b.mp4"}, "does not exist"),
    ({"video": "data:video/mp4;base64,AAAA"}, "does not exist"),
    ({"video": "pipe:0"}, "does not exist"),
    ({"video": "a\0b.mp4"}, "null character"),
    ({"video": "a\nb.mp4"}, "does not exist"),
    ({"video": "v" * 300}, "cannot be read"),
    ({"video": "v" * 10**6}, "more than 4096 bytes"),
    ({"video": ["a.mp4"]}, "is no path"),
]
ROW_IDS = [f"{i}-{'-'.join(changed)}" for i, (changed, _) in enumerate(BAD_ROWS)]


@pytest.fixture(scope="module")
def root(kinds):
    return kinds["b_frames.mp4"].parent


def rendered(videos, images, root):
    return render([VideoSpec.from_row(v) for v in videos], [ImageSpec.from_row(i) for i in images], root, 28)


@pytest.mark.parametrize(("changed", "word"), BAD_ROWS, ids=ROW_IDS)
def test_a_bad_row_is_refused_in_one_sentence_before_it_costs_anything(root, no_network, changed, word):
    tracemalloc.start()
    try:
        with pytest.raises(VideoRejected, match=word) as caught:
            rendered([GOOD | changed], [], root)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**28
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"image": "../../etc/passwd"}, "outside the data root"),
        ({"image": "https://localhost/a.png"}, "network address"),
        ({"image": None}, "is no path"),
        ({"time": float("nan")}, "nan in time"),
        ({"time": None}, "None in time"),
        ({"height": 10**9}, "64x1000000000"),
        ({"min_pixels": 10**10, "max_pixels": 10**12}, "pixels"),
    ],
)
def test_a_bad_image_is_refused(root, no_network, changed, word):
    with pytest.raises(VideoRejected, match=word):
        rendered([], [STILL | changed], root)


def test_good_rows_pass(root):
    videos, images = rendered([GOOD | {"transform": change("invert")}], [STILL], root)
    assert videos[0][0].shape == (4, 3, 56, 56)
    assert images[0].size == (56, 56)
    assert render([], [], root, 28) == ([], [])


def test_every_parameter_that_is_drawn_may_be_rendered():
    rng = np.random.default_rng(0)
    for change_ in PERTURBATIONS.values():
        for length in (4, 16):
            check_params(json.loads(json.dumps(change_.draw(rng, length, ((720, 1280), (168, 336))))), length)


def row(index=0, **changed):
    named = {"task": "anomaly_grounding", "split": "train", "video_id": "0" * 16, "look_alike_id": "0" * 16}
    return {
        "data_source": "videossr/anomaly_grounding",
        "prompt": [{"role": "user", "content": "<video>When?"}],
        "videos": [GOOD | changed],
        "images": [],
        "reward_model": {"style": "rule", "ground_truth": "0.0-0.2"},
        "extra_info": {"index": index, **named, "details": "{}"},
    }


def write(path, *rows):
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return str(path)


def test_an_evaluation_asks_the_good_questions(root, no_network):
    rows = [
        row(0, video="http://localhost/v.mp4"),
        row(1),
        row(2, width=0),
        row(3, transform=change("blur", radius=1e9)),
    ]
    asked = dict(questions(rows, root, 28))
    assert [isinstance(asked[i], VideoRejected) for i in range(4)] == [True, False, True, True]


@pytest.mark.parametrize("changed", [{"video": "/etc/passwd"}, {"video": "s3://bucket/v.mp4"}, {"width": 10**9}])
def test_inspect_and_doctor_tell(root, tmp_path, no_network, changed, capsys):
    file = write(tmp_path / "train.parquet", row(**changed))
    assert main(["inspect", str(tmp_path), "--out", str(tmp_path / "x.png"), "--data-root", str(root)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(BadInput, match=r"cannot be (shown|used)"):
        draw_contact_sheet(tmp_path, tmp_path / "x.png", data_root=str(root))
    findings = [f for f in check_machine(Asked(str(root), file)) if f.check == "a sample's video"]
    assert [f.level for f in findings] == ["failure"]


@pytest.mark.parametrize("file", ["http://localhost/a.parquet", "s3://bucket/a.parquet", "gs://bucket/a", "hdfs://h/a"])
def test_a_file_of_rows_is_no_address(file, no_network, tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        read_rows(file)
    command = ["eval", "--model", "m", "--data", file, "--data-root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == 2


def test_a_table_of_few_bytes_and_many_values_is_not_read(tmp_path):
    times = pa.array([np.zeros(2_000_000)], pa.list_(pa.float64()))
    pq.write_table(pa.table({"data_source": ["videossr/x"], "times": times}), tmp_path / "train.parquet")
    assert (tmp_path / "train.parquet").stat().st_size < 10_000
    with pytest.raises(BadInput, match="2000000 values of a column in 1 rows"):
        read_rows(tmp_path / "train.parquet")


@pytest.mark.parametrize("content", ["[]", '{"data_root": 7}', '{"data_root": ["/"]}', "[" * 100_000, "\0"])
def test_a_dataset_that_tells_no_data_root(tmp_path, content, capsys):
    write(tmp_path / "train.parquet", row())
    (tmp_path / "dataset.json").write_text(content)
    assert main(["inspect", str(tmp_path), "--out", str(tmp_path / "x.png")]) == 2
    assert "give --data-root" in capsys.readouterr().err
