"""What a dataset is made of: subsets, each with one task, difficulty and kind of clip. A preset is one YAML file.

clip: {num_frames: 48}                    # knobs of videossr_verl.tasks.clip.ClipSettings
tasks:
  anomaly_grounding: {weight: 2}          # the task's difficulty named like this file, if it has one
  temporal_jigsaw:
    weight: 2
    preset: videossr                      # another of the task's named difficulties (optional)
    difficulty: {num_clips: 8}            # knobs that differ from it (optional)
  masked_video_prediction:                # a task may ask for clips of its own: its module's CLIP goes before `clip`
    clip: {fps: 2}                        # and this before both (optional)
  jigsaw_hard: {task: temporal_jigsaw, preset: hard}   # a second subset of a task needs a name of its own
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from reward_fns import reward_of
from reward_fns.registry import RegistryError
from videossr_verl.errors import BadInput
from videossr_verl.tasks import get_task
from videossr_verl.tasks.clip import ClipSettings

FOLDER = Path(__file__).parent / "presets"
MAX_BYTES = 200_000  # the most in a preset file; ours have some hundred
MAX_VALUES = 10_000  # the most in a preset file; ours have some 30


@dataclass(frozen=True)
class Subset:
    """Samples of one task: their share of the dataset, the task's `Difficulty`, and how their clips are cut."""

    task: str
    weight: float
    difficulty: Any
    clip: ClipSettings


@dataclass(frozen=True)
class Preset:
    """Settings of a dataset.

    Attributes:
        name: of the preset.
        clip: settings of the clips of subsets that have none of their own.
        subsets: by name, which is the task's unless the preset gives another.
    """

    name: str
    clip: ClipSettings
    subsets: Mapping[str, Subset]

    @property
    def weights(self) -> dict[str, float]:
        """Shares of the dataset by subset."""
        return {name: subset.weight for name, subset in self.subsets.items()}


def preset_names() -> list[str]:
    """Returns the presets that ship with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """Returns the preset called `name`, or the one in the YAML file `name`. Raises BadInput for anything unknown in
    it.
    """
    own_file = name.endswith((".yaml", ".yml"))
    path = Path(name).expanduser() if own_file else FOLDER / f"{name}.yaml"
    if not path.is_file():
        if own_file:
            raise BadInput(f"preset file '{name}' does not exist")
        raise BadInput(f"unknown preset '{name}'; known presets: {', '.join(preset_names())}, or give a .yaml file")
    if path.stat().st_size > MAX_BYTES:
        raise BadInput(f"preset file '{name}' has more than {MAX_BYTES} bytes, and is none")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError, ValueError) as error:
        raise BadInput(f"preset '{name}' is not readable YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BadInput(f"preset '{name}' is not readable YAML: it is nested too deeply") from error
    data, where = data or {}, f"preset '{name}'"
    if _values(data, MAX_VALUES) > MAX_VALUES:
        raise BadInput(f"{where} has more than {MAX_VALUES} values, anchors counted as often as they are used")
    _check_keys(data, {"clip", "tasks"}, where)
    tasks = _mapping(data.get("tasks"), f"{where}, tasks")
    if not tasks:
        raise BadInput(f"{where} names no task under 'tasks'")
    clip = _make(ClipSettings(), data.get("clip"), f"{where}, clip")
    subsets = {n: _read_subset(n, entry, path.stem, clip, f"{where}, task '{n}'") for n, entry in tasks.items()}
    return Preset(path.stem, clip, subsets)


def with_mix(preset: Preset, mix: Mapping[str, float]) -> Preset:
    """Returns the preset with other weights. A task that it does not have joins with that task's default difficulty."""

    def subset(name: str) -> Subset:
        known = preset.subsets.get(name)
        return known or Subset(name, 1, _task_preset(name, preset.name), _task_clip(name, preset.clip))

    return replace(preset, subsets={name: replace(subset(name), weight=weight) for name, weight in mix.items()})


def with_embedding(preset: Preset, embedding: str) -> Preset:
    """Returns the preset with another embedding of frames. Raises BadInput if none of its tasks uses one."""
    users = {name: subset for name, subset in preset.subsets.items() if hasattr(subset.difficulty, "embedding")}
    if not users:
        raise BadInput(f"--embedding is of no use: no task of preset '{preset.name}' compares frames")
    changed = {n: replace(s, difficulty=replace(s.difficulty, embedding=embedding)) for n, s in users.items()}
    return replace(preset, subsets={**preset.subsets, **changed})


def with_decoder(preset: Preset, decoder: str) -> Preset:
    """Returns the preset with another decoder (see `videossr_verl.video.decode`). Raises BadInput for an unknown
    one.
    """
    changed = {
        name: replace(subset, clip=_make(subset.clip, {"decoder": decoder}, "--decoder"))
        for name, subset in preset.subsets.items()
    }
    return replace(preset, subsets=changed)


def absolute_embeddings(preset: Preset) -> Preset:
    """Returns the preset with full paths for embeddings that are folders, because samples must not depend on the
    working folder.
    """
    changed = {}
    for name, subset in preset.subsets.items():
        embedding = getattr(subset.difficulty, "embedding", None)
        if embedding is not None and os.path.isdir(embedding):
            difficulty = replace(subset.difficulty, embedding=os.path.abspath(embedding))
            changed[name] = replace(subset, difficulty=difficulty)
    return replace(preset, subsets={**preset.subsets, **changed})


def parse_mix(text: str) -> dict[str, float]:
    """Reads "a=2,b=1" as {"a": 2.0, "b": 1.0}, and leaves out tasks with weight 0."""
    mix: dict[str, float] = {}
    for part in text.split(","):
        task, _, number = (piece.strip() for piece in part.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if not (0 <= weight < math.inf):
            raise BadInput(f"--mix '{part.strip()}' is not task=number, e.g. anomaly_grounding=2,temporal_jigsaw=1")
        if task in mix:
            raise BadInput(f"--mix names task '{task}' twice")
        _known_task(task, "--mix")
        mix[task] = weight
    mix = {task: weight for task, weight in mix.items() if weight > 0}
    if not mix:
        raise BadInput("--mix gives no task a number above 0")
    return mix


def _read_subset(name: str, entry: Any, preset_name: str, clip: ClipSettings, where: str) -> Subset:
    entry = _mapping(entry, where)
    _check_keys(entry, {"task", "weight", "preset", "difficulty", "clip"}, where)
    if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
        raise BadInput(f"{where}: the name becomes a part of `data_source`, so it may have letters, digits and _ only")
    task = entry.get("task", name)
    weight = entry.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < math.inf:
        raise BadInput(f"{where}: weight is {weight!r}, must be a number above 0")
    known = _known_task(task, where).PRESETS
    if "preset" in entry and not (isinstance(entry["preset"], str) and entry["preset"] in known):
        raise BadInput(f"{where}: unknown preset '{entry['preset']}'; known presets: {', '.join(known)}")
    start = _task_preset(task, entry.get("preset", preset_name))
    difficulty = _make(start, entry.get("difficulty"), f"{where}, difficulty")
    return Subset(task, float(weight), difficulty, _make(_task_clip(task, clip), entry.get("clip"), f"{where}, clip"))


def _known_task(task: str, where: str) -> Any:
    if not isinstance(task, str):
        raise BadInput(f"{where}: a task is a name, not {type(task).__name__}")
    try:
        module = get_task(task)
        reward_of(task)
        return module
    except RegistryError as error:
        raise BadInput(f"{where}: {error}") from error


def _task_preset(task: str, name: str) -> Any:
    module = _known_task(task, f"preset '{name}'")
    return module.PRESETS.get(name) or module.Difficulty()


def _task_clip(task: str, clip: ClipSettings) -> ClipSettings:
    return replace(clip, **getattr(_known_task(task, "preset"), "CLIP", {}))


def _make(start: Any, knobs: Any, where: str) -> Any:
    """Returns the settings dataclass `start` with `knobs` changed."""
    knobs = _mapping(knobs, where)
    _check_keys(knobs, {f.name for f in fields(start)}, where)
    try:
        return replace(start, **{k: tuple(v) if isinstance(v, list) else v for k, v in knobs.items()})
    except (ValueError, TypeError) as error:
        raise BadInput(f"{where}: {error}") from error


def _check_keys(data: Any, known: set[str], where: str) -> None:
    unknown = sorted(str(key) for key in _mapping(data, where) if key not in known)
    if unknown:
        raise BadInput(f"{where}: unknown knob '{unknown[0]}'; known knobs: {', '.join(sorted(known))}")


def _values(data: Any, most: int) -> int:
    """Counts the values in YAML data, up to `most`: a few anchors may stand for billions."""
    count, left = 0, [data]
    while left and count <= most:
        value = left.pop()
        count += 1
        if isinstance(value, Mapping):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set):
            left += value
    return count


def _mapping(data: Any, where: str) -> Mapping[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise BadInput(f"{where}: must be a mapping of names to values, not {type(data).__name__}")
    return data
