"""`videossr eval` in this process, as users start it, on a small data set."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from data_preprocess.build import BuildSettings, build
from videossr_verl.cli import main
from videossr_verl.tiny.generated_videos import generate_videos


def build_questions(folder: Path, count: int = 8) -> Path:
    """A data set of `count` questions below `folder`: the parquet file; made once."""
    file = folder / "data" / "train.parquet"
    if file.exists():
        return file
    generate_videos(folder / "videos", 2, seed=5, seconds=2.5)
    settings = BuildSettings(
        (str(folder / "videos"),), str(folder / "data"), "videossr_tiny", count=count, test_count=2
    )
    build(settings)
    return file


def run_eval(data: Path, out: Path, url: str, key: str, *options: str, timeout: float = 30) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of `videossr eval` against a server.

    Args:
        timeout: seconds for one answer.
    """
    command = ["eval", "--model", "m", f"--data={data}", f"--out={out}", "--base-url", url, "--timeout", str(timeout)]
    said, errors = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, OPENAI_API_KEY=key, NO_PROXY="127.0.0.1"),
        redirect_stdout(said),
        redirect_stderr(errors),
    ):
        code = main([*command, *options])
    return code, said.getvalue(), errors.getvalue()


def answers(out: Path) -> dict[int, dict]:
    """The last line of each question in OUT/answers.jsonl, as any program reads it; none where a line is no JSON."""
    lines = (out / "answers.jsonl").read_text("utf-8").splitlines() if (out / "answers.jsonl").exists() else []
    try:
        return {entry["id"]: entry for entry in map(json.loads, lines)}
    except ValueError:
        return {}


def written(out: Path) -> str:
    """Everything in the folder, as text."""
    return "\n".join(file.read_bytes().decode("latin-1") for file in sorted(out.rglob("*")) if file.is_file())
