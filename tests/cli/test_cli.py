import os
import subprocess
import sys

import pytest

from videossr_verl.cli import main


def test_help_teaches_and_imports_nothing_heavy():
    code = "import sys; from videossr_verl.cli import main\n"
    code += "try: main(['build', '--help'])\nexcept SystemExit: pass\n"
    code += "print('HEAVY', [m for m in ('numpy', 'cv2', 'torch', 'av', 'transformers') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "HEAVY []" in shown
    for words in ("videossr build videos/ --out", "train.parquet", "rejected.jsonl", "--ray-address"):
        assert words in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "--out", "x"], "'nowhere' does not exist"),
        ([".", "--out", "x", "--preset", "nonsense"], "unknown preset 'nonsense'"),
        ([".", "--out", "x", "--mix", "nonsense=1"], "unknown task 'nonsense'"),
        ([".", "--out", "x", "--count", "0"], "count is 0"),
        ([".", "--out", "x"], "holds no video file"),
        (["v.mp4", "--out", "x", "--embedding", "built_in"], "--embedding is of no use: no task of preset 'videossr'"),
        (["v.mp4", "--out", "x", "--preset", "mvp", "--embedding", "no/clip"], "'no/clip' is neither 'built_in' nor"),
        (["v.mp4", "--out", "x", "--preset", "mvp", "--embedding", "clip"], "clip' is neither 'built_in' nor"),
        (["v.mp4", "--out", "x", "--held-out-from", "clip"], "'clip' does not exist or is no dataset"),
        (["v.mp4", "--out", "x", "--model", "nowhere/at/all/x"], "no processor can be loaded"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(arguments, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip").mkdir()
    assert main(["build", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("videossr: ")
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_build_then_inspect(tmp_path, capsys):
    from videossr_verl.tiny.generated_videos import generate_videos

    generate_videos(tmp_path / "videos", 2, seed=3, seconds=2.5)
    out = tmp_path / "data"
    options = ["--preset", "videossr_tiny", "--count", "4", "--test-count", "4", "--workers", "1"]
    assert main(["build", str(tmp_path / "videos"), "--out", str(out), *options]) == 0
    shown = capsys.readouterr().out
    assert "4 train and 4 test samples" in shown
    assert "chance 0.4" in shown
    assert main(["inspect", str(out), "--out", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_interrupt_ends_with_130(monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_preprocess.build.build", interrupt)
    assert main(["build", "videos", "--out", "x"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["build", "parity", "eval", "probe"])
def test_without_the_cpu_platform_its_variable_is_told(verb, corpus_folder, dataset_folder, tiny_model, tmp_path):
    data, out = ["--data", str(dataset_folder / "test.parquet")], ["--out", str(tmp_path / "out")]
    arguments = {"build": [str(corpus_folder), *out], "parity": [], "eval": [*data, *out], "probe": data}[verb]
    command = [sys.executable, "-m", "videossr_verl.cli", verb, *arguments, "--model", str(tiny_model)]
    environment = {name: value for name, value in os.environ.items() if name != "VERL_PLATFORM"}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1] == (
        "videossr: torchvision cannot be loaded: on a machine without a GPU, set VERL_PLATFORM=cpu"
    )
    assert not list(tmp_path.glob("out/*.parquet"))
