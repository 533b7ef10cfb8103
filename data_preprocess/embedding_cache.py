"""Embeddings of a clip's frames on disk: a video is embedded once, however often its samples are drawn."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from data_preprocess.seeds import digest
from videossr_verl.video.embedding import embed
from videossr_verl.video.sampling import Clip


def cached_embeddings(
    folder: str, clip: Clip, frames: np.ndarray, embedding: str, what: Mapping[str, str]
) -> np.ndarray:
    """(T, D) float32 embeddings of the clip's frames, from `folder` if they are there, else put there.

    Args:
        frames: (T, H, W, 3) uint8.
        embedding: name, see `videossr_verl.video.embedding`.
        what: its description: vectors of other weights are not found.

    A folder that cannot be used costs time, nothing else.
    """
    name = digest("embeddings", clip.content_id, list(clip.times), list(frames.shape), dict(what))
    path = Path(folder, name[:2], f"{name[2:]}.npy")
    with suppress(OSError, ValueError, EOFError):
        vectors = np.load(path, allow_pickle=False)
        if vectors.ndim == 2 and len(vectors) == len(frames):
            return vectors
    vectors = embed(frames, embedding)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        with open(descriptor, "wb") as file:
            np.save(file, vectors, allow_pickle=False)
        os.replace(partial, path)
    return vectors
