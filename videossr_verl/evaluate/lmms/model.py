"""lmms-eval's `--model videossr`: any Qwen2.5-VL or Qwen3-VL checkpoint through vLLM, as `videossr eval` runs it.

It has what lmms-eval's own models lack. Frames carry their true times, and "2 frames a second, at most N" holds, in
both families. A sample whose video cannot be shown costs that sample, not the run, and is listed. A run goes on where
it was stopped.

  --model videossr --model_args pretrained=DIR,fps=2,max_frames=48,prompts=paper,state=OUT/answers.jsonl
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import Instance  # pyright: ignore[reportMissingImports]  # of another environment
from lmms_eval.api.model import lmms  # pyright: ignore[reportMissingImports]  # of another environment
from PIL import Image
from tqdm import tqdm

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.answers import append_lines
from videossr_verl.evaluate.engine import Lost, Sampling
from videossr_verl.evaluate.lmms.benchmarks import paper_prompt
from videossr_verl.evaluate.lmms.whole_video import FramePolicy, whole_video
from videossr_verl.evaluate.questions import THREADS, Question
from videossr_verl.evaluate.vllm_engine import VllmEngine
from videossr_verl.prompt.render import render
from videossr_verl.rows.schema import Message
from videossr_verl.video.container import check_pixels
from videossr_verl.video.specs import ImageSpec, VideoSpec

BATCH = 64  # how many questions are asked at once; a kill loses at most these
FAILED_IN_A_ROW = 50  # after so many it is not the videos' fault
Messages = list[dict[str, Any]]


class VideoModel(lmms):
    """A checkpoint, and how videos are shown to it."""

    is_simple = False

    def __init__(
        self,
        pretrained: str,
        fps: float | str | None = 2.0,
        max_frames: int = 32,
        min_pixels: int = 128 * 128,
        max_pixels: int = 512 * 512,
        prompts: str = "task",
        state: str = "",
        batch_size: int | str = BATCH,
        max_batch_size: int | None = None,
        device: str | None = None,
        **options: Any,
    ) -> None:
        """
        Args:
            pretrained: folder or hub name.
            fps: frames a second; "none" spreads `max_frames` over the video.
            min_pixels, max_pixels: of a frame.
            prompts: "task", or "paper" for VideoSSR's instruction in place of the task's (see `paper_prompt`).
            state: file of answers so far, so that the same command goes on; empty keeps none.
            batch_size, max_batch_size, device: lmms-eval's own; vLLM batches and places by itself.
            options: of `vllm.LLM`, e.g. tensor_parallel_size=2.
        """
        super().__init__()
        rate = None if fps in (None, "none", "None") else float(fps)
        self._policy = FramePolicy(rate, int(max_frames), int(min_pixels), int(max_pixels))
        if prompts not in ("task", "paper"):
            raise BadInput(f"prompts='{prompts}' must be task or paper")
        self._paper_prompts = prompts == "paper"
        self._pretrained, self._options = pretrained, options
        self._state = Path(state) if state else None
        self._opened: VllmEngine | None = None

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Is not used by video tasks."""
        raise NotImplementedError("videossr answers by generation only")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        """Is not used by video tasks."""
        raise NotImplementedError("videossr answers a question once")

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Returns an answer to each request, or "" if its video cannot be shown; the state file lists these."""
        known = self._read_state()
        keys = [self._key(request) for request in requests]
        left = [(key, request) for key, request in zip(keys, requests, strict=True) if key not in known]
        if left:
            self._open_engine([request for _, request in left])
        failed = 0
        for at in tqdm(range(0, len(left), BATCH), "ask", unit=f"{BATCH} questions"):
            batch = left[at : at + BATCH]
            answered = self._answer(batch)
            self._write_state(answered)
            for key, _ in batch:
                _, known[key], error = answered[key]
                failed = failed + 1 if error else 0
                if failed == FAILED_IN_A_ROW:
                    raise BadInput(f"{failed} questions in a row failed, the last with: {error}")
        return [known[key] for key in keys]

    def _answer(self, asked: Sequence[tuple[str, Instance]]) -> dict[str, tuple[Instance, str, str]]:
        """Returns the key -> (request, answer, error or "")."""
        with ThreadPoolExecutor(THREADS) as pool:
            made = list(pool.map(self._question, (request for _, request in asked)))
        done = {key: (r, "", m) for (key, r), m in zip(asked, made, strict=True) if isinstance(m, str)}
        ready = [(key, r, m) for (key, r), m in zip(asked, made, strict=True) if not isinstance(m, str)]
        by_settings: dict[tuple[int, float], list[tuple[str, Instance, Question]]] = {}
        for key, request, question in ready:
            how = request.args[2]
            settings = (int(how.get("max_new_tokens", 128)), float(how.get("temperature") or 0))
            by_settings.setdefault(settings, []).append((key, request, question))
        for settings, group in by_settings.items():
            texts = self._ask([question for *_, question in group], *settings)
            done |= {key: (r, *text) for (key, r, _), text in zip(group, texts, strict=True)}
        return done

    def _ask(self, questions: list[Question], max_tokens: int, temperature: float) -> list[tuple[str, str]]:
        """Returns (answer, error) of each."""
        outcomes = self._engine.answer(questions, Sampling(1, temperature, max_tokens))
        return [("", found.reason) if isinstance(found, Lost) else (found[0], "") for _, found in outcomes]

    def _messages(self, request: Instance) -> Messages | str:
        """Returns the request's messages, or why they cannot be made."""
        _, doc_to_messages, _, doc_id, task, split = request.args
        try:
            messages = doc_to_messages(self.task_dict[task][split][doc_id])
            for part in _media(messages, "text") if self._paper_prompts else []:
                part["text"] = paper_prompt(task, part["text"])
            return messages
        except (Exception, SystemExit) as error:  # lmms-eval's tasks exit the process if a video is missing
            return _told(error)

    def _question(self, request: Instance) -> Question | str:
        """Returns the request as it is asked, or why it cannot be asked."""
        messages = self._messages(request)
        if isinstance(messages, str):
            return messages
        try:
            videos = [self._video(part) for part in _media(messages, "video")]
            images = [part["url"] for part in _media(messages, "image")]
            specs = [image for image in images if isinstance(image, ImageSpec)]
            shown, stills = render(videos, specs, "/", self._engine.factor)
            rendered = iter(stills)
            opened = [next(rendered) if isinstance(image, ImageSpec) else _opened(image) for image in images]
            texts: list[Message] = [{"role": m["role"], "content": _text(m["content"])} for m in messages]
        except Exception as error:  # a broken file may fail in any way, and must cost this question only
            return _told(error)
        return Question(0, texts, shown, opened)

    def _video(self, part: dict[str, Any]) -> VideoSpec:
        url = part["url"]
        if isinstance(url, VideoSpec):
            return url
        return whole_video(url, self._policy, part.get("start_time"), part.get("end_time"))

    def _open_engine(self, requests: Sequence[Instance]) -> None:
        """Opens vLLM, which needs to know at its start how many media a question may have."""
        if self._opened is not None:
            return
        messages = [m for m in map(self._messages, requests) if not isinstance(m, str)]
        videos, images = (max((len(_media(m, kind)) for m in messages), default=0) for kind in ("video", "image"))
        self._opened = VllmEngine(self._pretrained, videos, images, self._options)

    @property
    def _engine(self) -> VllmEngine:
        assert self._opened is not None  # before anything is asked
        return self._opened

    def _key(self, request: Instance) -> str:
        """Returns the name of a question in the state file. Asked of another model, or in another way, a question has
        another name.
        """
        context, _, settings, doc_id, task, split = request.args
        how = [self._pretrained, asdict(self._policy), self._paper_prompts, {k: str(v) for k, v in settings.items()}]
        parts = json.dumps([how, str(context), doc_id, task, split], sort_keys=True)
        return blake2b(parts.encode(), digest_size=8).hexdigest()

    def _read_state(self) -> dict[str, str]:
        """Reads the answers of earlier runs. Questions that failed are asked again."""
        if self._state is None or not self._state.exists():
            return {}
        lines = self._state.read_text(encoding="utf-8").split("\n")[
            :-1
        ]  # without the last line, which a kill may have cut
        entries = [json.loads(line) for line in lines]
        return {entry["key"]: entry["answer"] for entry in entries if not entry["error"]}

    def _write_state(self, answered: dict[str, tuple[Instance, str, str]]) -> None:
        if self._state is None:
            return
        lines = []
        for key, (request, text, error) in answered.items():
            *_, doc_id, task, _ = request.args
            entry = {"key": key, "task": task, "doc_id": doc_id, "answer": text, "error": error}
            lines.append(json.dumps(entry) + "\n")
        append_lines(self._state, lines)


def _media(messages: Messages, kind: str) -> list[dict[str, Any]]:
    return [part for message in messages for part in message["content"] if part["type"] == kind]


def _text(content: Sequence[dict[str, Any]]) -> str:
    """Returns a message as one text, with a mark for each of its media, as `Question` has it."""
    marks = {"video": "<video>", "image": "<image>"}
    pieces = []
    for part in content:
        mark = marks.get(part["type"])
        # A question that speaks of "<video>" must not get one.
        pieces.append(mark or part["text"].replace("<video>", "video").replace("<image>", "image"))
    return "".join(pieces)


def _opened(image: Any) -> Image.Image:
    opened = image if isinstance(image, Image.Image) else Image.open(image)
    check_pixels("an image", *opened.size)
    return opened.convert("RGB")


def _told(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
