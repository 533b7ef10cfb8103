"""VIUBench and masked video prediction through the real lmms-eval with the tiny model: same prompts, same scores."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from reward_fns import compute_metric, compute_score
from videossr_verl.evaluate.answers import append_lines, read_answers
from videossr_verl.evaluate.lmms.model import VideoModel
from videossr_verl.evaluate.lmms.video_file import video_file
from videossr_verl.evaluate.run import EvalSettings, evaluate
from videossr_verl.evaluate.viubench.score import figure_of, overall, score
from videossr_verl.families import qwen2_5_vl
from videossr_verl.prompt.render import render
from videossr_verl.rows.dataset_folder import read_rows, stored_data_root
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import probe
from videossr_verl.video.specs import VideoSpec


@pytest.fixture(scope="module")
def run(viubench, lmms_eval, tmp_path_factory):
    """Both tasks, answered by `--model videossr`."""
    out = tmp_path_factory.mktemp("run")
    state = out / "answers.jsonl"
    finished = lmms_eval("viubench,viubench_mvp", out, environment={"VIUBENCH": str(viubench)}, state=state)
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-3000:]
    return out


def _samples(run, results, task):
    return {s["doc_id"]: s for s in results(run)[1] if ("All" in s) == (task == "viubench")}


def test_the_score_is_our_own_scorers_on_the_same_answers(run, results, viubench, tmp_path):
    found, _ = results(run)
    samples = _samples(run, results, "viubench")
    rows = read_rows(viubench / "viubench" / "test.parquet")
    assert len(samples) == len(rows) == 18
    answers = tmp_path / "answers.jsonl"
    append_lines(answers, (json.dumps({"id": i, "answer": s["filtered_resps"]}) + "\n" for i, s in samples.items()))
    columns = score(rows, read_answers(answers))
    values = {column.name: column.value for column in columns} | overall(columns)
    assert set(values) | {"unread"} == {
        key.split(",")[0] for key in found["viubench"] if key.endswith(",none") and "stderr" not in key
    }
    for name, value in values.items():
        assert found["viubench"][f"{name},none"] == pytest.approx(value, abs=1e-9), name
    unread = 100 * sum(c.unread * c.samples for c in columns) / 18
    assert found["viubench"]["unread,none"] == pytest.approx(unread)


def test_right_answers_score_100_through_the_same_functions(viubench):
    rows = read_rows(viubench / "viubench" / "test.parquet")
    assert [figure_of(row, row["reward_model"]["ground_truth"])[0] for row in rows] == [1.0] * 18


def test_masked_video_prediction_is_scored_by_the_published_metric_and_the_training_reward(run, results, viubench):
    found, _ = results(run)
    rows = {row["extra_info"]["index"]: row for row in read_rows(viubench / "mvp" / "test.parquet")}
    samples = _samples(run, results, "viubench_mvp")
    asked = [
        (row["data_source"], samples[i]["filtered_resps"], row["reward_model"]["ground_truth"], row["extra_info"])
        for i, row in rows.items()
    ]
    graded = [compute_score(*one) | {"metric": compute_metric(*one)[0]} for one in asked]
    for name, key in (
        ("metric", "metric"),
        ("reward", "score"),
        ("exact", "acc"),
        ("parsed", "parsed"),
        ("chance", "chance"),
    ):
        mean = 100 * sum(g[key] for g in graded) / len(graded)
        assert found["viubench_mvp"][f"{name},none"] == pytest.approx(mean), name
    assert 20 < found["viubench_mvp"]["chance,none"] < 60


def test_standard_errors_are_clustered_by_video(run, results):
    found, samples = results(run)
    assert isinstance(found["viubench"]["All_stderr_clustered,none"], float)
    assert len({s["All"]["video_id"] for s in samples if "All" in s}) > 1


def test_the_model_is_asked_what_videossr_eval_asks(run, results, viubench, tiny_model, tmp_path):
    """Greedy answers of a tiny model flip with the last bit of a logit; over most questions they show equal prompts."""
    file = viubench / "viubench" / "test.parquet"
    settings = EvalSettings(str(tiny_model), str(file), stored_data_root(file.parent), str(tmp_path / "eval"))
    evaluate(settings)
    ours = read_answers(tmp_path / "eval" / "answers.jsonl")
    samples = _samples(run, results, "viubench")
    assert sum(ours[i] == samples[i]["filtered_resps"] for i in ours) >= 15


def test_a_second_run_asks_nothing_again(run, viubench, lmms_eval, tmp_path, results):
    state = tmp_path / "answers.jsonl"
    lines = (run / "answers.jsonl").read_text().splitlines(keepends=True)
    changed = [json.loads(line) | {"answer": "1,1,1"} for line in lines]
    state.write_text("".join(json.dumps(entry) + "\n" for entry in changed) + '{"key": "cut by a k')
    again = lmms_eval("viubench", tmp_path, environment={"VIUBENCH": str(viubench)}, state=state)
    assert again.returncode == 0, again.stderr[-2000:]
    assert {s["filtered_resps"] for s in results(tmp_path)[1]} == {"1,1,1"}
    assert "Loading safetensors" not in again.stderr  # not even the model is needed


def test_asked_of_another_model_or_in_another_way_it_is_another_question():
    request = SimpleNamespace(args=("When?", None, {"temperature": 0.0}, 3, "viubench", "test"))
    ways = [
        {},
        {"pretrained": "b"},
        {"prompts": "paper"},
        {"fps": 1.0},
        {"max_frames": 8},
        {"min_pixels": 784},
        {"max_pixels": 9**6},
    ]
    keys = [VideoModel(**{"pretrained": "a", **way})._key(request) for way in ways]
    assert len(set(keys)) == len(ways)
    assert VideoModel("a", state="answers.jsonl", batch_size=4)._key(request) == keys[0]


def test_other_models_of_lmms_eval_get_files(viubench, lmms_eval, tmp_path, results):
    """lmms-eval's own Qwen2.5-VL on CPU; it reads a file of each rendered video."""
    arguments = {"device": "cpu", "device_map": "cpu", "max_num_frames": 48, "max_pixels": 262144, "min_pixels": 16384}
    environment = {"VIUBENCH": str(viubench), "FORCE_QWENVL_VIDEO_READER": "decord"}
    finished = lmms_eval("viubench", tmp_path, model="qwen2_5_vl", environment=environment, **arguments)
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-3000:]
    found, samples = results(tmp_path)
    assert len(samples) == 18
    assert 0 <= found["viubench"]["All,none"] <= 100
    files = sorted((viubench / "rendered").glob("*.mp4"))
    rows = read_rows(viubench / "viubench" / "test.parquet")
    assert len(files) == len({json.dumps(video) for row in rows for video in row["videos"]})
    assert not list((viubench / "rendered").glob("*.partial"))


def test_a_rendered_file_shows_the_rendered_frames_at_their_times(viubench, tmp_path):
    root = stored_data_root(viubench / "viubench")
    row = next(r for r in read_rows(viubench / "viubench" / "test.parquet") if r["data_source"].endswith("mirror"))
    spec = VideoSpec.from_row(row["videos"][0])
    spec = replace(spec, video=f"{root}/{spec.video}".lstrip("/"))
    path = video_file(spec, tmp_path)
    assert video_file(spec, tmp_path) == path
    info = probe(path)
    assert info.pts == pytest.approx(spec.clock, abs=1e-3)
    ((frames, _),), _ = render([spec], [], "/", qwen2_5_vl.FACTOR)
    shown = decode(path, info.pts, (info.height, info.width)).astype(float)
    assert np.abs(shown - frames.permute(0, 2, 3, 1).numpy()).mean() < 3  # of 255: chroma is stored at half size


@pytest.mark.parametrize("folder", ["", "no/such/folder"])
def test_no_benchmark_is_one_sentence(folder, lmms_eval, tmp_path):
    finished = lmms_eval("viubench", tmp_path, environment={"VIUBENCH": folder})
    assert finished.returncode == 1
    assert f"VIUBENCH='{folder}' is not a folder of `videossr viubench build`: set it to one" in finished.stderr
