"""Finds which videos show the same: copies in other bytes, cut, rescaled, or cropped by a few pixels.

Two pictures are alike if at most MAX_DISTANCE of their 128 bits differ. Two videos are alike if at one shift in time at
least MIN_SHARE of the pictures they then have in common are alike. Measured: `bash examples/look_alikes/make.sh`.

A large corpus has too many pairs. So two videos are compared only if a picture of each has half of the bits of either
hash in common, exactly. Copies have so many pictures in common that one such picture is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from videossr_verl.video.signature import WORDS, Signature

MAX_DISTANCE = 24  # bits
MIN_SHARE = 0.5
MIN_OVERLAP = 0.3  # the least share of one video's pictures: a common title is no copy
MIN_PICTURES = 3  # the least number in common, if a video has so many

_PARTS = 4  # of a 64-bit hash, 16 bits each
_NEIGHBOURS = 8  # each of many videos with the same bits is compared with so many, which chains all copies


def group_look_alikes(signatures: Mapping[str, Signature]) -> dict[str, str]:
    """Returns for each content id the one that stands for its look-alikes: the first of them, or itself if it has none.

    Look-alikes of look-alikes are together. The order of `signatures` does not matter.
    """
    ids = sorted(signatures)
    videos = [signatures[c] for c in ids]
    pairs = _candidates(videos)
    shown = tqdm(pairs.tolist(), "compare videos", unit="pair", delay=3)
    alike = np.array([pair for pair in shown if are_alike(*(videos[i] for i in pair))], dtype=np.int64).reshape(-1, 2)
    links = coo_array((np.ones(len(alike), bool), alike.T), shape=(len(ids), len(ids)))
    _, group = connected_components(links, directed=False)
    first: dict[int, str] = {}
    return {c: first.setdefault(int(g), c) for c, g in zip(ids, group, strict=True)}


def are_alike(one: Signature, other: Signature) -> bool:
    """Returns whether two videos show the same, at any shift in time."""
    if not len(one.places) or not len(other.places):
        return False
    i, j = np.nonzero(_distance(one.hashes[:, None], other.hashes[None]) <= MAX_DISTANCE)
    shifts, found = np.unique(one.places[i] - other.places[j], return_counts=True)
    start = np.maximum(one.places[0], other.places[0] + shifts)
    end = np.minimum(one.places[-1], other.places[-1] + shifts)
    ours, theirs = _between(one.places, start, end), _between(other.places, start - shifts, end - shifts)
    both = np.minimum(ours, theirs)
    overlap = np.maximum(ours / len(one.places), theirs / len(other.places))
    enough = min(MIN_PICTURES, len(one.places), len(other.places))
    return bool(((overlap >= MIN_OVERLAP) & (both >= enough) & (found >= MIN_SHARE * both)).any())


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns uint8 (...): in how many of their 128 bits the hashes (..., 2) differ."""
    return reduce(np.add, (np.bitwise_count(one[..., word] ^ other[..., word]) for word in range(WORDS)))


def _between(places: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Returns int64 (S,): how many of the places (N,) lie from each start (S,) to its end, both included."""
    return np.searchsorted(places, end, side="right") - np.searchsorted(places, start)


def _candidates(videos: list[Signature]) -> np.ndarray:
    """Returns int64 (P, 2): places in `videos` of two that have a picture of like bits. Each pair comes once, in
    order.
    """
    if not videos:
        return np.empty((0, 2), np.int64)
    owner = np.repeat(np.arange(len(videos)), [len(video.places) for video in videos])
    hashes = np.concatenate([video.hashes for video in videos])
    found = [np.empty((0, 2), np.int64)]
    for key in _keys(hashes):
        order = np.lexsort((owner, key))
        # Pictures of one video with the same bits count once.
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(key[order]) != 0) | (np.diff(owner[order]) != 0)
        order = order[new]
        for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
            one, other = order[:-step], order[step:]
            same = key[one] == key[other]
            if not same.any():
                break
            one, other = one[same], other[same]
            near = _distance(hashes[one], hashes[other]) <= MAX_DISTANCE
            found.append(np.unique(np.stack([owner[one[near]], owner[other[near]]], axis=1), axis=0))
    return np.unique(np.concatenate(found), axis=0)


def _keys(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Yields uint32 (N,): two of the four parts of one of the two hashes, for each choice of two."""
    parts = np.ascontiguousarray(hashes).view(np.uint16).reshape(-1, WORDS, _PARTS).astype(np.uint32)
    for word in range(WORDS):
        for i, j in combinations(range(_PARTS), 2):
            yield parts[:, word, i] << 16 | parts[:, word, j]
