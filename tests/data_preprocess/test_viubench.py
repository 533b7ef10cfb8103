"""VIUBench from real builds: as many of each subtype, the same bytes, never from training videos."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from data_preprocess.build import BuildSettings, build
from data_preprocess.viubench import BenchmarkSettings, build_viubench
from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.baselines import baselines
from videossr_verl.evaluate.viubench.score import COLUMNS, score
from videossr_verl.tasks.presets import load_preset
from videossr_verl.tiny.generated_videos import generate_frames, generate_videos, write_video


@pytest.fixture(scope="module")
def heldout(tmp_path_factory):
    """Ten videos of five seconds."""
    folder = tmp_path_factory.mktemp("heldout")
    generate_videos(folder, 10, seed=9, seconds=5)
    return folder


@pytest.fixture(scope="module")
def bench(heldout, tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "out"
    how = BuildSettings((str(heldout),), str(out), embedding="built_in")
    build_viubench(BenchmarkSettings(how, samples=6))
    return out


def rows_of(bench):
    return pq.read_table(bench / "viubench" / "test.parquet").to_pylist()


def test_the_papers_subtypes():
    preset = load_preset("viubench")
    assert list(preset.subsets) == list(COLUMNS)
    jigsaws = [preset.subsets[name].difficulty for name in ("jigsaw_6", "jigsaw_8")]
    assert [(j.num_clips, j.margin, j.view) for j in jigsaws] == [(6, 0, 1), (8, 0, 1)]
    for subset in preset.subsets.values():
        assert (subset.clip.num_frames, subset.clip.max_pixels) == (48, 512 * 512)
    changes = [s.difficulty.perturbations for n, s in preset.subsets.items() if n.startswith("grounding")]
    assert changes == [("channel_swap",), ("rotate_180",), ("zoom_out",), ("mirror",), ("shuffle",)]


def test_as_many_of_each(bench):
    rows = rows_of(bench)
    assert Counter(row["data_source"].split("/")[2] for row in rows) == dict.fromkeys(COLUMNS, 6)
    assert [row["extra_info"]["index"] for row in rows] == list(range(54))
    assert pq.read_table(bench / "viubench" / "train.parquet").num_rows == 0
    description = json.loads((bench / "viubench.json").read_text())
    assert description["parts"]["viubench"] == dict.fromkeys(COLUMNS, 6)
    assert len(description["files"]["viubench/test.parquet"]) == 64


def test_the_same_bytes_again(bench, heldout, tmp_path):
    again = build_viubench(BenchmarkSettings(BuildSettings((str(heldout),), str(tmp_path / "b"), workers=1), samples=6))
    assert again["files"] == json.loads((bench / "viubench.json").read_text())["files"]


def test_training_videos_are_refused_by_their_content(heldout, bench, tmp_path):
    """In whatever bytes: one is trimmed and encoded anew."""
    (tmp_path / "trained").mkdir()
    shutil.copy(heldout / "generated_003.mp4", tmp_path / "trained" / "another name.mp4")
    frames = generate_frames(np.random.default_rng([9, 5]), 60, 12)
    write_video(tmp_path / "trained" / "trimmed.mp4", frames[7:], 12)
    trained = tmp_path / "dataset"
    settings = BuildSettings(
        (str(tmp_path / "trained"),), str(trained), "videossr_tiny", mix={"temporal_jigsaw": 2}, test_count=0
    )
    build(settings)
    how = BuildSettings((str(heldout),), str(tmp_path / "out"))
    sentence = (
        r"2 of 10 videos are shown by another dataset too: 'generated_003.mp4' .*; so are 'generated_005.mp4'; give"
    )
    with pytest.raises(BadInput, match=sentence):
        build_viubench(BenchmarkSettings(how, training=(str(trained),), samples=1))
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadInput, match="'nowhere' does not exist or is no dataset; make it with videossr build"):
        build_viubench(BenchmarkSettings(how, training=("nowhere",), samples=1))


def test_the_generators_have_the_papers_label_distribution(bench):
    """Whole videos earn the mean length of a segment; the labels of counting lie within 1..9 and 1..16."""
    rows = rows_of(bench)
    by_subset = {}
    for row in rows:
        by_subset.setdefault(row["data_source"].split("/")[2], []).append(row["reward_model"]["ground_truth"])
    for subset, most in (("counting_easy", 9), ("counting_hard", 16)):
        counts = [int(n) for truth in by_subset[subset] for n in truth.split(",")]
        assert 1 <= min(counts) <= max(counts) <= most
    whole = [c.value for c in score(rows, baselines(rows)["whole video"]) if c.subset.startswith("grounding")]
    assert np.mean(whole) == pytest.approx(25, abs=3)
    assert {len(t) for t in by_subset["jigsaw_6"]} == {6}
    assert {len(t) for t in by_subset["jigsaw_8"]} == {8}


def test_the_commands(bench, tmp_path, capsys):
    answers = baselines(rows_of(bench))["uniform guess"]
    (tmp_path / "answers.jsonl").write_text(
        "".join(json.dumps({"id": i, "answer": a}) + "\n" for i, a in answers.items())
    )
    command = ["viubench", "score", str(bench), "--answers", str(tmp_path / "answers.jsonl"), "--name", "guesser"]
    assert main([*command, "--out", str(tmp_path / "scores")]) == 0
    shown = capsys.readouterr().out
    assert "| VideoSSR-8B (published) |" in shown
    assert "| **guesser** |" in shown
    assert "| **uniform guess** |" in shown
    data = json.loads((tmp_path / "scores" / "viubench.json").read_text())
    of = {entry["model"]: {c["name"]: c["value"] for c in entry["columns"]} for entry in data}
    assert set(of) == {"uniform guess", "best constant", "whole video", "best rule without learning", "guesser"}
    rules = of["best rule without learning"]
    assert rules["JigE"] == rules["JigH"] == 100  # five seconds of video: clips follow each other seamlessly
    assert all(rules[change] > 80 for change in ("Chan", "Rot", "Mirror", "ZoomOut"))
    assert main(["viubench", "score", str(tmp_path), "--answers", "x"]) == 2
    assert "make it with videossr build or videossr viubench build" in capsys.readouterr().err
    copy = tmp_path / "copy"
    shutil.copytree(bench, copy)
    (copy / "viubench" / "best_rules.json").unlink()
    assert main(["viubench", "score", str(copy), *command[3:]]) == 0
    captured = capsys.readouterr()
    assert "best rule without learning" not in captured.out
    assert "no answers of rules to these questions" in captured.err
    assert main(["viubench", "build", str(tmp_path / "no"), "--out", str(tmp_path / "o")]) == 2


def test_masked_video_prediction_is_scored_apart(bench, tmp_path_factory, tmp_path, capsys):
    videos = tmp_path_factory.mktemp("long videos")
    generate_videos(videos, 3, seed=4, seconds=40)
    out = tmp_path / "bench"
    command = [
        "viubench",
        "build",
        str(videos),
        "--out",
        str(out),
        "--mvp",
        "--embedding",
        "built_in",
        "--samples",
        "2",
    ]
    model = Path(__file__).parent.parent.parent / "recipes" / "tiny" / "qwen2_5_vl"
    assert main([*command, "--model", str(model)]) == 0
    capsys.readouterr()
    rows = {part: pq.read_table(out / part / "test.parquet").to_pylist() for part in ("viubench", "mvp")}
    assert all(json.loads(r["extra_info"]["num_prompt_tokens"]) for part in rows.values() for r in part)
    for part, of_part in rows.items():
        lines = [{"id": r["extra_info"]["index"], "answer": r["reward_model"]["ground_truth"]} for r in of_part]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[1:]))
    command = ["viubench", "score", str(out), "--answers", str(tmp_path / "viubench.jsonl"), "--name", "all right"]
    command += ["--mvp-answers", str(tmp_path / "mvp.jsonl"), "--out", str(tmp_path / "scores")]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.index("| **all right** |") < shown.index("all right: reward by subset")
    found = json.loads((tmp_path / "scores" / "viubench.json").read_text())[-1]
    assert found["means"]["All"] == pytest.approx(100 * 8.5 / 9)  # one of 18 answers is missing
    assert not any("mvp" in column["subset"] for column in found["columns"])
    mvp = json.loads((tmp_path / "scores" / "mvp.json").read_text())
    assert {s["subset"].split("/")[1] for s in mvp["subsets"]} == {"mvp_easy", "mvp", "mvp_hard"}
    assert sum(s["missing"] for s in mvp["subsets"]) == 1
    assert mvp["mean_reward"] == pytest.approx(5 / 6)
    assert "| **mean** | 0.833 |" in (tmp_path / "scores" / "mvp.md").read_text()
