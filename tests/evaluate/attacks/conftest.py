"""Samples drawn from frames in memory, and what rules earn on them by the training's rewards."""

from collections import defaultdict
from dataclasses import asdict

import numpy as np
import pytest

from reward_fns import compute_score
from videossr_verl.evaluate.attacks.shown import Shown
from videossr_verl.tasks import get_task
from videossr_verl.tasks.clip import Clip
from videossr_verl.tiny.generated_videos import generate_frames
from videossr_verl.video.embedding import embed


def shown_of(sample, clip, frames):
    at = {time: i for i, time in enumerate(clip.times)}
    task = get_task(sample.task)
    videos = [task.render(spec.transform, frames[[at[t] for t in spec.times]]) for spec in sample.videos]
    return Shown(sample.question, tuple(videos), tuple(np.array(spec.clock) for spec in sample.videos))


def clip_at(fps, count):
    times = tuple((np.arange(count) / fps).tolist())
    return Clip("a.mp4", "0" * 16, 112, 112, times, times, (times[0], times[-1]), 56 * 56, 256 * 256)


@pytest.fixture(scope="session")
def scenes():
    """(clip, frames) of 48 frames of four generated scenes of four seconds."""
    return [(clip_at(12, 48), generate_frames(np.random.default_rng(i), 48, 12.0, 112, 112)) for i in range(4)]


@pytest.fixture(scope="session")
def earned():
    """(task, rules, difficulty, [(clip, frames)], seeds) -> mean reward of each rule, and chance under "chance"."""

    def measure(task, rules, difficulty, clips, seeds):
        rewards = defaultdict(list)
        for number, (clip, frames) in enumerate(clips):
            extras = {"embeddings": embed(frames)} if hasattr(difficulty, "embedding") else {}
            for seed in range(seeds):
                sample = task.draw(clip, frames, difficulty, np.random.default_rng([seed, number]), **extras)
                shown = shown_of(sample, clip, frames)
                for name, rule in rules.items():
                    knobs = {"difficulty": asdict(difficulty)}
                    result = compute_score(f"videossr/{task.NAME}", rule(shown), sample.answer, knobs)
                    assert result["parsed"] == 1
                    rewards[name].append(result["score"])
                rewards["chance"].append(result["chance"])
        return {name: float(np.mean(values)) for name, values in rewards.items()}

    return measure
