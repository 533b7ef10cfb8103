"""Benchmarks that lmms-eval lacks: annotations as their authors publish them, the real lmms-eval, the tiny model."""

import json
import shutil
from statistics import mean

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from videossr_verl.evaluate.lmms.benchmarks import benchmarks, task_folder
from videossr_verl.evaluate.lmms.figures import failures, score

TASKS = (
    "qvhighlights_val",
    "activitynet_captions_val",
    "tacos_test",
    "aotbench",
    "cvbench_cross_video",
    "vinoground_text",
)


@pytest.fixture(scope="module")
def benchmark_folder(videos, tmp_path_factory):
    """$VIDEO_BENCHMARKS with a few questions each; of TACoS' three videos one is missing and one is broken."""
    root = tmp_path_factory.mktemp("benchmarks")

    def add(benchmark, *names):
        for name, source in zip(names, videos, strict=False):
            path = root / benchmark / "videos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, path)
        return root / benchmark

    folder = add("qvhighlights", "NUs_210.0_360.0.mp4")
    rows = [
        {"qid": 1, "query": " A  girl cooks. ", "vid": "NUs_210.0_360.0", "relevant_windows": [[0, 4], [10, 30]]},
        {"qid": 2, "query": "A dog", "vid": "NUs_210.0_360.0", "relevant_windows": [[2, 40]]},
    ]
    (folder / "highlight_val_release.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    folder = add("activitynet", "v_one.mp4", "v_two.mp4")
    data = {
        "v_one": {"duration": 40, "timestamps": [[0, 10], [10, 40]], "sentences": ["First.", " Second."]},
        "v_two": {"duration": 40, "timestamps": [[5, 6.5]], "sentences": ["Third"]},
    }
    (folder / "val_2.json").write_text(json.dumps(data))

    folder = add("tacos", "s1-d1-cam-002.mp4")
    (folder / "videos" / "s2-d2-cam-002.mp4").write_bytes(b"not a video")
    rows = [
        {"qid": str(i), "vid": vid, "query": "He cuts it", "duration": 40.0, "relevant_windows": [[1.0, 20.0]]}
        for i, vid in enumerate(("s1-d1", "s2-d2", "s3-d3"))
    ]
    (folder / "test.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    folder = add("aotbench", "ReverseFilm/a.mp4".replace("/", "_"))
    for kind in ("ReverseFilm", "UCF101", "Rtime_t2v", "Rtime_v2t", "AoTBench_QA"):
        row = {"qa_idx": 0, "video_name": "videos/ReverseFilm_a.mp4", "question": "Forward?\nA. yes\nB. no", "ans": "A"}
        (folder / f"{kind}.json").write_text(json.dumps([row]))

    folder = add("cvbench", "1.mp4", "2.mp4", "3.mp4")
    rows = [
        {"id": 1, "task_type": "x", "question": "Which?", "options": ["A. one", "B. two"], "answer": "B"},
        {"id": 2, "task_type": "y", "question": "Same?", "options": ["Yes.", "No."], "answer": "Yes"},
    ]
    named = {"video_1": "1/1.mp4", "video_2": "1/2.mp4", "video_3": None, "video_4": None}
    table = pa.Table.from_pylist([rows[0] | named, rows[1] | named | {"video_3": "2/3.mp4"}])
    pq.write_table(table, folder / "test-00000-of-00001.parquet")

    folder = add("vinoground", "0_pos.mp4", "0_neg.mp4")
    rows = [
        {"idx": f"0_{side}", "video_name": f"vinoground_videos/0_{side}.mp4", "question": "A or B?", "GT": gt}
        for side, gt in (("pos", "A"), ("neg", "B"))
    ]
    (folder / "vinoground_textscore.json").write_text(json.dumps(rows))
    return root


@pytest.fixture(scope="module")
def run(benchmark_folder, lmms_eval, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    environment = {"VIDEO_BENCHMARKS": str(benchmark_folder)}
    finished = lmms_eval(",".join(TASKS), out, environment=environment, state=out / "answers.jsonl", prompts="paper")
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-3000:]
    return out


def test_every_question_is_asked_and_scored(run, results):
    found, samples = results(run)
    assert set(found) == set(TASKS)
    assert len(samples) == 2 + 3 + 3 + 5 + 2 + 2
    for task, key in (("aotbench", "accuracy"), ("cvbench_cross_video", "accuracy"), ("vinoground_text", "text_score")):
        assert 0 <= found[task][f"{key},none"] <= 100


def test_a_missing_and_a_broken_video_count_as_wrong_and_are_listed(run, results):
    found, samples = results(run)
    grounding = [s for s in samples if "mIoU" in s and s["mIoU"]["video"].endswith("cam-002")]
    assert [s["filtered_resps"] == "" for s in sorted(grounding, key=lambda s: s["doc_id"])] == [False, True, True]
    assert found["tacos_test"]["mIoU,none"] == pytest.approx(mean(s["mIoU"]["score"] for s in grounding))
    listed = {entry["doc_id"]: entry["error"] for entry in failures(run)}
    assert set(listed) == {1, 2}
    assert "s2-d2-cam-002.mp4" in listed[1]
    assert listed[2].startswith("FileNotFoundError: video 's3-d3-cam-002' of tacos is not in")


def _utils(kind):
    from lmms_eval.utils import import_function

    def get(name):
        return import_function(_Loader(task_folder() / kind / "x.yaml"), _Node(f"utils.{name}"))

    return get


class _Loader:
    """What lmms-eval's `!function` constructor is called with."""

    def __init__(self, path):
        self.name = str(path)

    def construct_scalar(self, node):
        return node.value


class _Node:
    def __init__(self, value):
        self.value = value


@pytest.mark.parametrize(
    ("answer", "iou", "parsed"),
    [
        ("The event happens in the 10.0 - 20.0 seconds", 50, 100),
        ("The event happens in 0.0 - 4.0", 100, 100),  # the first window
        ("20 - 10", 50, 100),
        ("10 - 30, or 0 - 4", 100, 100),
        ("00:10 - 00:20", 50, 100),
        ("", 0, 0),
        ("I do not know", 0, 0),
        ("7", 0, 0),
    ],
)
def test_grounding_by_hand(answer, iou, parsed):
    doc = {"video": "v", "windows": [[0.0, 4.0], [10.0, 30.0]]}
    figures = {name: value["score"] for name, value in _utils("grounding")("process_results")(doc, [answer]).items()}
    recalls = {f"R1@{t}": 100 * (iou >= 100 * t) for t in (0.3, 0.5, 0.7)}
    assert figures == pytest.approx({"mIoU": iou, "parsed": parsed} | recalls)


def test_choices_by_hand():
    process, pair = _utils("multiple_choice")("process_results"), _utils("multiple_choice")("process_pair")
    doc = {"answer": "Yes", "videos": ["v"], "kind": "k"}
    assert process(doc, ["YES."])["accuracy"]["score"] == 100
    assert process(doc, ["no"])["accuracy"]["score"] == 0
    doc = {"answer": "B", "videos": ["v"], "kind": "7"}
    right, wrong = pair(doc, ["(b)"])["text_score"], pair(doc, [""])["text_score"]
    assert _utils("multiple_choice")("both_right")([right, right, wrong | {"kind": "8"}, right | {"kind": "8"}]) == 50


def test_a_folder_that_is_not_there_is_one_sentence(lmms_eval, tmp_path):
    finished = lmms_eval("tacos_test", tmp_path, environment={"VIDEO_BENCHMARKS": str(tmp_path)})
    assert finished.returncode == 1
    assert f"'{tmp_path}/tacos' is not there: put the annotations and videos of tacos into it" in finished.stderr


def test_the_figures_of_the_table_are_those(run, results, tmp_path):
    """One folder a task, as recipes/benchmarks.sh writes them; here all tasks in one run."""
    found, samples = results(run)
    of_task = {b.tasks[0]: b for b in benchmarks().values()}
    grounding = [s for s in samples if "mIoU" in s and s["mIoU"]["video"].startswith("v_")]
    folder = tmp_path / "activitynet_captions_val"
    folder.mkdir()
    counts = {"original": len(grounding), "effective": len(grounding)}
    data = {"results": found, "n-samples": {"activitynet_captions_val": counts}}
    (folder / "1_results.json").write_text(json.dumps(data))
    lines = "".join(json.dumps(s) + "\n" for s in grounding)
    (folder / "1_samples_activitynet_captions_val.jsonl").write_text(lines)
    scored = score(of_task["activitynet_captions_val"], folder)
    task = found["activitynet_captions_val"]
    assert scored.value == pytest.approx(task["mIoU,none"])
    assert scored.recalls == pytest.approx([task[f"R1@{t},none"] for t in (0.3, 0.5, 0.7)])
    assert (scored.samples, scored.failed) == (3, 0)
