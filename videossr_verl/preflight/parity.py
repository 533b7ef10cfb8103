"""Checks that rollout and trainer see the same prompt: compares verl's own inputs with vLLM's, without weights or a
GPU.

Both sides prepare the same few prompts with the model's own processor: the trainer side through verl's agent
loop (with this package's repairs), the rollout side through vLLM's input processor. Token ids, video grids and
M-RoPE positions must be equal, and the time that both show for each pair of frames must be the frames' own.
"""

from __future__ import annotations

import tempfile
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import verl  # noqa: F401  (loads the plugin, whose repairs belong to what is compared)
from omegaconf import OmegaConf
from PIL.Image import Image
from transformers import AutoConfig, ProcessorMixin
from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
from verl.utils import hf_processor
from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder
from verl.workers.rollout.utils import qwen2_5_vl_dedup_image_tokens

from videossr_verl.errors import BadInput
from videossr_verl.families import family_of
from videossr_verl.families.processor import Processor
from videossr_verl.patches.correctness.unexpanded_prompts import CannotUnexpand
from videossr_verl.prompt.media import Video
from videossr_verl.prompt.shared_media import SharedVideos
from videossr_verl.rows.check import check_rows, is_pretext
from videossr_verl.rows.row_files import read_table
from videossr_verl.train.dataset import PretextDataset
from videossr_verl.video.metadata import video_metadata
from videossr_verl.video.rejected import VideoRejected


class NoRollout(RuntimeError):
    """The error for a rollout side that cannot be set up here, so that nothing is known."""


@dataclass(frozen=True)
class Prompt:
    """A prompt to compare: its name, messages as verl's dataset makes them, and its N videos (with its images)."""

    name: str
    messages: list[dict[str, Any]]
    videos: SharedVideos


@dataclass(frozen=True)
class Seen:
    """One side's view of a prompt: L token ids, one (t, h, w) patch grid per video and image, positions (3, L)."""

    ids: list[int]
    grids: list[list[int]]
    positions: torch.Tensor
    image_grids: list[list[int]] = field(default_factory=list)


class TrainerSide:
    """verl's agent-loop worker, as far as it prepares a prompt."""

    def __init__(self, model: str) -> None:
        try:
            config = AutoConfig.from_pretrained(model)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise BadInput(f"'{model}' is neither a model folder nor can it be downloaded: {reason}") from error
        processor: Any = hf_processor(model)
        if getattr(processor, "video_processor", None) is None:
            raise BadInput(f"the model folder '{model}' has no video processor: give a vision-language model's folder")
        self.processor: Processor = processor
        self.builder = create_continuous_token_builder(
            self.processor.tokenizer,
            hf_model_type=config.model_type,
            chat_template_kwargs={},
            mm_processor_kwargs={},
            processor=self.processor,
        )
        self.worker = object.__new__(AgentLoopWorker)  # its __init__ wants a running cluster
        self.worker.processor, self.worker.tokenizer = self.processor, self.processor.tokenizer
        self.worker.mm_processor_kwargs = {}

    def ids(
        self, messages: list[dict[str, Any]], videos: Sequence[Video], images: Sequence[Image] | None = None
    ) -> list[int]:
        """Returns the token ids of the prompt, with media expanded."""
        return list(self.builder.build_initial_tokens(messages, images=images or None, videos=videos or None))

    def inputs(
        self, ids: Sequence[int], videos: Sequence[Video], images: Sequence[Image] | None = None
    ) -> tuple[dict[str, Any], torch.Tensor]:
        """Returns the model's inputs for prompt and answer `ids`, and positions (1, 4, L)."""
        media = {name: value for name, value in (("images", images), ("videos", videos)) if value}
        output = types.SimpleNamespace(multi_modal_data=media, mm_processor_kwargs={})
        tokens = torch.tensor([list(ids)])
        inputs = self.worker._compute_multi_modal_inputs(output, tokens[0])
        return inputs, self.worker._compute_position_ids(tokens, torch.ones_like(tokens), inputs)

    def see(self, prompt: Prompt) -> Seen:
        """Returns the inputs that the trainer will compute with."""
        images = prompt.videos.images
        ids = self.ids(prompt.messages, prompt.videos, images)
        inputs, positions = self.inputs(ids, prompt.videos, images)
        image_grids = inputs["image_grid_thw"].tolist() if images else []
        return Seen(ids, inputs["video_grid_thw"].tolist(), positions[0, 1:], image_grids)


class RolloutSide:
    """vLLM's input processor and position code, with neither weights nor an engine."""

    def __init__(self, model: str, processor: Processor) -> None:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.model_executor.model_loader import get_model_cls
        from vllm.v1.engine.input_processor import InputProcessor

        # No cache: with it vLLM would leave out what it believes the engine to have.
        config = EngineArgs(model=model, enforce_eager=True, mm_processor_cache_gb=0).create_engine_config()
        self.inputs = InputProcessor(config)
        # The model's methods that compute positions need its configuration, but no weights.
        model_class = get_model_cls(config.model_config)
        self.model: Any = model_class.__new__(model_class)
        torch.nn.Module.__init__(self.model)
        self.model.config = config.model_config.hf_config
        self.processor = processor

    def see(self, prompt: Prompt, ids: Sequence[int]) -> Seen:
        """Returns the inputs that the engine will compute with when verl's server gets the trainer's `ids`."""
        from vllm import SamplingParams, TokensPrompt

        media = {"video": list(prompt.videos)} | ({"image": prompt.videos.images} if prompt.videos.images else {})
        sent = TokensPrompt(
            prompt_token_ids=qwen2_5_vl_dedup_image_tokens(list(ids), self.processor), multi_modal_data=media
        )
        # Any: a prompt of tokens has all that is optional in other requests.
        request: Any = self.inputs.process_inputs(prompt.name, sent, SamplingParams(max_tokens=1), ("generate",))
        positions, _ = self.model.get_mrope_input_positions(request.prompt_token_ids, request.mm_features)
        grids, image_grids = (
            [f.data[f"{kind}_grid_thw"].data.tolist() for f in request.mm_features if f.modality == kind]
            for kind in ("video", "image")
        )
        return Seen(list(request.prompt_token_ids), grids, positions, image_grids)


def differences(prompt: Prompt, trainer: Seen, rollout: Seen, processor: Processor) -> list[str]:
    """Returns one sentence for each difference, or nothing if all is well."""
    found = []
    if trainer.ids != rollout.ids:
        found.append(_first_other_id(trainer.ids, rollout.ids, processor))
    for kind, ours, theirs in (
        ("videos", trainer.grids, rollout.grids),
        ("images", trainer.image_grids, rollout.image_grids),
    ):
        if ours == theirs:
            continue
        found.append(
            f"the trainer cuts the {kind} into grids {ours}, vLLM into {theirs}: the two resize"
            " differently; give both the same min_pixels and max_pixels (preprocessor_config.json, mm_processor_kwargs)"
        )
    if not found and not torch.equal(trainer.positions, rollout.positions):
        axis, at = (trainer.positions != rollout.positions).nonzero()[0].tolist()
        found.append(
            f"token {at} is at {['time', 'height', 'width'][axis]} {int(trainer.positions[axis, at])} for the trainer"
            f" and at {int(rollout.positions[axis, at])} for vLLM, though ids and grids are equal: one side does not"
            " use the videos' seconds per grid (repairs qwen2_5_vl_positions, qwen2_5_vl_video_times)"
        )
    if (family := family_of(processor)) is None:
        return found
    clocks = [[i / metadata["fps"] for i in metadata["frames_indices"]] for _, metadata in prompt.videos]
    for side, seen in (("the trainer", trainer), ("vLLM", rollout)):
        times = family.shown_times(seen.ids, seen.positions, seen.grids, processor)
        for number, (shown, clock) in enumerate(zip(times or (), clocks, strict=False)):
            true = family.true_times(clock)
            off = [abs(a - b) for a, b in zip(shown, true, strict=False)]
            # Clocks count milliseconds.
            if len(shown) != len(true) or max(off) > family.time_resolution(processor) + 1e-3:
                found.append(
                    f"video {number}: {side} places its frame pairs at {_few(shown)} s, but they are shown at"
                    f" {_few(true)} s; the video's metadata is lost or changed on the way"
                )
    return found


def _first_other_id(ours: list[int], theirs: list[int], processor: Processor) -> str:
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    text = [repr(processor.tokenizer.decode(ids[max(0, at - 3) : at + 5])) for ids in (ours, theirs)]
    return (
        f"the trainer's prompt has {len(ours)} tokens, vLLM's {len(theirs)}, and from token {at} on they differ:"
        f" {text[0]} against {text[1]}; vLLM expands the videos in another way (repair unexpanded_prompts)"
    )


def _few(times: Sequence[float]) -> str:
    return ", ".join(f"{t:.2f}" for t in times[:6]) + (", ..." if len(times) > 6 else "")


def built_in_prompts(processor: Processor) -> Iterator[Prompt]:
    """Makes prompts of noise, shown at 4, 2 and 0.7 frames per second, at uneven times, and as three clips in one
    prompt.
    """
    regular = [[i / rate for i in range(8)] for rate in (4, 2, 0.7)]
    uneven = [0.0, 0.4, 1.0, 1.3, 2.0, 2.2]
    cases = {"4 fps": regular[:1], "2 fps": regular[1:2], "0.7 fps": regular[2:], "uneven times": [uneven]}
    cases["three clips"] = [regular[0], uneven, regular[2][:4]]
    side = 4 * processor.video_processor.patch_size
    generator = torch.Generator().manual_seed(0)
    for name, clocks in cases.items():
        videos = SharedVideos(
            [
                (
                    torch.randint(0, 256, (len(c), 3, side, side), dtype=torch.uint8, generator=generator),
                    video_metadata(c),
                )
                for c in clocks
            ]
        )
        content = [part for _ in clocks for part in ({"type": "text", "text": "Clip: "}, {"type": "video"})]
        yield Prompt(name, [{"role": "user", "content": content}], videos)


def _first_rows(file: str) -> pa.Table:
    """Returns the first row of each of this package's data sources in a parquet file. Raises BadInput if one cannot be
    used.
    """
    table, _ = read_table(file)
    sources = table["data_source"].to_pylist() if "data_source" in table.column_names else []
    first = [sources.index(source) for source in dict.fromkeys(filter(is_pretext, sources))]
    if not first:
        raise BadInput(f"'{file}' has no rows of this package; build some with `videossr build`")
    rows = table.take(first)
    check_rows(zip(first, rows.to_pylist(), strict=True), lambda place: f"row {place} of '{file}'")
    return rows


def dataset_prompts(file: str, data_root: str | None, processor: Processor) -> Iterator[Prompt]:
    """Yields the first sample of each task in a parquet file, rendered as for training. Raises BadInput if one cannot
    be shown.
    """
    table = _first_rows(file)
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(table, f"{folder}/rows.parquet")
        config = OmegaConf.create({"data_root": data_root, "max_prompt_length": 10**9})
        # verl declares what all of transformers' processors have in common.
        dataset = PretextDataset(f"{folder}/rows.parquet", processor.tokenizer, config, cast(ProcessorMixin, processor))
        patch = processor.video_processor.patch_size
        for i in range(len(dataset)):
            row = dataset[i]
            try:
                images, videos, _ = PretextDataset._process_multi_modal_info(row["raw_prompt"], patch, config)
            except VideoRejected as error:
                raise BadInput(f"the first row of {row['data_source']} in '{file}' cannot be shown: {error}") from error
            yield Prompt(row["data_source"], list(row["raw_prompt"]), SharedVideos(videos or [], images))


def compare(model: str, data: str | None = None, data_root: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yields (prompt's name, differences) for one sample of each task in `data`, or for built-in prompts.

    Raises:
        BadInput: `model` is not the folder of a vision-language model, or `data` has no rows of this package.
        NoRollout: vLLM cannot be set up for this model on this machine.
    """
    if data:
        _first_rows(data)  # raises before vLLM is loaded
    trainer = TrainerSide(model)
    try:
        rollout = RolloutSide(model, trainer.processor)
    except Exception as error:  # another version, or a machine without its device, may raise anything
        raise NoRollout(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    processor = trainer.processor
    for prompt in dataset_prompts(data, data_root, processor) if data else built_in_prompts(processor):
        ours = trainer.see(prompt)
        try:
            theirs = rollout.see(prompt, ours.ids)
        except CannotUnexpand as error:
            yield prompt.name, [str(error)]
        except Exception as error:
            raise NoRollout(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
        else:
            yield prompt.name, differences(prompt, ours, theirs, processor)
