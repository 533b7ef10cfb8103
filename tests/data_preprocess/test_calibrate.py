"""What `videossr calibrate` tells of a corpus: by an own count of what de-duplication keeps, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from data_preprocess.build import BuildSettings, build
from data_preprocess.calibrate import CalibrateSettings, calibrate
from videossr_verl.cli import main
from videossr_verl.errors import BadInput
from videossr_verl.tiny.generated_videos import generate_frames, write_video
from videossr_verl.video.decode import decode
from videossr_verl.video.embedding import embed
from videossr_verl.video.probe import probe
from videossr_verl.video.size import target_size

PRESET = (
    "clip: {min_pixels: 784, max_pixels: 3136}\n"
    "tasks: {masked_video_prediction: {clip: {fps: 4}, difficulty: {num_key_frames: 6, num_masked: 2, "
    "num_distractors: 2KAPPA}}}\n"
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Three scenes of 4 seconds that move, one that stands still, and a file that is no video."""
    folder = tmp_path_factory.mktemp("calibrate")
    for seed in range(3):
        write_video(folder / f"moves_{seed}.mp4", generate_frames(np.random.default_rng(seed), 48, 12.0, 64, 80), 12)
    write_video(folder / "still.mp4", np.full((48, 64, 80, 3), 90, np.uint8), 12)
    (folder / "broken.mkv").write_bytes(b"not a video")
    return folder


@pytest.fixture(scope="module")
def settings(corpus):
    (corpus / "own.yaml").write_text(PRESET.replace("KAPPA", ""))
    return CalibrateSettings((str(corpus),), (str(corpus / "own.yaml"), "mvp"), "built_in", workers=2)


@pytest.fixture(scope="module")
def found(settings):
    return calibrate(settings)


def kept_naively(path, kappa):
    """(kept, all) frames at 4 a second: MVP's rule, and no two frames that are one picture."""
    info = probe(path)
    times = np.arange(0, info.duration - 1e-6, 0.25)
    frames = decode(path, times[: len(times) // 2 * 2], target_size(info.height, info.width, 784, 3136, 28))
    vectors = embed(frames).astype(np.float64)
    kept = [0]
    for i in range(1, len(frames)):
        difference = np.abs(frames[i].astype(float) - frames[kept[-1]]).mean()
        if round(float(vectors[i] @ vectors[kept[-1]]), 4) <= kappa and difference > 0.5:
            kept.append(i)
    return len(kept), len(frames)


def test_what_each_kappa_keeps(corpus, found):
    assert (found.videos, found.embedding, found.default) == (4, "built_in", 0.95)
    assert found.unusable == {"not_a_video": 1}
    assert found.kappas == tuple(sorted(found.kappas))
    assert found.default in found.kappas
    for kappa, kept in zip(found.kappas, found.kept, strict=True):
        counts = [kept_naively(path, kappa) for path in sorted(corpus.glob("*.mp4"))]
        assert sum(count for _, count in counts) == found.frames
        assert kept == pytest.approx(sum(count for count, _ in counts) / found.frames, abs=0.03)
    assert 0.5 < found.neighbours[0] <= found.neighbours[1] <= found.neighbours[2] == 1  # the still's


def test_what_each_kappa_lets_videos_carry(corpus, found, tmp_path):
    """As a build with that kappa says: it lists the videos that change too little."""
    # mvp wants 20 key frames of the 4 seconds, the own preset 8.
    assert all(more <= fewer for more, fewer in zip(found.carried["mvp"], found.carried["own"], strict=True))
    assert found.carried["mvp"] != found.carried["own"]
    for i in (0, len(found.kappas) - 1):
        kappa, carried = found.kappas[i], found.carried["own"][i]
        (tmp_path / f"{i}.yaml").write_text(PRESET.replace("KAPPA", f", embedding: built_in, kappa: {kappa}"))
        how = BuildSettings(
            (str(corpus),), str(tmp_path / str(i)), str(tmp_path / f"{i}.yaml"), test_share=0, workers=1
        )
        if carried:
            assert build(how)["videos"]["used"]["train"] == carried
        else:
            with pytest.raises(BadInput, match="possible are 0"):
                build(how)
    assert found.carried["own"][-1] == 3


def test_the_pairs_lie_in_their_rows_and_are_not_one_picture(found):
    edges = [*found.kappas, 1]
    assert any(found.rows)
    for low, high, row in zip(edges[:-1], edges[1:], found.rows, strict=True):
        assert all(low < pair.similarity <= high for pair in row)
        assert [pair.similarity for pair in row] == sorted(pair.similarity for pair in row)
        assert len({pair.video for pair in row}) == len(row)
        for pair in row:
            assert np.abs(pair.pictures[0].astype(float) - pair.pictures[1]).mean() > 0.5
            assert pair.times[0] < pair.times[1]
    assert not any(pair.video == "still.mp4" for row in found.rows for pair in row)


def test_other_kappas_and_fewer_videos(settings):
    close = calibrate(replace(settings, kappa=0.999, limit=2, workers=1))
    assert close.videos + sum(close.unusable.values()) == 2
    assert min(close.kappas) == pytest.approx(0.997)


def test_the_picture_and_the_table(corpus, settings, found, tmp_path, capsys):
    out = tmp_path / "pairs.png"
    options = ["--preset", settings.presets[0], "--preset", "mvp", "--embedding", "built_in", "--out", str(out)]
    assert main(["calibrate", str(corpus), *options, "--keep-embeddings", str(tmp_path / "kept")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (used,) = [line.split() for line in lines if line.startswith("0.95 ")]
    i = found.kappas.index(0.95)
    assert used == ["0.95", f"{found.kept[i]:.2f}", str(found.carried["own"][i]), "0"]
    assert "not used: 1 not_a_video" in lines
    picture = np.asarray(Image.open(out))
    assert picture.shape[1] == 1600
    assert (picture == (214, 69, 65)).all(axis=2).sum() > 300  # the row where the kappa in use begins
    assert len(list((tmp_path / "kept").rglob("*.npy"))) == 4 + 4  # at 4 frames a second, and at 1 for mvp


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--kappa", "1"], "kappa is 1.0, must be between 0 and 1"),
        (["--limit", "0"], "limit is 0, must be at least 1"),
        (["--preset", "videossr"], "no task of preset 'videossr' compares frames"),
        (["--out", "nowhere/pairs.png"], "cannot write the picture 'nowhere/pairs.png': there is no such folder"),
        (["--embedding", "built_in"], "none of the videos can be used: 1 not_a_video"),
    ],
)
def test_wrong_input_is_one_sentence(options, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.mkv").write_bytes(b"not a video")
    assert main(["calibrate", "broken.mkv", "--out", "pairs.png", *options]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("videossr: ")]
    assert len(error) == 1
    assert sentence in error[0]
    assert not (tmp_path / "pairs.png").exists()
