"""Gets answers from vLLM in this process, from the prompt that training's rollouts see."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from weakref import finalize

from videossr_verl.errors import BadInput, MachineError
from videossr_verl.evaluate.engine import Lost, Sampling
from videossr_verl.evaluate.questions import Question
from videossr_verl.evaluate.shown_words import shown_words
from videossr_verl.prompt.tokens import content_parts, load_processor, patch_factor

if TYPE_CHECKING:
    from vllm import SamplingParams, TextPrompt


class VllmEngine:
    """A loaded model.

    Attributes:
        factor: frame sizes are multiples of it.
    """

    def __init__(self, model: str, most_videos: int, most_images: int, options: dict[str, Any] | None = None) -> None:
        """Loads `model` (folder or hub name).

        Args:
            most_videos, most_images: of one question.
            options: further arguments of `vllm.LLM`, e.g. tensor_parallel_size.

        Raises:
            BadInput: there is no such model, or vLLM cannot load it.
        """
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # vLLM logs to standard output, where the table goes
        if os.environ.get("VERL_PLATFORM") == "cpu":
            options = {"dtype": "float32", "enforce_eager": True} | (options or {})
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GB; without it vLLM takes nearly all memory

        self._processor = load_processor(model)
        from vllm import LLM

        from videossr_verl import vllm_plugin

        vllm_plugin.register()  # vLLM loads it in its own processes only, and this one reads the videos' times
        self.factor = patch_factor(self._processor)
        limits = {"video": most_videos, "image": most_images}
        try:
            self._llm = LLM(model, limit_mm_per_prompt=limits, **(options or {}))
        except (ValueError, OSError, RuntimeError) as error:
            raise BadInput(f"vLLM cannot load model '{model}': {shown_words(str(error))}") from error
        # In this process vLLM keeps its cache as long as the process lives, unless it is told to end.
        finalize(self, self._llm.llm_engine.engine_core.shutdown)

    def answer(self, asked: Sequence[Question], how: Sampling) -> Iterator[tuple[int, list[str] | Lost]]:
        """Yields (id, completions) of each question, in order.

        Raises:
            BadInput: nothing can be answered in this way.
            MachineError: the engine has stopped.
        """
        from vllm import SamplingParams
        from vllm.exceptions import VLLMClientError

        try:
            sampling = SamplingParams(
                n=how.samples, temperature=how.temperature, max_tokens=how.max_tokens, seed=how.seed
            )
        except (VLLMClientError, ValueError) as error:
            raise BadInput(f"vLLM cannot sample like this: {shown_words(str(error))}") from error
        requests = [self._request(question) for question in asked]
        for question, outcome in zip(asked, self._outcomes(requests, sampling), strict=True):
            yield question.id, outcome

    def _outcomes(self, requests: Sequence[TextPrompt], sampling: SamplingParams) -> list[list[str] | Lost]:
        """Halves the requests until those that vLLM refuses stand alone: one that is too long makes it refuse all."""
        from vllm.exceptions import VLLMServerError

        try:
            outputs = self._llm.generate(requests, sampling, use_tqdm=False)
            return [[completion.text for completion in output.outputs] for output in outputs]
        except Exception as error:  # the type depends on the model and on what is wrong with a request
            message = shown_words(f"{type(error).__name__}: {error}")
            if isinstance(error, VLLMServerError) or self._llm.llm_engine.has_unfinished_requests():
                raise MachineError(f"vLLM has stopped ({message})") from error
        if len(requests) == 1:
            return [Lost(f"vLLM refuses the question: {message}")]
        half = len(requests) // 2
        return self._outcomes(requests[:half], sampling) + self._outcomes(requests[half:], sampling)

    def _request(self, question: Question) -> TextPrompt:
        messages = [{"role": m["role"], "content": content_parts(m["content"])} for m in question.messages]
        text = self._processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        media = {"video": question.videos, "image": question.images}
        return {"prompt": text, "multi_modal_data": {kind: items for kind, items in media.items() if items}}
