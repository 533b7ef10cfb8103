"""How well does the built-in embedding agree with a person about which frames look alike?

python compare.py pairs OUT.png     80 pairs of frames of real clips, without any figure: to be judged by eye
python compare.py agreement         the judgements of judged.txt against the embedding, by kappa
python compare.py strips OUT.png    what is kept and dropped of each clip at 4 frames a second
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from videossr_verl.tasks.frames.key_frames import key_frames
from videossr_verl.tiny.corpus import real_clips
from videossr_verl.video.decode import decode
from videossr_verl.video.embedding import KAPPA, embed, similarity
from videossr_verl.video.probe import probe
from videossr_verl.video.size import target_size

PAIRS = 80
JUDGED = Path(__file__).parent / "judged.txt"
KAPPAS = np.arange(0.86, 0.995, 0.01)


def frames_of(path: Path, times: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3) at the size of preset mvp."""
    info = probe(path)
    return decode(path, times, target_size(info.height, info.width, 128 * 128, 256 * 256, 28))


def pairs() -> list[np.ndarray]:
    """Two frames each, (2, H, W, 3), 0.1 to 2 seconds apart; the carphone clip counts once."""
    rng = np.random.default_rng(0)
    clips = [path for path in real_clips() if "distorted" not in path.name]
    chosen = []
    for i in range(PAIRS):
        path = clips[i % len(clips)]
        gap = np.exp(rng.uniform(np.log(0.1), np.log(2)))
        start = rng.uniform(0, probe(path).duration - gap - 0.1)
        chosen.append(frames_of(path, np.array([start, start + gap])))
    return chosen


def draw_pairs(out: str) -> None:
    """All pairs, numbered."""
    figure, axes = plt.subplots(PAIRS // 5, 5, figsize=(25, 2.1 * PAIRS // 5))
    for i, (pair, axis) in enumerate(zip(pairs(), axes.ravel(), strict=True)):
        axis.imshow(np.concatenate([pair[0], np.full_like(pair[0][:, :6], 255), pair[1]], axis=1))
        axis.set_title(str(i), fontsize=9)
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(out, dpi=60)


def agreement() -> None:
    """Prints, for each kappa, how often the embedding and the person say the same."""
    lines = [line.split("#")[0].split() for line in JUDGED.read_text().splitlines()]
    different = np.array([word == "different" for line in lines for word in line[1:]])
    alike = np.array([similarity(embed(pair))[0, 1] for pair in pairs()])
    print(f"{len(different)} pairs, {different.sum()} of them different to the eye")
    print("kappa   agree   kept though alike   dropped though different")
    for kappa in KAPPAS:
        kept = alike <= kappa
        wrong = [int((kept & ~different).sum()), int((~kept & different).sum())]
        print(f"{kappa:.2f}    {np.mean(kept == different):.2f}    {wrong[0]:<17}   {wrong[1]}")


def draw_strips(out: str) -> None:
    """Each clip at 4 frames a second: a green title on what is kept, the similarity to the last kept frame."""
    clips = [path for path in real_clips() if "distorted" not in path.name]
    columns = 20
    figure, axes = plt.subplots(len(clips), columns, figsize=(1.5 * columns, 1.5 * len(clips)))
    for path, row in zip(clips, axes, strict=True):
        frames = frames_of(path, np.arange(0, min(probe(path).duration - 0.1, columns / 4), 0.25))
        alike = similarity(embed(frames))
        kept = key_frames(alike, 0, KAPPA, len(frames))
        for i, axis in enumerate(row):
            axis.axis("off")
            if i >= len(frames):
                continue
            last = max((k for k in kept if k < i), default=0)
            axis.imshow(frames[i])
            axis.set_title(
                f"{'kept' if i in kept else 'dropped'} {alike[last, i]:.2f}",
                fontsize=9,
                color="green" if i in kept else "0.6",
            )
    figure.tight_layout(pad=0.3)
    figure.savefig(out, dpi=60)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pairs", out]:
            draw_pairs(out)
        case ["agreement"]:
            agreement()
        case ["strips", out]:
            draw_strips(out)
        case _:
            sys.exit(__doc__)
