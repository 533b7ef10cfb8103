"""The pretext tasks, one module each, found through the entry point group `videossr_verl.tasks`.

A task module has:
    NAME: str, also the second part of the row's `data_source` ("videossr/<NAME>")
    Difficulty: frozen dataclass of knobs, validated on construction (ValueError in one sentence)
    PRESETS: dict[str, Difficulty]: named difficulties, for presets of `videossr build`
    draw(clip, frames, difficulty, rng, other=None) -> Sample; CannotDraw when the clip cannot carry the task.
        frames: uint8 T, H, W, C, decoded at clip.times at the training size; other: another video's clip, for
        changes that borrow its frames. Everything random comes from rng.
        A task whose Difficulty has the knob `embedding` (a name, see `video.embedding`) is also given
        embeddings=(T, D) of the frames, made once per video.
    render(transform, frames, other_frames=None) -> frames: the change, applied to uint8 T, H, W, C frames.
        Returns a new array. Where a transform has the key "source" ({"video": path, "times": [seconds],
        "width": pixels, "height": pixels}), other_frames are that video's frames at those times, in their own shape.
and may have
    CLIP: knobs of ClipSettings that its clips need, whatever the preset asks for the other tasks.
    frames_shown(difficulty, num_frames) -> list: how many frames each video of a prompt has (1: an image), for memory
        plans; without it the clip's `num_frames`, all in one.
The reward module of the same name (`reward_fns`) says what an answer earns. docs/add_a_task.md makes a task, step by
step.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from reward_fns.registry import TASKS, RegistryError, check_has, entries, load

_NEEDED = ("NAME", "Difficulty", "PRESETS", "draw", "render")


def task_names() -> list[str]:
    """Returns all installed tasks, built-in and from other packages, sorted."""
    return list(entries(TASKS))


@cache
def get_task(name: str) -> ModuleType:
    """Returns the task module called `name`. Raises RegistryError if none is installed, or if it lacks something."""
    module = load(TASKS, name)
    check_has(module, _NEEDED, TASKS, name)
    if name != module.NAME:
        raise RegistryError(f"entry point {TASKS} '{name}' loads a task called '{module.NAME}': name both alike")
    return module
