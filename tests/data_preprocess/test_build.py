"""Whole builds: what stands in the files, the same bytes under all circumstances, and wrong input."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_preprocess import build as build_module
from data_preprocess.build import FILES, BuildSettings, build
from data_preprocess.run_local import run_isolated
from data_preprocess.work_folder import NAME as WORK_NAME
from data_preprocess.work_folder import open_work_folder, remove_work_folder
from reward_fns import compute_score
from videossr_verl.errors import BadInput
from videossr_verl.files.one_writer import HOLDER
from videossr_verl.prompt.render import render
from videossr_verl.prompt.tokens import PromptTokenCounter, load_processor
from videossr_verl.rows.schema import SCHEMA
from videossr_verl.tiny.model import build_processor
from videossr_verl.tiny.tokenizer import train_tokenizer
from videossr_verl.video.specs import VideoSpec

TINY = {"preset": "videossr_tiny", "count": 24, "test_count": 6, "test_share": 0.3}
DATA = ("train.parquet", "test.parquet", "rejected.jsonl")  # dataset.json tells the data root


def files(folder, names=FILES):
    return {name: (Path(folder) / name).read_bytes() for name in names}


def read(folder):
    return {split: pq.read_table(folder / f"{split}.parquet").to_pylist() for split in ("train", "test")}


def lines(folder):
    return [json.loads(line) for line in (folder / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]


def test_rows_have_verls_schema_and_the_counts(dataset_folder):
    rows = read(dataset_folder)
    info = json.loads((dataset_folder / "dataset.json").read_text())
    assert pq.read_schema(dataset_folder / "train.parquet").equals(SCHEMA)
    assert {s: len(r) for s, r in rows.items()} == info["samples"] == {"train": 24, "test": 6}
    for split, split_rows in rows.items():
        for index, row in enumerate(split_rows):
            extra = row["extra_info"]
            assert (extra["index"], extra["split"], extra["preset"]) == (index, split, "videossr_tiny")
            assert row["data_source"] == f"videossr/{extra['task']}"
            assert [m["role"] for m in row["prompt"]] == ["system", "user"]
            assert row["prompt"][1]["content"].count("<video>") == len(row["videos"])
            assert row["prompt"][1]["content"].count("<image>") == len(row["images"]) == 0
            assert row["reward_model"]["style"] == "rule"
            knobs = json.loads(extra["difficulty"])
            assert len({t for v in row["videos"] for t in v["times"]}) <= knobs["num_frames"]
            assert extra["num_prompt_tokens"] == "{}"
    for task, numbers in info["tasks"].items():
        assert numbers["samples"] == {s: sum(r["extra_info"]["task"] == task for r in rows[s]) for s in rows}
        chances = [
            compute_score(r["data_source"], "", r["reward_model"]["ground_truth"], r["extra_info"])["chance"]
            for s in rows
            for r in rows[s]
            if r["extra_info"]["task"] == task
        ]
        assert numbers["chance"] == pytest.approx(np.mean(chances), abs=1e-6)


def test_tasks_and_videos_are_mixed(dataset_folder):
    train = read(dataset_folder)["train"]
    for key, kinds in (("task", 4), ("video_id", 4)):
        values = [row["extra_info"][key] for row in train]
        repeats = np.mean([a == b for a, b in itertools.pairwise(values)])
        assert repeats < 2 / kinds, f"neighbours often share their {key}"


def test_splits_share_no_video_and_no_content(dataset_folder):
    rows = read(dataset_folder)
    ids = {split: {r["extra_info"]["video_id"] for r in split_rows} for split, split_rows in rows.items()}
    names = {split: {v["video"] for r in split_rows for v in r["videos"]} for split, split_rows in rows.items()}
    assert not ids["train"] & ids["test"]
    assert not names["train"] & names["test"]
    assert len(ids["train"]) == 4
    assert len(ids["test"]) == 2


def test_every_row_can_be_shown_and_answered(dataset_folder, corpus_folder):
    for row in read(dataset_folder)["test"]:
        specs = [VideoSpec.from_row(v) for v in row["videos"]]
        for spec, (frames, _) in zip(specs, render(specs, [], corpus_folder, 28)[0], strict=True):
            assert frames.shape[0] == len(spec.times)
        truth = row["reward_model"]["ground_truth"]
        assert compute_score(row["data_source"], truth, truth, row["extra_info"])["acc"] == 1


def test_every_unused_video_is_listed(dataset_folder):
    unused = {line["video"]: line for line in lines(dataset_folder) if "task" not in line}
    assert unused["broken.mkv"]["reason"] == "not_a_video"
    assert unused["zz_copy.mp4"]["duplicate_of"] == "generated_000.mp4"
    used = {v["video"] for rows in read(dataset_folder).values() for r in rows for v in r["videos"]}
    assert "sub folder/Ünï cödé.mp4" in used
    assert len(used | set(unused)) == 8
    assert not used & set(unused)


def test_same_bytes_for_any_workers_and_place(dataset_folder, corpus_folder, tmp_path):
    moved = tmp_path / "elsewhere" / "corpus"
    shutil.copytree(corpus_folder, moved)
    for name in ("zz_copy.mp4", "generated_003.mp4"):  # other times, as after a download
        os.utime(moved / name, (1, 1))
    build(BuildSettings((f"{moved}/**/*.mkv", str(moved)), str(tmp_path / "out"), workers=1, **TINY))
    assert files(tmp_path / "out", DATA) == files(dataset_folder, DATA)
    descriptions = [json.loads((f / "dataset.json").read_text()) for f in (dataset_folder, tmp_path / "out")]
    assert descriptions[0]["fingerprint"] == descriptions[1]["fingerprint"]
    assert str(tmp_path).encode() not in b"".join(files(tmp_path / "out", DATA).values())


def test_same_dataset_wherever_one_stands(corpus_folder, tmp_path, monkeypatch):
    """Also recognised there when it is finished."""
    folder, few = corpus_folder.parent, {"preset": "videossr_tiny", "mix": {"temporal_jigsaw": 2}, "test_count": 1}
    out = str(tmp_path / "out")
    monkeypatch.chdir(folder)
    result = build(BuildSettings((corpus_folder.name,), out, data_root=f"./{corpus_folder.name}/", **few))
    assert result["data_root"] == str(corpus_folder)
    monkeypatch.chdir(corpus_folder / "sub folder")
    assert build(BuildSettings((f"../../{corpus_folder.name}",), out, data_root="..", **few)) == result
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "again"), data_root="..", **few))
    assert files(tmp_path / "again") == files(out)


def test_seed_changes_samples_but_not_the_split(dataset_folder, corpus_folder, tmp_path):
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), seed=1, **TINY))
    ours, other = read(dataset_folder), read(tmp_path / "out")
    assert ours["train"] != other["train"]
    assert {r["extra_info"]["video_id"] for r in ours["test"]} == {r["extra_info"]["video_id"] for r in other["test"]}


def start_build(corpus, out):
    command = [
        sys.executable,
        "-m",
        "videossr_verl.cli",
        "build",
        str(corpus),
        "--out",
        str(out),
        "--workers",
        "1",
    ]
    command += ["--preset", "videossr_tiny", "--count", "24", "--test-count", "6", "--test-share", "0.3"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killed_again_and_again_it_ends_with_the_same_bytes(dataset_folder, corpus_folder, tmp_path):
    """SIGKILL as soon as so many pieces are stored: 8 of probing, 6 of signing, 6 of drawing, then the files."""
    out, kills = tmp_path / "out", 0
    for enough in (1, 5, 8, 11, 15, 21):
        process = start_build(corpus_folder, out)
        while process.poll() is None:
            work = out / WORK_NAME
            if len(list(work.rglob("*.json"))) + len(list(work.glob("*.parquet"))) >= enough:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                assert not (out / "dataset.json").exists()
                break
            time.sleep(0.002)
    assert kills >= 4
    assert start_build(corpus_folder, out).wait() == 0
    assert files(out) == files(dataset_folder)
    assert sorted(p.name for p in out.iterdir()) == sorted(FILES)


KILLED_AT_THE_END = """
import os, signal, sys
from data_preprocess import build
build.remove_work_folder = lambda out: os.kill(os.getpid(), signal.SIGKILL)
build.build(build.BuildSettings((sys.argv[1],), sys.argv[2], "videossr_tiny", count=24, test_count=6, test_share=0.3))
"""


def test_killed_right_after_its_last_step_it_leaves_nothing_to_the_next(dataset_folder, corpus_folder, tmp_path):
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_THE_END, str(corpus_folder), str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert {path.name for path in out.iterdir()} == {*FILES, WORK_NAME, HOLDER}
    build(BuildSettings((str(corpus_folder),), str(out), **TINY))
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert files(out) == files(dataset_folder)


def test_killed_between_two_renames(dataset_folder, corpus_folder, tmp_path, monkeypatch):
    settings = BuildSettings((str(corpus_folder),), str(tmp_path / "out"), **TINY)

    def stop_after_first(folder, out):
        os.replace(folder / FILES[0], out / FILES[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build_module, "_publish", stop_after_first)
        with pytest.raises(KeyboardInterrupt):
            build(settings)
    build(settings)
    assert files(tmp_path / "out") == files(dataset_folder)


def test_finished_work_is_not_done_twice(dataset_folder, corpus_folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    settings = BuildSettings((str(corpus_folder),), str(out), **TINY)
    with monkeypatch.context() as patch:
        patch.setattr(build_module, "_publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(settings)
    monkeypatch.setattr(build_module, "run_isolated", lambda function, jobs, **_: [1 / 0 for _ in jobs])
    build(settings)
    assert files(out) == files(dataset_folder)


def test_finished_dataset_is_recognised_and_another_one_kept(dataset_folder, corpus_folder, monkeypatch):
    before = files(dataset_folder)
    monkeypatch.setattr(build_module, "probe_corpus", None)
    build(BuildSettings((str(corpus_folder),), str(dataset_folder), **TINY))
    with pytest.raises(BadInput, match="holds another dataset"):
        build(BuildSettings((str(corpus_folder),), str(dataset_folder), **TINY | {"count": 25}))
    assert files(dataset_folder) == before


def test_a_second_build_into_the_same_folder_is_refused(corpus_folder, tmp_path):
    with open_work_folder(tmp_path / "out"), pytest.raises(BadInput, match=r"a build of .* writes to"):
        build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), **TINY))


def test_a_crashing_decoder_costs_only_its_video(corpus_folder, tmp_path, monkeypatch, worker_functions):
    monkeypatch.setattr("data_preprocess.probe_corpus.probe_one", worker_functions.probe_or_crash)
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), **TINY | {"count": 9, "test_count": 3}))
    reasons = {line["video"]: line["reason"] for line in lines(tmp_path / "out")}
    assert reasons["generated_001.mp4"] == "decoder_crashed"
    used = {v["video"] for rows in read(tmp_path / "out").values() for r in rows for v in r["videos"]}
    assert len(used) == 5


def test_default_counts_mix_and_no_test(corpus_folder, tmp_path):
    result = build(BuildSettings((str(corpus_folder),), str(tmp_path / "a"), "videossr_tiny"))
    assert result["samples"] == {"train": 20, "test": 4}  # five videos and one, four tasks
    mix = {"temporal_jigsaw": 2, "object_counting": 3}
    result = build(BuildSettings((str(corpus_folder),), str(tmp_path / "b"), "videossr_tiny", mix=mix, test_count=0))
    assert {t: n["samples"]["train"] for t, n in result["tasks"].items()} == mix
    assert result["samples"]["test"] == 0
    assert pq.read_table(tmp_path / "b" / "test.parquet").num_rows == 0


def test_repeats_come_last_and_are_told(corpus_folder, tmp_path):
    """Three clips have five wrong orders, so 40 samples from five videos must repeat some."""
    settings = BuildSettings(
        (str(corpus_folder),),
        str(tmp_path / "out"),
        "videossr_tiny",
        mix={"temporal_jigsaw": 40},
        test_count=0,
    )
    numbers = build(settings)["tasks"]["temporal_jigsaw"]
    assert numbers["samples"]["train"] == 40
    assert 20 <= numbers["distinct_samples"]["train"] <= 30


def test_counts_that_cannot_be_met(corpus_folder, tmp_path):
    preset = tmp_path / "long.yaml"
    preset.write_text(
        "clip: {num_frames: 8, min_pixels: 784, max_pixels: 3136}\n"
        "tasks:\n"
        "  anomaly_grounding: {difficulty: {min_length: 8, max_length: 8}}\n"
        "  temporal_jigsaw: {difficulty: {num_clips: 3}}\n"
    )
    out = tmp_path / "out"
    with pytest.raises(BadInput, match="are 0 of 6 train samples of anomaly_grounding"):
        build(BuildSettings((str(corpus_folder),), str(out), str(preset), count=12))
    assert [p.name for p in out.iterdir()] == [WORK_NAME]
    remove_work_folder(out)
    result = build(BuildSettings((str(corpus_folder),), str(out), str(preset)))
    assert result["samples"] == {"train": 5, "test": 1}
    assert re.search(r"in preset \w+ would work for 6 of the 6 videos tried", result["left_out"]["anomaly_grounding"])


def test_no_video_is_decoded_twice_and_none_without_need(corpus_folder, tmp_path, monkeypatch):
    decoded = []

    def spy(function, jobs, **options):
        for job, outcome in run_isolated(function, jobs, **options):
            decoded.extend([job.video] if function.__name__ == "draw_samples" else [])
            yield job, outcome

    monkeypatch.setattr(build_module, "run_isolated", spy)
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "many"), **TINY | {"count": 60}))
    assert len(decoded) == len(set(decoded)) == 6
    decoded.clear()
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "few"), **TINY | {"count": 2, "test_count": 1}))
    assert len(decoded) == len(set(decoded)) == 3
    assert sum(line["reason"] == "not_needed" for line in lines(tmp_path / "few")) == 3


def test_no_usable_video_leaves_nothing(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "videos" / name).write_bytes(b"junk")
    (tmp_path / "videos" / "c.mp4").touch()
    with pytest.raises(BadInput, match=re.escape("none of the 3 videos is usable: 2 not_a_video, 1 empty_file")):
        build(BuildSettings((str(tmp_path / "videos"),), str(tmp_path / "out"), "videossr_tiny"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"count": 0}, "count is 0"),
        ({"test_count": -1}, "test count is -1"),
        ({"workers": 0}, "workers is 0"),
        ({"test_share": 1.0}, "a test share of 1 makes no train samples"),
        ({"test_share": 0.0, "test_count": 3}, "test share of 0"),
        ({"mix": {"object_counting": 0.5}}, "needs a count"),
    ],
)
def test_wrong_settings(wrong, sentence):
    with pytest.raises(BadInput, match=sentence):
        BuildSettings(("videos",), "out", **wrong)


def test_without_a_test_set_it_is_told_how_to_train(corpus_folder, tmp_path, capsys):
    result = build(BuildSettings((str(corpus_folder / "generated_000.mp4"),), str(tmp_path / "out"), "videossr_tiny"))
    assert result["samples"] == {"train": 4, "test": 0}
    said = capsys.readouterr().err
    assert "note: there is no test set, since only one video is usable; to train, give another dataset's" in said
    assert "trainer.val_before_train=False trainer.test_freq=-1" in said


def test_one_video_cannot_train_and_test(corpus_folder, tmp_path):
    settings = BuildSettings((str(corpus_folder / "generated_000.mp4"),), str(tmp_path / "out"), **TINY)
    with pytest.raises(BadInput, match="from 1 train and 0 test videos"):
        build(settings)


def test_a_sample_costs_less_than_6_kb(real_clips, tmp_path):
    """The paper's setting on real clips; no pixel is written."""
    sources = tuple(map(str, real_clips.values()))
    result = build(BuildSettings(sources, str(tmp_path / "out"), count=15, test_count=5, test_share=0.3))
    sizes = {s: (tmp_path / "out" / f"{s}.parquet").stat().st_size for s in ("train", "test")}
    assert sum(sizes.values()) / sum(result["samples"].values()) <= 6000


def test_swap_borrows_from_the_same_split(corpus_folder, tmp_path):
    preset = tmp_path / "swap.yaml"
    preset.write_text(
        "clip: {num_frames: 8, fps: 4, min_pixels: 784, max_pixels: 3136}\n"
        "tasks: {anomaly_grounding: {difficulty: {perturbations: [swap], min_length: 2, max_length: 4}}}\n"
    )
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), str(preset), test_share=0.3))
    for rows in read(tmp_path / "out").values():
        own = {v["video"] for r in rows for v in r["videos"]}
        for row in rows:
            (video,) = row["videos"]
            lender = json.loads(video["transform"])["source"]["video"]
            assert lender in own - {video["video"]}


def test_prompt_lengths_are_counted_for_each_model(corpus_folder, tmp_path):
    tokenizer = train_tokenizer(["Count the shapes."] * 4, 400)
    counters = []
    for family in ("qwen2_5_vl", "qwen3_vl"):
        build_processor(family, tokenizer).save_pretrained(tmp_path / family)
        counters.append(PromptTokenCounter(load_processor(str(tmp_path / family))))
    models = (str(tmp_path / "qwen2_5_vl"), str(tmp_path / "qwen3_vl"))
    result = build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), models=models, **TINY))
    rows = [row for split in read(tmp_path / "out").values() for row in split]
    for counter in counters:
        keys = [counter.row_key(row["prompt"], row["videos"]) for row in rows]
        counts = [json.loads(row["extra_info"]["num_prompt_tokens"]) for row in rows]
        stored = [count[key] for count, key in zip(counts, keys, strict=True)]
        assert stored == [counter.count(row["prompt"], row["videos"]) for row in rows]
        numbers = result["num_prompt_tokens"][counter.key]
        assert (numbers["min"], numbers["max"]) == (min(stored), max(stored))


def test_ray_gives_the_same_bytes(dataset_folder, corpus_folder, tmp_path):
    ray = pytest.importorskip("ray")
    try:
        build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), ray_address="local", **TINY))
    finally:
        ray.shutdown()
    assert files(tmp_path / "out") == files(dataset_folder)
