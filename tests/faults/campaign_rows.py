"""Hostile rows through the dataset class and through each verb that reads rows."""

from __future__ import annotations

import contextlib
import io
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hostile_rows import COMMANDS, hostile
from watched_process import WatchedProcess

NAME = "hostile rows through training's data set and each verb"
MEANS = "it ends with one sentence or a result: no traceback, no hang, nothing printed raw"
TRIES = 300
DEADLINE = 60.0  # seconds of one call; most take half a second, and parity loads vLLM
MODEL = Path(__file__).parents[2] / "recipes" / "tiny" / "qwen2_5_vl"
VERBS = ("dataset", "inspect", "doctor", "plan", "attack", "score", "eval", "probe")
SLOW, EVERY = "parity", 50  # one try in so many


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Each try breaks a row, and has one verb read it."""
    rng = random.Random(seed)
    videos, rows = make_dataset(folder)
    process = WatchedProcess(prepare, DEADLINE)
    try:
        for number in range(tries):
            done, row = hostile(rng.choice(rows), rng)
            data = write_rows([row], folder / f"try-{number}")
            if data is None:
                continue  # Arrow has no such value
            verb = VERBS[number % len(VERBS)] if (number + 1) % EVERY else SLOW
            survived, said = outcome(process, verb, data, videos)
            yield f"{verb}: {done} -> {said}", survived
    finally:
        process.close()


def make_dataset(folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Videos, and rows of all tasks that a build made from them."""
    from videossr_verl.cli import main
    from videossr_verl.tiny.generated_videos import generate_videos

    videos = folder / "videos"
    videos.mkdir(parents=True)
    generate_videos(videos, 4, seed=0, seconds=2.5)
    command = ["build", str(videos), "--out", str(folder / "built"), "--preset", "videossr_tiny", "--count", "16"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert main([*command, "--test-count", "4", "--workers", "1"]) == 0
    return videos, pq.read_table(folder / "built" / "train.parquet").to_pylist()


def write_rows(rows: list[dict[str, Any]], folder: Path) -> Path | None:
    """The rows as all files that a verb may read; None where parquet cannot hold them."""
    folder.mkdir()
    (folder / "viubench").mkdir()
    try:
        table = pa.Table.from_pylist(rows)
        for name in ("train.parquet", "viubench/test.parquet"):
            pq.write_table(table, folder / name)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError):
        return None
    (folder / "answers.jsonl").write_text("")
    return folder


def outcome(process: WatchedProcess, verb: str, data: Path, videos: Path) -> tuple[bool, str]:
    """Whether a verb took the rows of `data` well, and what it said or did."""
    how, said = process.call(call_dataset if verb == "dataset" else call_verb, verb, str(data), str(videos))
    if how != "returned":
        return False, f"{how}: {str(said)[-500:]}"
    code, text = said
    raw = any(c in text for c in COMMANDS if not c.isprintable() and c != "\r")  # which progress bars write
    lines = [line for line in text.splitlines() if line.startswith("videossr: ")]
    one_sentence = code in (0, 1) or (code == 2 and (len(lines) == 1 or verb == "doctor"))
    return one_sentence and not raw and "Traceback" not in text, f"{code}: {' '.join(text[-200:].split())}"


def prepare() -> None:
    """Runs first in the watched process: what is slow is done once."""
    import logging
    import os

    os.environ |= {"VERL_PLATFORM": "cpu", "HF_HUB_OFFLINE": "1"}
    logging.disable(logging.INFO)

    _model()


def _model() -> tuple[Any, Any]:
    from verl.utils.tokenizer import hf_processor, hf_tokenizer

    if "model" not in _KEPT:
        _KEPT["model"] = hf_processor(str(MODEL)), hf_tokenizer(str(MODEL))
    return _KEPT["model"]


_KEPT: dict[str, Any] = {}


def call_dataset(verb: str, data: str, videos: str) -> tuple[int, str]:
    """Training's view of the rows: all are loaded, made into prompts, rendered and scored."""
    from omegaconf import OmegaConf

    import reward_fns
    from videossr_verl.errors import BadInput
    from videossr_verl.rows.check import is_pretext
    from videossr_verl.train.dataset import PretextDataset
    from videossr_verl.video.rejected import VideoRejected

    processor, tokenizer = _model()
    config = OmegaConf.create({"data_root": videos, "max_prompt_length": 4096, "filter_overlong_prompts": False})
    try:
        dataset = PretextDataset([f"{data}/train.parquet"], tokenizer, config, processor)
        for place in range(len(dataset)):
            row = dataset[place]
            with contextlib.suppress(VideoRejected):  # costs its own group
                PretextDataset._process_multi_modal_info(row["raw_prompt"], 14, config)
            if is_pretext(row.get("data_source")):  # of others the trainer asks who scores them
                truth = row["reward_model"]["ground_truth"]
                reward_fns.compute_score(row["data_source"], "A", truth, row["extra_info"])
    except BadInput as error:
        return 2, f"videossr: {error}"
    return 0, ""


def call_verb(verb: str, data: str, videos: str) -> tuple[int, str]:
    """A verb's exit code, and what it printed."""
    from videossr_verl.cli import main

    root, file = ["--data-root", videos], f"{data}/train.parquet"
    asking = ["--model", "m", "--data", file, "--base-url", _server(), *root]
    commands = {
        "inspect": ["inspect", data, "--out", f"{data}/sheet.png", *root],
        "doctor": ["doctor", "--data", file, *root],
        "plan": ["plan", "--gpu", "h100", f"actor_rollout_ref.model.path={MODEL}", f"data.train_files={file}"],
        "attack": ["attack", file, "--workers", "1", *root],
        "score": ["viubench", "score", data, "--answers", f"{data}/answers.jsonl"],
        "eval": ["eval", *asking, "--out", f"{data}/out"],
        "probe": ["probe", *asking, "-k", "2"],
        "parity": ["parity", "--model", str(MODEL), "--data", data, *root],
    }
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = main(commands[verb])
    return code, printed.getvalue()


def _server() -> str:
    """A server with OpenAI's interface that always answers the same."""
    if "server" not in _KEPT:
        _KEPT["server"] = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
        threading.Thread(target=_KEPT["server"].serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{_KEPT['server'].server_port}/v1"


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        choice = {"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}
        choices = [choice | {"index": i} for i in range(asked.get("n") or 1)]
        answer = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nothing is told."""
