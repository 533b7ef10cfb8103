"""The families of base models, one module each, found through the entry point group `videossr_verl.families`.

All that differs between families is asked here. The entry point's name is the family's. A module has:
    MODEL_TYPES: what `model_type` says in the config.json of its models
    PROCESSOR: class name of their processor
    FACTOR: H and W of a frame are multiples of it, pixels: patch size times merge size
    TOKENS_OF_A_TIME: tokens in which the prompt tells the time of each step of a video; 0 where positions do
    resize_limits(video_processor, frames) -> keywords of the processor's own `smart_resize` for T frames
    shown_times(ids, positions, grids, processor) -> for each video the seconds at which the model is told that each
        pair of frames is shown, or None where nothing tells
    true_times(clock) -> what that should be for frames shown at `clock`
    time_resolution(processor) -> seconds by which it may be off
    TEXT, VISION: fields of `TextShape` and `VisionShape` that all models of the family share
    vision_shape(config) -> the other fields of VisionShape, from the model's vision config
    model_classes(model_type) -> transformers' classes of the config and of the model
    released_config(shape) -> (text, vision): entries of a released model's config that no shape tells
    tiny_processor(tokenizer) -> the processor with the released models' limits
    TINY_TEXT, TINY_VISION: entries of the config of a tiny model
    TEXT_GOES_ON: whether the text after a video goes on at the largest position + 1, on all axes
    TEXT_ARCHITECTURE: what vLLM wants to read in a checkpoint's text config, or None
A `processor` is as `families.processor` says. Nothing heavy is imported by a module itself: videos are looked at on
machines without torch.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

GROUP = "videossr_verl.families"


@cache
def families() -> dict[str, ModuleType]:
    """Returns all installed families by name, of this package and of others."""
    return {entry.name: entry.load() for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def model_types() -> dict[str, ModuleType]:
    """Returns the families by the `model_type` in a config.json."""
    return {model_type: family for family in families().values() for model_type in family.MODEL_TYPES}


def family_of(processor: object) -> ModuleType | None:
    """Returns the family whose processor this is, or None for another model's."""
    name = type(processor).__name__
    return next((family for family in families().values() if name == family.PROCESSOR), None)


def factors() -> list[int]:
    """Returns the FACTOR of each family, the smallest first."""
    return sorted({family.FACTOR for family in families().values()})
