"""The pretext tasks, one module each, found through the entry point group `videossr_verl.tasks`.

A task module has:
    NAME: str, also the second part of the row's `data_source` ("videossr/<NAME>")
    Difficulty: frozen dataclass of knobs, validated on construction (ValueError in one sentence)
    PRESETS: dict[str, Difficulty]
    draw(clip, frames, difficulty, rng, other=None) -> Sample; CannotDraw when the clip cannot carry the task.
        frames: uint8 T, H, W, C, decoded at clip.times at the training size; other: another video's clip, for
        changes that borrow its frames. All chance comes from rng.
        A task whose Difficulty has the knob `embedding` (a name, see `video.embedding`) is also given
        embeddings=(T, D) of the frames, made once per video.
    render(transform, frames, other_frames=None) -> frames: the change, applied to uint8 T, H, W, C frames.
        Returns a new array. Where a transform has the key "source" ({"video": path, "times": [seconds],
        "width": pixels, "height": pixels}), other_frames are that video's frames at those times, in their own shape.
and may have
    CLIP: knobs of ClipSettings that its clips need, whatever the preset asks for the other tasks.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from types import ModuleType


@cache
def tasks() -> dict[str, ModuleType]:
    """All installed tasks by name, built-in and from other packages."""
    found = {e.name: e.load() for e in sorted(entry_points(group="videossr_verl.tasks"), key=lambda e: e.name)}
    for name, module in found.items():
        if name != module.NAME:
            raise ValueError(f"entry point videossr_verl.tasks '{name}' loads a task called '{module.NAME}'")
    return found


def get_task(name: str) -> ModuleType:
    """The task module called `name`; ValueError names the known ones."""
    known = tasks()
    if name not in known:
        raise ValueError(f"unknown task '{name}'; known tasks: {', '.join(known)}")
    return known[name]
