"""Videos of a prompt are made once for all that ask at the same time, and are gone with the last of them."""

import asyncio
import gc
import pickle
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import torch

from videossr_verl.prompt.shared_media import SharedVideos, SingleFlight


def make_videos():
    return SharedVideos([(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), {"fps": 2.0})])


def test_all_that_ask_at_once_get_one_object():
    flight, calls = SingleFlight(), []

    async def make():
        calls.append(1)
        await asyncio.sleep(0)
        return make_videos()

    async def group():
        return await asyncio.gather(*(flight.get("a", make) for _ in range(8)), flight.get("b", make))

    *first, other = asyncio.run(group())
    assert len(calls) == 2
    assert all(videos is first[0] for videos in first)
    assert other is not first[0]


def test_one_that_asks_later_shares_what_is_held_and_nothing_is_kept():
    flight, calls = SingleFlight(), []

    async def make():
        calls.append(1)
        return make_videos()

    held = asyncio.run(flight.get("a", make))
    assert asyncio.run(flight.get("a", make)) is held
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None
    asyncio.run(flight.get("a", make))
    assert len(calls) == 2


def test_an_error_reaches_all_and_is_not_kept():
    flight, calls = SingleFlight(), []

    async def make():
        calls.append(1)
        await asyncio.sleep(0)
        if len(calls) == 1:
            raise OSError("no such video")
        return make_videos()

    async def group():
        return await asyncio.gather(*(flight.get("a", make) for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in asyncio.run(group())] == [OSError] * 3
    assert isinstance(asyncio.run(flight.get("a", make)), SharedVideos)


def test_a_cancelled_rollout_leaves_the_others_theirs():
    flight = SingleFlight()

    async def group():
        go = asyncio.Event()

        async def make():
            await go.wait()
            return make_videos()

        first, second = (asyncio.ensure_future(flight.get("a", make)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asyncio.run(group())
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(second, SharedVideos)


def test_the_processor_runs_once_for_each_key_in_any_number_of_threads():
    videos, calls, barrier = make_videos(), [], threading.Barrier(4)

    def ask(key):
        barrier.wait()
        return videos.processed(key, lambda: calls.append(key) or {"key": key})

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ask, ["a", "a", "b", "a"]))
    assert sorted(calls) == ["a", "b"]
    assert results[0] is results[1] is results[3]
    assert videos.any_processed() is not None


def test_only_the_videos_travel():
    videos = make_videos()
    assert videos.any_processed() is None
    videos.processed("a", lambda: {"pixels": torch.zeros(1000)})
    sent = pickle.loads(pickle.dumps(videos))
    assert type(sent) is list
    assert torch.equal(sent[0][0], videos[0][0])
    assert sent[0][1] == {"fps": 2.0}
