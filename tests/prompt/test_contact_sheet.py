import json
import shutil

import numpy as np
import pytest
from PIL import Image

from data_preprocess.build import BuildSettings, build
from videossr_verl.errors import BadInput
from videossr_verl.prompt.contact_sheet import ACCENTS, draw_contact_sheet
from videossr_verl.tiny.generated_videos import generate_videos


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("sheet")
    generate_videos(root / "videos", 2, seed=1, seconds=2.5)
    build(BuildSettings((str(root / "videos"),), str(root / "data"), "videossr_tiny", count=8, test_count=4, workers=1))
    return root / "data", root / "videos"


def count_pixels(path, colour):
    return int((np.asarray(Image.open(path)) == colour).all(axis=2).sum())


def test_one_sample_of_each_task_with_its_changed_frames_framed(folders, tmp_path):
    assert draw_contact_sheet(folders[0], tmp_path / "sheet.png") == 4
    anomaly, masked, counting, jigsaw = (count_pixels(tmp_path / "sheet.png", accent) for accent in ACCENTS[:4])
    assert anomaly > 3000  # two frames or more have a border of 5 pixels
    assert masked > 3000  # two true frames among the candidates
    assert counting > 3000
    assert 50 < jigsaw < 2500  # only the answer and the clips' numbers
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sheet.png"]


def test_rows_split_and_moved_videos(folders, tmp_path):
    shutil.copytree(folders[1], tmp_path / "moved")
    one = draw_contact_sheet(folders[0], tmp_path / "one.png", split="test")
    two = draw_contact_sheet(folders[0], tmp_path / "two.png", rows=2, data_root=str(tmp_path / "moved"))
    assert (one, two) == (4, 8)
    assert Image.open(tmp_path / "two.png").height > 1.5 * Image.open(tmp_path / "one.png").height


def test_wrong_input(folders, tmp_path):
    with pytest.raises(BadInput, match="does not exist; make it with videossr build"):
        draw_contact_sheet(tmp_path, tmp_path / "sheet.png")
    with pytest.raises(BadInput, match="rows is 0"):
        draw_contact_sheet(folders[0], tmp_path / "sheet.png", rows=0)
    with pytest.raises(BadInput, match="cannot be shown"):
        draw_contact_sheet(folders[0], tmp_path / "sheet.png", data_root=str(tmp_path))
    with pytest.raises(BadInput, match="cannot write the picture"):
        draw_contact_sheet(folders[0], tmp_path / "nowhere" / "sheet.png")
    (tmp_path / "train.parquet").write_bytes(b"junk")
    with pytest.raises(BadInput, match="cannot be read as parquet"):
        draw_contact_sheet(tmp_path, tmp_path / "sheet.png")
    shutil.copy(folders[0] / "train.parquet", tmp_path / "train.parquet")
    (tmp_path / "dataset.json").write_text(json.dumps({}))
    with pytest.raises(BadInput, match="does not tell the data root"):
        draw_contact_sheet(tmp_path, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
