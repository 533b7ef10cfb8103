import pytest

from data_preprocess.corpus import find_videos
from videossr_verl.errors import BadInput


@pytest.fixture
def tree(tmp_path):
    for name in ("b/x.mp4", "a/deep/y.MKV", "a/z.webm", "a/readme.txt", "odd.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_folder_is_searched_in_depth_and_sorted(tree):
    corpus = find_videos([str(tree)])
    assert corpus.videos == ("a/deep/y.MKV", "a/z.webm", "b/x.mp4")
    assert corpus.root == str(tree)
    assert corpus.path("a/z.webm") == str(tree / "a" / "z.webm")


def test_root_is_the_deepest_common_folder_wherever_one_stands(tree, monkeypatch):
    assert find_videos([str(tree / "a")]).root == str(tree / "a")
    assert find_videos([str(tree / "a" / "deep")]).videos == ("y.MKV",)
    (tree.parent / "link").symlink_to(tree)
    monkeypatch.chdir(tree)
    assert find_videos(["a"]) == find_videos([str(tree / "a")]) == find_videos(["a"], "./b/../a")
    assert find_videos(["a", "b"]).root == str(tree)
    assert find_videos(["a", "b"]).videos == ("a/deep/y.MKV", "a/z.webm", "b/x.mp4")
    monkeypatch.chdir(tree / "b")
    assert find_videos(["../a", "."]) == find_videos([str(tree / "a"), str(tree / "b")])
    assert find_videos(["../../link"]).root == str(tree.parent / "link")


def test_globs_files_and_lists(tree):
    assert find_videos([str(tree / "**" / "*")], str(tree)).videos == ("a/deep/y.MKV", "a/z.webm", "b/x.mp4")
    assert find_videos([str(tree / "odd.bin")]).videos == ("odd.bin",)
    (tree / "list.txt").write_text("# comment\nb/x.mp4\n\na/gone.mp4\n", encoding="utf-8")
    assert find_videos([f"@{tree / 'list.txt'}"], str(tree)).videos == ("a/gone.mp4", "b/x.mp4")


def test_a_video_named_twice_counts_once(tree):
    assert find_videos([str(tree), str(tree / "b"), str(tree / "b" / "x.mp4")]).videos.count("b/x.mp4") == 1


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nowhere", "does not exist"),
        ("b/*.avi", "matches no video"),
        ("@nolist.txt", "cannot be read"),
        ("empty", "holds no video file"),
    ],
)
def test_wrong_sources(tree, monkeypatch, source, sentence):
    monkeypatch.chdir(tree)
    (tree / "empty").mkdir()
    with pytest.raises(BadInput, match=sentence):
        find_videos([source])


def test_wrong_data_root(tree):
    with pytest.raises(BadInput, match="outside the data root"):
        find_videos([str(tree)], str(tree / "a"))
    with pytest.raises(BadInput, match="is not a folder"):
        find_videos([str(tree)], str(tree / "nowhere"))
