"""Keeps embeddings of a clip's frames on disk. A video is embedded once, however often its samples are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from videossr_verl.files.whole_file import whole_file
from videossr_verl.tasks.clip import Clip
from videossr_verl.tasks.seeds import digest
from videossr_verl.video.embedding import embed

MAX_BYTES = 2**28  # the most of one clip's vectors: 4096 frames of 16,384 numbers


def cached_embeddings(
    folder: str | None,
    clip: Clip,
    frames: np.ndarray,
    embedding: str,
    what: Mapping[str, str],
    use_gpus: bool = True,
) -> np.ndarray:
    """Returns (T, D) float32 embeddings of the clip's frames. Takes them from `folder`, or else puts them there.

    Args:
        folder: None keeps nothing.
        frames: (T, H, W, 3) uint8.
        embedding: name, see `videossr_verl.video.embedding`.
        what: its description: vectors of other weights are not found.
        use_gpus: whether a CLIP model may use one.

    A folder that cannot be used costs time, nothing else.
    """
    if folder is None:
        return embed(frames, embedding, use_gpus)
    name = digest("embeddings", clip.content_id, list(clip.times), list(frames.shape), clip.decoder, dict(what))
    path = Path(folder, name[:2], f"{name[2:]}.npy")
    if (vectors := _stored(path, len(frames))) is not None:
        return vectors
    vectors = embed(frames, embedding, use_gpus)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial, open(partial, "wb") as file:
            np.save(file, vectors, allow_pickle=False)
    return vectors


def _stored(path: Path, count: int) -> np.ndarray | None:
    """Returns the file's `count` vectors, or None if there is no such file, or another one in its place."""
    with suppress(OSError, ValueError, EOFError, SyntaxError, MemoryError):
        if not path.is_file():
            return None
        # Mapped, so that no memory is taken for what a header merely claims, and pickles are refused.
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        fits = isinstance(vectors, np.ndarray) and vectors.ndim == 2 and len(vectors) == count
        if fits and vectors.dtype.kind == "f" and vectors.nbytes <= MAX_BYTES and np.isfinite(vectors).all():
            return np.array(vectors)
    return None
