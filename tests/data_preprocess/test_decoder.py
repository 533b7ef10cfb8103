"""The decoder is chosen once, at the build; whoever shows the rows uses the same."""

import numpy as np
import pytest

from data_preprocess.build import build
from data_preprocess.build_settings import BuildSettings
from videossr_verl.cli import main
from videossr_verl.prompt.render import render
from videossr_verl.rows.dataset_folder import read_rows
from videossr_verl.video.decode import decode
from videossr_verl.video.frame_cache import FrameCache
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.size import target_size
from videossr_verl.video.specs import VideoSpec

MIX = {"temporal_jigsaw": 3.0, "object_counting": 3.0}


def test_rows_are_shown_by_the_decoder_that_built_them(corpus_folder, tmp_path):
    pytest.importorskip("decord")
    rows, decoders = {}, {}
    for decoder in ("pyav", "decord"):
        out = str(tmp_path / decoder)
        settings = BuildSettings((str(corpus_folder),), out, "videossr_tiny", mix=MIX, test_count=0, decoder=decoder)
        decoders[decoder] = build(settings)["tasks"]["temporal_jigsaw"]["clip"]["decoder"]
        rows[decoder] = read_rows(f"{out}/train.parquet")
    assert decoders == {"pyav": "pyav", "decord": "decord"}
    # The same questions, as far as both show the same frames.
    assert [r["extra_info"]["seed"] for r in rows["pyav"]] == [r["extra_info"]["seed"] for r in rows["decord"]]
    spec = next(VideoSpec.from_row(v) for r in rows["decord"] for v in r["videos"] if v["transform"] == "{}")
    size = target_size(spec.height, spec.width, spec.min_pixels, spec.max_pixels, 28)
    theirs, ours = (decode(corpus_folder / spec.video, spec.times, size, name) for name in ("decord", "pyav"))
    assert not np.array_equal(theirs, ours)
    for cache in (None, FrameCache(tmp_path / "cache", 1e9)):
        ((shown, _),), _ = render([spec], [], corpus_folder, 28, cache)
        np.testing.assert_array_equal(shown.numpy().transpose(0, 2, 3, 1), theirs)


def test_a_decoder_that_nobody_knows(corpus_folder, tmp_path, capsys):
    assert main(["build", str(corpus_folder), "--out", str(tmp_path / "out"), "--decoder", "opencv"]) == 2
    assert "--decoder: decoder must be one of pyav, decord, got 'opencv'" in capsys.readouterr().err
    row = VideoSpec("v.mp4", (0.0, 1.0), (0.0, 1.0), 64, 48, 1, 10_000, "temporal_jigsaw").to_row()
    with pytest.raises(VideoRejected, match="names the decoder 'opencv'; known ones: pyav, decord"):
        VideoSpec.from_row(row | {"decoder": "opencv"})
    assert VideoSpec.from_row(row | {"decoder": None}).decoder == "pyav"
