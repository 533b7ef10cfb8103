"""The videos (and images) of one prompt, prepared once and shared by its rollouts.

verl asks for the media of a prompt once per rollout, and runs the processor three times on each answer. All
rollouts of a prompt ask at the same time and in the same process. So the first one prepares the media, and the
others get the same object. It is gone with the last of them: memory holds only what is in flight.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any
from weakref import WeakValueDictionary

import ray
from PIL.Image import Image

from videossr_verl.prompt.media import Video


class SharedVideos(list[Video]):
    """N pairs of frames and metadata, with what the processor made of them. Pickled, it becomes a plain list.

    Attributes:
        images: the prompt's images, None if it has none.
    """

    def __init__(self, videos: list[Video], images: list[Image] | None = None) -> None:
        super().__init__(videos)
        self.images = images or None
        self._lock = threading.Lock()
        self._outputs: dict[Hashable, Mapping[str, Any]] = {}
        self._references: tuple[ray.ObjectRef, ray.ObjectRef | None] | None = None
        self._sending: dict[str, asyncio.Future[object]] = {}

    def __reduce__(self) -> tuple[type[list], tuple[list[Video]]]:
        return list, (list(self),)

    def are_all(self, images: list[Any] | None) -> bool:
        """Returns whether a prompt with these videos and `images` has no other media than these."""
        return (images or None) is self.images

    def processed(self, key: Hashable, process: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Returns what `process` returned for `key`. It runs once, while other threads that ask wait. Do not change the
        result.
        """
        with self._lock:
            if key not in self._outputs:
                self._outputs[key] = process()
            return self._outputs[key]

    def any_processed(self) -> Mapping[str, Any] | None:
        """Returns what the processor made of these videos with any text, or None if it did not run yet."""
        return next(iter(self._outputs.values()), None)

    def references(self) -> tuple[ray.ObjectRef, ray.ObjectRef | None]:
        """Puts videos and images into Ray's object store, where they stay as long as this object or a task needs
        them.
        """
        with self._lock:
            if self._references is None:
                self._references = ray.put(list(self)), ray.put(self.images) if self.images else None
            return self._references

    async def send_once(self, key: str, send: Callable[[], Awaitable[object]]) -> None:
        """Awaits `send()`, which runs once for each key, also when several coroutines ask at the same time."""
        if key not in self._sending:
            self._sending[key] = asyncio.ensure_future(send())
        await asyncio.shield(self._sending[key])


class SingleFlight:
    """Coroutines that ask for the same key get one object, made once, for as long as one of them holds it."""

    def __init__(self) -> None:
        self._making: dict[tuple[int, Hashable], asyncio.Future[SharedVideos]] = {}
        self._made: WeakValueDictionary[Hashable, SharedVideos] = WeakValueDictionary()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[SharedVideos]]) -> SharedVideos:
        """Returns the object of `key`. All that wait for it get an error of `make`; the next one to ask tries again."""
        made = self._made.get(key)
        if made is not None:
            return made
        at = (id(asyncio.get_running_loop()), key)
        task = self._making.get(at)
        if task is None:
            task = self._making[at] = asyncio.ensure_future(make())
            task.add_done_callback(lambda _: self._making.pop(at, None))
        # A rollout that is cancelled must not take the others' videos away.
        videos = await asyncio.shield(task)
        self._made[key] = videos
        return videos
