"""How alike two frames look. Frames become unit vectors; the scalar product of two is their similarity, at most 1.

    built_in        needs no weights: the outlines (scikit-image's HOG, 64 x 64 grey, cells of 8 x 8) and the layout of
                    colours (8 x 8 means in CIELAB) give half of the similarity each. Both have room for "nothing here";
                    without it only the noise of two black frames would be compared. About a millisecond a frame.
    a CLIP model    any checkpoint folder or hub name that transformers' `CLIPModel` loads, e.g.
                    openai/clip-vit-base-patch32: its image encoder, which MVP (arXiv 2601.03781) uses. On a GPU where
                    there is one.

Similarities are rounded, so that the last bits of another machine's arithmetic hardly ever decide.
"""

from __future__ import annotations

import functools
import os
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

from videossr_verl.errors import BadInput
from videossr_verl.video.missing_platform import check_torchvision

BUILT_IN = "built_in"
# Two frames are different if they are at most this alike. The value of built_in is measured (examples/deduplication).
# CLIP's is our guess: MVP does not publish one, and it has not been measured.
KAPPA, KAPPA_CLIP = 0.95, 0.9

_DECIMALS = 4
_CLIP_BATCH = 64
# For built_in. HOG makes the faintest outline as strong as any other. If the grey levels of a block (16 x 16 of 64 x 64
# pixels) spread by less than _FAINT, as noise and compression do, its outline counts less, and "no outline" more. _PALE
# (CIELAB) does the same for colours near the middle grey.
_FAINT, _PALE = 2.0, 10.0
_BUILT_IN_REVISION = "2"  # a cache must not return other vectors of the same name


def default_kappa(name: str) -> float:
    """Returns the similarity up to which two frames count as different, for the embedding `name`."""
    return KAPPA if name == BUILT_IN else KAPPA_CLIP


def embed(frames: np.ndarray, name: str = BUILT_IN, use_gpus: bool = True) -> np.ndarray:
    """Returns (T, D) float32 unit vectors of frames (T, H, W, 3) uint8. Raises BadInput if there is no such CLIP
    model. Without `use_gpus` a CLIP model stays on the CPU.
    """
    return np.stack([_built_in(frame) for frame in frames]) if name == BUILT_IN else _clip(frames, name, use_gpus)


def similarity(embeddings: np.ndarray) -> np.ndarray:
    """Returns (T, T) float64 scalar products, to 4 decimals."""
    vectors = embeddings.astype(np.float64)
    # Not `@`: its last bits depend on the number of threads.
    return np.round(np.einsum("id,jd->ij", vectors, vectors), _DECIMALS)


def describe_embedding(name: str) -> dict[str, str]:
    """Returns what the vectors depend on: the name, and the library's version or the weights. Raises BadInput as
    `embed` does.
    """
    if name == BUILT_IN:
        return {"name": name, "revision": _BUILT_IN_REVISION, "scikit-image": version("scikit-image")}
    digest = blake2b(digest_size=8)
    for key, weight in sorted(_load_clip(name, use_gpus=False)[0].vision_model.state_dict().items()):
        digest.update(key.encode() + weight.contiguous().flatten().numpy().tobytes())
    return {"name": name, "transformers": version("transformers"), "weights": digest.hexdigest()}


def _built_in(frame: np.ndarray) -> np.ndarray:
    small = cv2.resize(np.ascontiguousarray(frame), (64, 64), interpolation=cv2.INTER_AREA)
    means = cv2.resize(small, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colours = cv2.cvtColor(means, cv2.COLOR_RGB2LAB) - np.array([50, 0, 0], np.float32)  # L is 0 to 100
    pale = np.full((8, 8, 1), _PALE, np.float32)
    parts = [_outlines(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), np.concatenate([colours, pale], axis=2)]
    return np.concatenate([_unit(part.ravel()) / np.sqrt(2) for part in parts]).astype(np.float32)


def _outlines(gray: np.ndarray) -> np.ndarray:
    """Returns (7, 7, 37) for grey levels (64, 64): the weighted HOG of each block, and how little outline there is in
    it.
    """
    from skimage.feature import hog

    blocks = np.lib.stride_tricks.sliding_window_view(gray.astype(np.float64), (16, 16))[::8, ::8]
    variance = blocks.var(axis=(2, 3))
    weight = variance / (variance + _FAINT**2)
    outlines = hog(gray, pixels_per_cell=(8, 8), cells_per_block=(2, 2), feature_vector=False).reshape(7, 7, -1)
    return np.concatenate([outlines * weight[..., None], np.sqrt(1 - weight**2)[..., None]], axis=2)


def _clip(frames: np.ndarray, name: str, use_gpus: bool) -> np.ndarray:
    import torch

    model, processor = _load_clip(name, use_gpus)
    vectors = []
    with torch.inference_mode():
        for start in range(0, len(frames), _CLIP_BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(frames[start : start + _CLIP_BATCH].transpose(0, 3, 1, 2)))
            pixels = processor(images=batch, return_tensors="pt")["pixel_values"]
            features = model.get_image_features(pixel_values=pixels.to(model.device, model.dtype))
            features = getattr(features, "pooler_output", features)  # transformers 5 returns an object
            vectors.append(torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy())
    return np.concatenate(vectors)


@functools.cache
def _load_clip(name: str, use_gpus: bool) -> tuple[Any, Any]:
    """Returns (model, image processor), once per process and device."""
    check_torchvision()
    import torch
    from transformers import AutoImageProcessor, CLIPModel

    try:
        model = CLIPModel.from_pretrained(name, dtype=torch.float32)
        processor = AutoImageProcessor.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"embedding '{name}' is neither '{BUILT_IN}' nor a CLIP model that can be loaded: "
            f"{str(error).strip().splitlines()[0]}"
        ) from error
    if model.config.model_type != "clip":
        raise BadInput(f"embedding '{name}' holds a '{model.config.model_type}' model; give a CLIP checkpoint")
    if use_gpus and torch.cuda.is_available():
        torch.nn.Module.to(model, f"cuda:{os.getpid() % torch.cuda.device_count()}")  # workers spread over the GPUs
    else:
        torch.set_num_threads(1)  # a build has one worker per core
    return model.eval(), processor


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
