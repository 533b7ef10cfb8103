"""What a video looks like, in 16 bytes for each eighth of a second. Copies in other bytes look the same.

Each picture gives 128 bits, half of them the signs of its lowest frequencies (pHash), half those of brightness steps
from left to right (dHash), both by the library ImageHash. They hardly change where a video is encoded anew, rescaled,
brightened, or cropped by a few pixels. Pictures without contrast say nothing, and are left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from PIL import Image

from videossr_verl.video.decode import decode_possible
from videossr_verl.video.frame_index import frame_index

STEP = 0.125  # seconds; a copy that was cut anywhere has pictures at most half of that from ours
MAX_PICTURES = (
    1024  # the most of one video: above 128 seconds every second one is taken, above 256 every fourth, and so on
)
MIN_CONTRAST = 5.0  # standard deviation of brightness, of 255; below it noise decides the bits
WORDS = 2  # each of 64 bits: pHash, dHash

_SIZE = (64, 64)


@dataclass(frozen=True, eq=False)
class Signature:
    """The N pictures of a video that have contrast.

    Attributes:
        places: int32 (N,), when each is shown: multiples of STEP seconds since the first frame, increasing.
        hashes: uint64 (N, 2), their bits.
    """

    places: np.ndarray
    hashes: np.ndarray


def signature_kind() -> str:
    """Tells apart signatures that cannot be compared."""
    return f"ImageHash {version('ImageHash')}, pHash and dHash of 64 bits, every {STEP:g} s"


def sign(path: str | os.PathLike[str]) -> Signature:
    """Returns the signature of a video file. Leaves out frames that cannot be decoded.

    Raises:
        VideoRejected: any reason of `frame_index`, or timeout.
    """
    path = os.fspath(path)
    places = _places(float(frame_index(path).times[-1]))
    frames, missing = decode_possible(path, places * STEP, _SIZE)
    pictures = [Image.fromarray(frame).convert("L") for frame in frames]
    clear = ~missing & np.array([np.std(np.asarray(picture)) >= MIN_CONTRAST for picture in pictures])
    hashes = [_hash(picture) for picture, is_clear in zip(pictures, clear, strict=True) if is_clear]
    return Signature(places[clear], np.array(hashes, dtype=np.uint64).reshape(-1, WORDS))


def _places(last: float) -> np.ndarray:
    """Returns int32 places, from 0 to the last frame, whose time is `last` seconds."""
    most = int(last / STEP + 1e-6)
    stride = 1
    while most // stride >= MAX_PICTURES:
        stride *= 2
    return np.arange(0, most + 1, stride, dtype=np.int32)


def _hash(picture: Image.Image) -> list[int]:
    import imagehash

    return [int(str(one(picture)), 16) for one in (imagehash.phash, imagehash.dhash)]
