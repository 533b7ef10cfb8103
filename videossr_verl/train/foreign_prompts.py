"""Measures the prompts of other data sets. What their media cost is known only once they are read."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, cast

from tqdm import tqdm
from verl.utils.dataset.rl_dataset import RLHFDataset
from verl.utils.tokenizer import build_multimodal_processor_inputs

from videossr_verl.errors import BadInput
from videossr_verl.patches.survival.lost_groups import max_lost_share
from videossr_verl.printable import printable
from videossr_verl.rows.mixed_rows import MixedRows
from videossr_verl.rows.row_files import AnyRow

logger = logging.getLogger(__name__)


def foreign_lengths(dataset: RLHFDataset, rows: MixedRows) -> list[int]:
    """Returns the tokens of each row's prompt, made as verl's rollouts make it, or 0 if that fails.

    Decodes `data.filter_overlong_prompts_workers` rows at a time.

    Raises:
        BadInput: a row would end or hang the run; or more rows fail than `data.max_lost_share` allows. Fewer are told
            and stay.
    """
    processing = Lock()  # a tokenizer serves one thread only; most of the time goes into decoding

    def count(place: int) -> int | Exception:
        try:
            return _count(dataset, rows[place], processing)
        except _EndsRun as error:
            raise BadInput(f"{rows.place(place)} of another data set {error}; mend it or leave it out") from error
        except Exception as error:  # any library may read media of any kind here
            return error

    with ThreadPoolExecutor(dataset.num_workers or 1) as pool:
        counting = pool.map(count, range(len(rows)))
        found = list(tqdm(counting, "reading prompts of other data sets", len(rows), unit="row", delay=3))
    lengths = [0 if isinstance(one, Exception) else one for one in found]
    failed = {place: error for place, error in enumerate(found) if isinstance(error, Exception)}
    if failed:
        place, error = next(iter(failed.items()))
        message = f"{len(failed)} of {len(rows)} prompts of other data sets cannot be made, first {rows.place(place)}:"
        message += f" {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        if len(failed) > max_lost_share(dataset.config) * len(rows):
            raise BadInput(f"{message}; mend these rows or leave them out")
        logger.warning("%s; their groups will be lost", printable(message))
    return lengths


class _EndsRun(ValueError):
    """The error for a row that would cost more than its own group."""


def _messages(dataset: RLHFDataset, row: AnyRow) -> list[dict[str, Any]]:
    """Makes the row's messages as verl's loader does, but in the trainer's process, where an error ends the run."""
    if not isinstance(row.get("extra_info") or {}, dict):
        raise _EndsRun("has an extra_info that is no object")
    try:
        return dataset._build_messages(row, key=dataset.prompt_key)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise _EndsRun(f"has a prompt that cannot be loaded ({reason})") from error


def _check_tokens(processor: Any, text: str, media: dict[str, Any]) -> None:
    """Refuses a token of media that stands in a text. It has no media, and vLLM's answer, or the trainer, would wait
    for them.
    """
    for kind, given in media.items():
        token = getattr(processor, f"{kind}_token", None)
        if isinstance(token, str) and (found := text.count(token)) != len(given or ()):
            raise _EndsRun(f"has {found} times the token {token} in its prompt for {len(given or ())} {kind}s")


def _count(dataset: RLHFDataset, row: AnyRow, processing: Lock) -> int:
    messages = _messages(dataset, row)
    images, videos, audios = dataset._process_multi_modal_info(messages, dataset.image_patch_size, dataset.config)
    how: dict[str, Any] = {"add_generation_prompt": True, "tokenize": False, **dataset.apply_chat_template_kwargs}
    if dataset.tool_schemas is not None:
        how["tools"] = dataset.tool_schemas
    with processing:
        template = (dataset.processor or dataset.tokenizer).apply_chat_template
        text = cast(str, template(messages, **how))  # without `tokenize`
        _check_tokens(dataset.processor, text, {"image": images, "video": videos, "audio": audios})
        if images is None and videos is None and audios is None:
            return len(dataset.tokenizer(text, add_special_tokens=False)["input_ids"])
        inputs = build_multimodal_processor_inputs(
            dataset.processor,
            text=[text],
            images=images,
            videos=videos,
            audio=audios,
            mm_processor_kwargs=dataset.mm_processor_kwargs,
        )
        return len(inputs["input_ids"][0])
