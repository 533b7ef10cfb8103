"""Signs every usable video by what it looks like, to find its look-alikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from tqdm import tqdm

from data_preprocess.corpus import Corpus
from data_preprocess.file_state import FileState, check_unchanged
from data_preprocess.jobs import Run
from data_preprocess.probe_corpus import Video, as_piece, rejection
from data_preprocess.work_folder import WorkFolder
from videossr_verl.video.probe_record import Failure, failure_of
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.signature import WORDS, Signature, sign, signature_kind


class SignatureData(TypedDict):
    """A Signature as JSON data."""

    places: list[int]
    hashes: list[list[int]]


def sign_corpus(
    corpus: Corpus, states: Mapping[str, FileState], videos: Sequence[Video], work: WorkFolder, run: Run
) -> dict[str, Signature]:
    """Returns the signatures by content id. A video that cannot be read to its end has one without pictures."""
    keys = {video.video: ("signature", signature_kind(), video.content_id) for video in videos}
    missing = (v.video for v in videos if work.load(*keys[v.video]) is None)
    with tqdm(total=len(videos), desc="sign", unit="video") as bar:
        for job, outcome in run(sign_one, corpus.files(missing)):
            check_unchanged(corpus, job.video, states[job.video])
            work.store(as_piece(outcome), *keys[job.video])
            bar.update()
        bar.update(bar.total - bar.n)
    return {video.content_id: _load(work.load(*keys[video.video])) for video in videos}


def sign_one(path: str, video: str) -> SignatureData | Failure:
    """Runs in a worker. Returns the file's Signature, or why there is none."""
    try:
        signature = sign(path)
    except VideoRejected as error:
        return failure_of(error, path, video)
    return {"places": signature.places.tolist(), "hashes": signature.hashes.tolist()}


def _load(piece: SignatureData) -> Signature:
    if rejection(piece):
        piece = {"places": [], "hashes": []}
    hashes = np.array(piece["hashes"], dtype=np.uint64).reshape(-1, WORDS)
    return Signature(np.array(piece["places"], dtype=np.int32), hashes)
