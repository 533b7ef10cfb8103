"""A build under faults: what it tells of videos is the videos', and it ends with all, or with an error."""

import json
import os
import shutil
import subprocess
import sys

import campaign_build_faults
import pytest

from data_preprocess.build import BuildSettings, build
from data_preprocess.corpus import find_videos
from data_preprocess.file_state import look_at
from videossr_verl.errors import BadInput
from videossr_verl.tiny.generated_videos import generate_videos

FEW = {"preset": "videossr_tiny", "mix": {"temporal_jigsaw": 2}, "test_count": 0, "workers": 1}
AWKWARD = ("-dash.mp4", "a=b #c 'd' $e.mp4", "new\nline.mp4")


def test_a_build_whose_reads_fail_ends_with_an_error_or_with_the_same_bytes(tmp_path):
    outcomes = list(campaign_build_faults.run(tmp_path, 1, seed=0))
    assert [survived for _, survived in outcomes] == [True], outcomes
    assert "TRACEBACK" not in outcomes[0][0]


@pytest.fixture
def awkward(tmp_path):
    """Two videos with awkward names, one in a name that is not UTF-8, and a broken one."""
    videos = generate_videos(tmp_path / "made", 3, seed=0, seconds=2.0)
    root = tmp_path / "videos"
    root.mkdir()
    for video, name in zip(videos, AWKWARD, strict=True):
        shutil.move(video, root / name)
    shutil.copy(root / AWKWARD[0], os.fsencode(root) + b"/odd \xff.mp4")
    (root / "broken.mp4").write_bytes(b"not a video")
    return root


def test_awkward_names_work_or_are_listed_and_a_replaced_video_is_noticed(awkward, tmp_path):
    out = tmp_path / "out"
    settings = BuildSettings((str(awkward),), str(out), **FEW)
    result = build(settings)
    lines = {line["video"]: line["reason"] for line in map(json.loads, (out / "rejected.jsonl").open())}
    assert lines["odd \\xff.mp4"] == "name_not_utf8"
    assert lines["broken.mp4"] == "not_a_video"
    assert result["videos"]["found"] == 5
    assert result["videos"]["usable"] == 3
    for name in AWKWARD:  # touched and copied anew, they are the same
        content = (awkward / name).read_bytes()
        (awkward / name).unlink()
        (awkward / name).write_bytes(content)
    assert build(settings) == result
    for name in (AWKWARD[1], "broken.mp4"):
        path = awkward / name
        content, times = path.read_bytes(), path.stat()
        path.write_bytes(content[::-1])
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(BadInput, match="was another video"):
            build(settings)
        path.write_bytes(content)
    assert build(settings) == result


def test_what_cannot_be_listed_or_opened_is_told(tmp_path):
    """As a user who is not root, who may read anything."""
    for name in ("open/a.mp4", "closed/b.mp4", "open/forbidden.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "open" / "forbidden.mp4").chmod(0)
    (tmp_path / "closed").chmod(0)
    code = (
        "import json, os, sys\n"
        "from data_preprocess.corpus import find_videos\n"
        "from data_preprocess.file_state import look_at\n"
        "os.getuid() == 0 and os.setuid(65534)\n"
        "for source in sys.argv[1:]:\n"
        "    states, rejected = look_at(find_videos([source], sys.argv[1]))\n"
        "    print(json.dumps([sorted(states), {line['video']: line['reason'] for line in rejected}]))\n"
    )
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 1:
            folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    command = [sys.executable, "-c", code, str(tmp_path), f"{tmp_path}/*/*.mp4", f"{tmp_path}/**/*.mp4"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (tmp_path / "closed").chmod(0o755)
    for line in done.stdout.splitlines():
        assert json.loads(line) == [["open/a.mp4"], {"closed": "unreadable", "open/forbidden.mp4": "unreadable"}]


def test_folders_whose_names_are_not_utf8_are_refused_before_the_work(tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/odd \xff")
    os.mkdir(odd)
    with open(os.path.join(odd, "a.mp4"), "wb") as file:
        file.write(b"x")
    with pytest.raises(BadInput, match=r"the data root .* has a name that is not UTF-8"):
        find_videos([odd])
    assert look_at(find_videos([odd], str(tmp_path)))[1][0]["reason"] == "name_not_utf8"
    with pytest.raises(BadInput, match="has a name that is not UTF-8"):
        BuildSettings((str(tmp_path),), odd, **FEW)
