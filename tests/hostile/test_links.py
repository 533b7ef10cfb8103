"""Names that lead out of the data root: the build lists them, training refuses them, and nobody follows them."""

import json

import pytest

from data_preprocess.build import BuildSettings, build
from data_preprocess.corpus import find_videos
from data_preprocess.viubench import BenchmarkSettings, build_viubench
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.lmms.local_rows import video_of
from videossr_verl.prompt.render import resolve_path
from videossr_verl.video.rejected import RejectReason, VideoRejected


@pytest.fixture
def tree(tmp_path, corpus_folder):
    """Good videos in root/a and outside; links in all directions."""
    videos = sorted(corpus_folder.glob("generated_*.mp4"))
    for folder in ("root/a", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    for video in videos[:3]:
        (tmp_path / "root" / "a" / video.name).hardlink_to(video)
    (tmp_path / "outside" / "secret.mp4").hardlink_to(videos[3])
    links = {"file.mp4": "../outside/secret.mp4", "folder": "../outside", "top": "/", "gone.mp4": "../nothing.mp4"}
    links |= {"within": "a", "loop.mp4": "loop.mp4"}
    for name, target in links.items():
        (tmp_path / "root" / name).symlink_to(target)
    for name in ("again", "and_again"):  # followed blindly, two such links never end
        (tmp_path / "root" / "a" / name).symlink_to(tmp_path / "root")
    return tmp_path


def test_a_corpus_lists_links_that_lead_out_and_enters_each_folder_once(tree):
    corpus = find_videos([str(tree / "root")])
    assert corpus.outside == ("file.mp4", "folder", "gone.mp4", "top")
    assert corpus.videos == (*(f"a/generated_00{i}.mp4" for i in range(3)), "loop.mp4")
    assert find_videos([str(tree / "root")], str(tree)).outside == ("root/top",)


@pytest.mark.parametrize("source", ["root/*.mp4", "root/file.mp4", "@list.txt"])
def test_links_that_are_named_themselves_are_listed_too(tree, monkeypatch, source):
    monkeypatch.chdir(tree)
    (tree / "list.txt").write_text("root/file.mp4\n")
    assert "file.mp4" in find_videos([source], "root").outside


def test_what_a_build_takes_training_takes(tree, tmp_path):
    settings = {"preset": "videossr_tiny", "count": 4, "test_count": 0, "workers": 1}
    out = tmp_path / "out"
    result = build(BuildSettings((str(tree / "root"),), str(out), **settings))
    lines = {line["video"]: line for line in map(json.loads, (out / "rejected.jsonl").read_text().splitlines())}
    outside = {name for name, line in lines.items() if line["reason"] == "outside_data_root"}
    assert outside == {"file.mp4", "folder", "gone.mp4", "top"}
    assert "leads out of the data root" in lines["folder"]["detail"]
    assert (result["videos"]["found"], result["videos"]["not_used"]["outside_data_root"]) == (8, 4)
    for name in find_videos([str(tree / "root")]).videos:
        resolve_path(name, tree / "root")


def test_nothing_but_links_out(tree, tmp_path):
    for source in (tree / "root" / "file.mp4", tree / "root" / "folder"):
        with pytest.raises(BadInput, match=r"none of the 1 videos is usable: 1 outside_data_root"):
            build(BuildSettings((str(source),), str(tmp_path / "out"), data_root=str(tree / "root")))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../../../../etc/passwd", "outside_data_root"),
        ("/etc/passwd", "outside_data_root"),
        ("file.mp4", "outside_data_root"),
        ("folder/secret.mp4", "outside_data_root"),
        ("top/etc/passwd", "outside_data_root"),
        ("a/../../outside/secret.mp4", "outside_data_root"),
        ("http://localhost/v.mp4", "bad_row"),
        ("file:///etc/passwd", "bad_row"),
        ("s3://bucket/v.mp4", "bad_row"),
        ("a\0b.mp4", "bad_row"),
        ("\ud800.mp4", "bad_row"),
        ("v" * 10**6, "bad_row"),
        ("", "bad_row"),
        (None, "bad_row"),
    ],
)
def test_training_refuses_names_that_lead_out(tree, name, reason):
    with pytest.raises(VideoRejected) as caught:
        resolve_path(name, tree / "root")
    assert caught.value.reason is RejectReason(reason)
    assert len(str(caught.value)) < 1200


def test_a_message_is_one_printable_line(tree):
    """Names may hold a terminal's commands, or a line that looks like another message."""
    with pytest.raises(VideoRejected) as caught:
        resolve_path("../\33[2J\nvideossr: all is well", tree / "root")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("source", ["http://localhost/v.mp4", "s3://bucket/folder", "concat:a.mp4|b.mp4", "pipe:0"])
def test_a_build_takes_no_addresses(tree, tmp_path, no_network, source):
    with pytest.raises(BadInput, match="does not exist"):
        build(BuildSettings((source,), str(tmp_path / "out")))
    with pytest.raises(BadInput, match="does not exist"):
        build_viubench(BenchmarkSettings(BuildSettings((source,), str(tmp_path / "out")), ("http://localhost/",)))
    (tree / "list.txt").write_text(f"{source}\n")
    with pytest.raises(BadInput, match="1 missing"):
        build(BuildSettings((f"@{tree / 'list.txt'}",), str(tmp_path / "out"), workers=1))


def test_a_list_with_a_null_character(tree):
    (tree / "list.txt").write_bytes(b"a\0b.mp4\n")
    with pytest.raises(BadInput, match="null character"):
        find_videos([f"@{tree / 'list.txt'}"])


@pytest.mark.parametrize("name", ["../secret.mp4", "{outside}/secret.mp4", "x/../../outside/secret.mp4", "v" * 5000])
def test_a_benchmarks_annotations_name_files_in_its_folder_only(tree, monkeypatch, name):
    monkeypatch.setenv("VIDEO_BENCHMARKS", str(tree))
    with pytest.raises(FileNotFoundError):
        video_of("root", name.format(outside=tree / "outside"))
