"""Checks pretext rows before they are used: they may come from anywhere, and none may stop or hang a run.

Everything that reads rows of this package calls this: training (`train.dataset`) and all verbs (`rows.dataset_folder`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import reward_fns
from reward_fns.registry import RegistryError
from videossr_verl.errors import BadInput
from videossr_verl.families import qwen2_5_vl
from videossr_verl.files.json_text import read_object
from videossr_verl.printable import shortened
from videossr_verl.tasks import get_task, task_names
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.size import target_size
from videossr_verl.video.spec_limits import check_prompt_pixels, is_whole_number
from videossr_verl.video.specs import ImageSpec, VideoSpec

DATA_SOURCE_PREFIX = "videossr/"
ROLES = ("system", "user", "assistant")
MAX_PROMPT = 100_000  # the most characters of all messages; ours have some hundred
MAX_MEDIA = 64  # the most videos and images of a prompt; a pool has at most 26
MAX_TOKENS = 10**9  # the most that a stored prompt may claim
MAX_NAME = 200  # the most characters of a data source, task, id or split
LONGEST = 600  # the most characters of a reason
MAX_TRUTH = 1000  # the most characters; ours have at most 26
_INDEX_LIMIT = 2**63
_SOURCE = re.compile(rf"{DATA_SOURCE_PREFIX}[\w.-]+(?:/[\w.-]+)*")
# Tokens of media or of the end of a turn. Both families' tokenizers read each as one token, wherever it stands.
_SPECIAL_TOKEN = re.compile(r"<\|[^|<>\s]{1,64}\|>")
_PLACE = re.compile("<(video|image|audio)>")


def is_pretext(data_source: object) -> bool:
    """Returns whether a row of this data source is of this package."""
    return str(data_source).startswith(DATA_SOURCE_PREFIX)


def check_rows(
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    place: Callable[[int], str],
    prompt_key: str = "prompt",
    video_key: str = "videos",
    image_key: str = "images",
) -> set[str]:
    """Returns the files below the data root that pretext rows name.

    Args:
        rows: number and columns of each.
        place: number -> file and row, for messages.

    Raises:
        BadInput: a row asks for what no build makes, for something that verl's own loaders would open instead, or for
            more than `video.spec_limits` allows.
    """
    files: set[str] = set()
    for number, row in rows:
        try:
            named = {"prompt": row.get(prompt_key), "videos": row.get(video_key), "images": row.get(image_key)}
            files.update(_check_row({**row, **named}))
        except RegistryError as error:
            raise BadInput(f"{place(number)} cannot be used here: {shortened(str(error), LONGEST)}") from error
        except Exception as error:  # a row may hold anything, and a task may be another package's
            known = isinstance(error, VideoRejected) or type(error) is ValueError
            reason = shortened(str(error) if known else f"{type(error).__name__}: {error}", LONGEST)
            raise BadInput(f"{place(number)} cannot be used: {reason}; build the dataset again") from error
    return files


def _check_row(row: Mapping[str, Any]) -> Iterator[str]:
    """Yields the files that a row names. Raises ValueError or VideoRejected where something in it is wrong."""
    task = _check_source(row.get("data_source"))
    extra = _mapping(row, "extra_info")
    _check_extra(extra, task)
    videos, images = _media(row, "videos"), _media(row, "images")
    if not videos:
        raise ValueError("it has no videos")
    _check_prompt(row["prompt"], len(videos), len(images))
    specs = [VideoSpec.from_row(video) for video in videos], [ImageSpec.from_row(image) for image in images]
    _check_pixels(*specs)
    _check_truth(row["data_source"], _mapping(row, "reward_model").get("ground_truth"), extra)
    yield from (spec.video for part in specs for spec in part)
    yield from (spec.transform["source"]["video"] for spec in specs[0] if spec.transform.get("source"))


def _check_source(source: object) -> str:
    """Returns the task's name."""
    if not isinstance(source, str) or len(source) > MAX_NAME or not _SOURCE.fullmatch(source):
        raise ValueError(
            f"data_source {_shown(source)} is not {DATA_SOURCE_PREFIX}TASK or {DATA_SOURCE_PREFIX}TASK/SUBSET"
        )
    return source.split("/")[1]


def _check_extra(extra: Mapping[str, Any], task: str) -> None:
    index = extra.get("index")
    if not is_whole_number(index) or not -_INDEX_LIMIT <= index < _INDEX_LIMIT:
        raise ValueError(f"extra_info.index is {_shown(index)}, must be a whole number")
    for name in ("task", "split", "video_id", "look_alike_id"):
        value = extra.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
            raise ValueError(f"extra_info.{name} is {_shown(value)}, must be 1 to {MAX_NAME} printable characters")
    if extra.get("draw") is not None:
        raise ValueError("extra_info.draw is not null: it numbers the rows that are drawn while a run trains")
    if extra["task"] != task:
        raise ValueError(f"extra_info.task is '{extra['task']}' in a row of task '{task}'")
    objects = {name: _object(extra, name) for name in ("difficulty", "details", "num_prompt_tokens")}
    for length in objects["num_prompt_tokens"].values():
        if not isinstance(length, int) or isinstance(length, bool) or not 0 < length < MAX_TOKENS:
            raise ValueError(f"extra_info.num_prompt_tokens has the length {_shown(length)}")
    _check_difficulty(task, objects["difficulty"])


def _object(extra: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns the JSON object in a field, or an empty one if there is none."""
    try:
        return read_object("{}" if extra.get(name) is None else extra[name])
    except ValueError as error:
        raise ValueError(f"extra_info.{name} is {error}") from error


def _check_difficulty(task: str, knobs: Mapping[str, Any]) -> None:
    """Checks the knobs by the task's own class. If a task's drawing is not installed here, only its reward knows the
    knobs.
    """
    if task not in task_names():
        return
    difficulty = get_task(task).Difficulty
    own = {field.name for field in fields(difficulty)}
    if unknown := sorted(set(knobs) - own - {"num_frames"}):
        raise ValueError(f"extra_info.difficulty has the unknown knob {_shown(unknown[0])}")
    try:
        difficulty(**{name: knobs[name] for name in own & set(knobs)})
    except (TypeError, ValueError) as error:
        raise ValueError(f"extra_info.difficulty cannot be: {error}") from error


def _media(row: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    media = row[name]
    if media is None:
        return ()
    if not isinstance(media, Sequence) or isinstance(media, str) or len(media) > MAX_MEDIA:
        raise ValueError(f"{name} is no list of at most {MAX_MEDIA} entries")
    if not all(isinstance(one, Mapping) for one in media):
        raise ValueError(f"{name} has an entry that is no object")
    return media


def _check_prompt(prompt: object, videos: int, images: int) -> None:
    """Checks that messages are text alone, that each `<video>` and `<image>` has its media, and that nothing else is a
    token.
    """
    if not isinstance(prompt, Sequence) or isinstance(prompt, str) or not prompt:
        raise ValueError(f"its prompt is {_shown(prompt)}, must be a list of messages")
    for message in prompt:
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
            raise ValueError("it has a prompt that is no text")
        if message.get("role") not in ROLES:
            raise ValueError(
                f"its prompt has the role {_shown(message.get('role'))}, must be one of {', '.join(ROLES)}"
            )
    text = "".join(message["content"] for message in prompt)
    if len(text) > MAX_PROMPT or len(prompt) > MAX_PROMPT:
        raise ValueError(f"its prompt has {len(text)} characters, more than {MAX_PROMPT}")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("its prompt has half of a character (a lone surrogate)")
    if token := next(filter(None, (_SPECIAL_TOKEN.search(message["content"]) for message in prompt)), None):
        raise ValueError(f"its prompt has the special token {token[0]}, which the model would take for more than text")
    places = [kind for message in prompt for kind in _PLACE.findall(message["content"])]
    for kind, count in (("video", videos), ("image", images), ("audio", 0)):
        if places.count(kind) != count:
            raise ValueError(f"its prompt has {places.count(kind)} <{kind}> places for {count} {kind}s")


def _check_pixels(videos: Sequence[VideoSpec], images: Sequence[ImageSpec]) -> None:
    """Checks pixels as `render` does. `render` knows the model; here the family with the smaller patches is asked."""
    shown = [(len(spec.times), spec.height, spec.width, spec) for spec in videos] + [
        (1, spec.height, spec.width, spec) for spec in images
    ]
    for spec in videos:
        if source := spec.transform.get("source"):
            shown.append((len(source["times"]), source["height"], source["width"], spec))
    sizes = [
        (count, *target_size(height, width, spec.min_pixels, spec.max_pixels, qwen2_5_vl.FACTOR))
        for count, height, width, spec in shown
    ]
    check_prompt_pixels(videos[0].video, sizes)


def _check_truth(source: str, truth: object, extra: Mapping[str, Any]) -> None:
    """Checks that the row's own ground truth, given as the answer, earns everything."""
    if not isinstance(truth, str) or len(truth) > MAX_TRUTH:
        raise ValueError(f"the ground truth {_shown(truth)} is no text of at most {MAX_TRUTH} characters")
    try:
        result = reward_fns.compute_score(source, truth, truth, extra)
    except RegistryError:
        raise
    except ValueError as error:
        raise ValueError(f"its ground truth or difficulty cannot be: {error}") from error
    if result["acc"] != 1:
        raise ValueError(f"{source} gives its own ground truth {_shown(truth)} a reward of {result['score']:g}")


def _mapping(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {_shown(value)}, must be an object")
    return value


def _shown(value: object) -> str:
    """Returns a value for a message, cut if it is long."""
    if isinstance(value, str):
        return repr(shortened(value, 80))
    return repr(value) if value is None or isinstance(value, int | float) else type(value).__name__
