"""Which stream of a file is the film, and what is no video's fault."""

import os

import av
import numpy as np
import pytest

from data_preprocess.build import BuildSettings, build
from data_preprocess.corpus import find_videos
from videossr_verl.video.container import CONTAINERS
from videossr_verl.video.decode import decode
from videossr_verl.video.probe import RejectReason, VideoRejected, probe
from videossr_verl.video.rejected import DecoderError, reading
from videossr_verl.video.suffixes import VIDEO_SUFFIXES

STILL = ("mjpeg", "yuvj420p", (64, 64), 1)
SMALL = ("libx264", "yuv420p", (48, 64), 25)
FILM = ("libx264", "yuv420p", (96, 128), 25)
PNG = ("png", "rgb24", (64, 64), 1)


def write_streams(path, streams, default):
    """A file with these streams (codec, pix_fmt, (H, W), frames); `default` is the number of the one marked so."""
    with av.open(str(path), "w") as container:
        opened = []
        for number, (codec, pix_fmt, size, frames) in enumerate(streams):
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = size
            stream.pix_fmt = pix_fmt
            if default is not None:
                stream.disposition = int(av.stream.Disposition.default) if number == default else 0
            opened.append((stream, frames))
        for stream, frames in opened:
            for k in range(frames):
                picture = np.full((stream.height, stream.width, 3), 10 * k % 256, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "streams", "default"),
    [
        ("still_first.mkv", [STILL, FILM], 0),
        ("still_first.mp4", [PNG, FILM], None),
        ("still_last.mkv", [FILM, STILL], 1),
        ("preview_first.mkv", [SMALL, FILM], 1),
        ("preview_unmarked.ts", [SMALL, FILM], None),
        ("larger_extra.mkv", [FILM, ("libx264", "yuv420p", (192, 256), 25)], 0),
    ],
)
def test_the_film_is_taken_as_players_do(tmp_path, name, streams, default):
    info = probe(write_streams(tmp_path / name, streams, default))
    assert (info.codec, info.height, info.width, len(info.pts)) == ("h264", 96, 128, 25)
    frames = decode(tmp_path / name, [info.pts[5], info.pts[20]], (96, 128))
    np.testing.assert_allclose(frames.mean((1, 2, 3)), [50, 200], atol=4)


def test_decord_never_shows_another_stream(tmp_path):
    """It takes the same stream of both files, which is the film of one."""
    pytest.importorskip("decord")
    outcomes = []
    for name, streams in (("first.mkv", [FILM, SMALL]), ("last.mkv", [SMALL, FILM])):
        info = probe(write_streams(tmp_path / name, streams, streams.index(FILM)))
        try:
            frames = decode(tmp_path / name, [info.pts[5], info.pts[20]], (96, 128), "decord")
        except VideoRejected as refused:
            outcomes.append(refused.detail.partition("pyav': ")[2])
        else:
            np.testing.assert_allclose(frames.mean((1, 2, 3)), [50, 200], atol=4)
            outcomes.append("film")
    assert set(outcomes) <= {"film", "it shows another stream of the file"}
    assert "film" in outcomes


def test_a_file_of_stills_has_no_film(tmp_path):
    info = probe(write_streams(tmp_path / "stills.mkv", [STILL, ("mjpeg", "yuvj420p", (32, 32), 1)], None))
    assert len(info.pts) == 1  # which no clip can be cut from


def test_every_name_of_a_video_is_found_and_read(tmp_path, make_video):
    """One video in each container, under each of its names."""
    kinds = {
        "mp4": ("libx264", ".mp4 .m4v .mov .qt .3gp .3g2 .f4v .ism .ismv .mj2 .psp .lrv .insv"),
        "mkv": ("libx264", ".mkv .mk3d"),
        "webm": ("libvpx", ".webm"),
        "avi": ("mpeg4", ".avi .divx .amv"),
        "ts": ("libx264", ".ts .tp .trp .mts .m2t .m2ts .tod"),
        "mpg": ("mpeg2video", ".mpg .mpeg .mpe .m2p .mpv .vob .evo .dvd .mod"),
        "asf": ("msmpeg4", ".asf .wmv"),
        "ogv": ("libvpx", ".ogg .ogv .ogm .ogx"),
        "flv": ("libx264", ".flv"),
        "gif": ("gif", ".gif"),
        "nut": ("libx264", ".nut"),
        "ivf": ("libvpx", ".ivf"),
    }
    unwritable = {".rm", ".rmvb", ".dv", ".dif"}  # RealVideo has no encoder here, DV no picture of this size
    assert {s for _, names in kinds.values() for s in names.split()} | unwritable == VIDEO_SUFFIXES
    folder = tmp_path / "videos"
    folder.mkdir()
    for form, (codec, names) in kinds.items():
        pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        written = make_video(tmp_path / f"v.{form}", 10, codec=codec, pix_fmt=pix_fmt).read_bytes()
        for suffix in names.split():
            (folder / f"v{suffix.upper()}").write_bytes(written)
    corpus = find_videos([str(folder)])
    assert {path[1:].lower() for path in corpus.videos} == VIDEO_SUFFIXES - unwritable
    assert {len(probe(corpus.path(video)).pts) for video in corpus.videos} == {10}


def test_the_list_of_names_holds_what_ffmpeg_calls_its_own():
    not_films = {"mka", "mks", "m4a", "m4b", "isma", "wma", "ra", "heic", "heif", "avif"}
    read = [name for name in (*CONTAINERS.split(","), "mov") if name != "webm"]
    known = {f for name in read for f in av.format.ContainerFormat(name, "r").extensions}
    written = ("mpegts", "vob", "dvd", "asf", "mp4", "mov", "3gp", "3g2", "ismv", "f4v", "psp", "ipod", "ogv", "rm")
    known |= {f for name in written for f in av.format.ContainerFormat(name, "w").extensions}
    assert {f".{f}" for f in known - not_films} <= VIDEO_SUFFIXES


def test_an_error_of_the_decoders_interface_is_no_videos(kinds, monkeypatch):
    def changed_interface(*args, **kwargs):
        raise TypeError("open() got an unexpected keyword argument 'metadata_errors'")

    monkeypatch.setattr(av, "open", changed_interface)
    with pytest.raises(DecoderError, match="no video is judged: install the versions in constraints/"):
        probe(kinds["short.mp4"])


def test_only_what_a_file_can_cause_rejects_it():
    with pytest.raises(VideoRejected), reading(RejectReason.UNDECODABLE, "v.mp4 is damaged"):
        raise av.error.InvalidDataError(1, "damaged")
    with pytest.raises(VideoRejected), reading(RejectReason.UNDECODABLE, "v.mp4 is damaged"):
        raise ValueError("damaged")
    with pytest.raises(DecoderError, match="AttributeError"), reading(RejectReason.UNDECODABLE, "v.mp4 is damaged"):
        raise AttributeError("no attribute 'disposition'")


def test_a_decoder_that_does_not_work_ends_the_build(corpus_folder, tmp_path, monkeypatch):
    """In worker processes, which find a PyAV without the function that opens files."""
    (tmp_path / "sitecustomize.py").write_text("import av\ndel av.open\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(DecoderError, match=r"AttributeError.*'open'"):
        build(BuildSettings((str(corpus_folder),), str(tmp_path / "out"), "videossr_tiny", workers=1))
    assert not (tmp_path / "out" / "rejected.jsonl").exists()
