"""Checks whether this package works here: it imports, verl and vLLM find it, and it decodes a video that it has
written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from importlib import import_module, metadata

from reward_fns import parts, reward_of
from reward_fns.registry import ATTACKS, RegistryError, entries
from videossr_verl.evaluate.attacks.answer_rows import rules_of
from videossr_verl.preflight.doctor.findings import Finding, failure, ok
from videossr_verl.preflight.doctor.versions import setup_command
from videossr_verl.tasks import get_task, task_names

INSTALL = "install this package: pip install --no-deps ."


def check_package() -> Iterator[Finding]:
    """Checks that a run's first module can be imported, and verl with it, and that the entry points are there.

    verl and vLLM find this package by entry points, which exist only after it was installed.
    """
    try:
        import_module("videossr_verl.train.dataset")
        yield ok("package", "imports, and verl with it")
    except Exception as error:  # broken installations raise all kinds
        yield failure("package", f"does not import: {type(error).__name__}: {error}", setup_command())
    for group in ("verl.plugins", "vllm.general_plugins"):
        if "videossr" in {entry.name for entry in metadata.entry_points(group=group)}:
            yield ok(group, "registered")
        else:
            yield failure(group, "videossr is not registered", INSTALL)


def check_tasks() -> Iterator[Finding]:
    """Checks that the modules of each installed task load and are whole, those of other packages too."""
    names = sorted({*task_names(), *entries(ATTACKS)})
    if not names:
        yield failure("tasks", "none is registered", INSTALL)
        return
    try:
        for name in names:
            get_task(name)
            reward_of(name)
            rules_of(name)
        parts()
        yield ok("tasks", ", ".join(names))
    except RegistryError as error:
        yield failure("tasks", str(error), "see docs/add_a_task.md")


def check_decoding() -> Iterator[Finding]:
    """Checks that frames of five greys come out as they went in, in order."""
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
