"""Rollouts of one prompt with one long video, as verl's trainer gets them from the agent loop."""

from __future__ import annotations

import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.prompts import Prompt
from videossr_verl.preflight.parity import TrainerSide
from videossr_verl.prompt.shared_media import SharedVideos
from videossr_verl.video.metadata import video_metadata

FRAMES, FPS = 48, 2
UNSURE = -12.0  # about the log-probability of a token to a model with random weights


def make_rows(
    folder: str, prompt_tokens: int, answer_tokens: int, rows: int, frames: int = FRAMES
) -> tuple[TensorDict, Prompt]:
    """Random answers to a prompt of noise that fills `prompt_tokens`, for `folder`'s model. BadInput if too few."""
    side = TrainerSide(folder)
    ids, videos = _prompt(side, prompt_tokens, frames)
    generator = torch.Generator().manual_seed(0)
    made: dict[str, list] = {name: [] for name in ("input_ids", "position_ids", "multi_modal_inputs")}
    for _ in range(rows):
        whole = [*ids, *torch.randint(20, 300, (answer_tokens,), generator=generator).tolist()]
        inputs, positions = side.inputs(whole, videos)
        made["input_ids"].append(torch.tensor(whole))
        made["position_ids"].append(positions[0])
        made["multi_modal_inputs"].append(inputs)
    patches = int(made["multi_modal_inputs"][0]["video_grid_thw"].prod(-1).sum())
    prompt = Prompt(len(ids), ids.count(side.processor.video_token_id), patches, frame_bytes=0, patch_bytes=0)
    return _batch(made, len(ids), generator), prompt


def _prompt(side: TrainerSide, tokens: int, frames: int) -> tuple[list[int], SharedVideos]:
    part = side.processor.video_processor
    factor, steps = part.patch_size * part.merge_size, frames // part.temporal_patch_size

    def ask(rows: int, columns: int) -> tuple[list[int], SharedVideos]:
        noise = torch.randint(0, 256, (frames, 3, rows * factor, columns * factor), dtype=torch.uint8)
        videos = SharedVideos([(noise, video_metadata([i / FPS for i in range(frames)]))])
        content = [{"type": "video"}, {"type": "text", "text": "order"}]
        return side.ids([{"role": "user", "content": content}], videos), videos

    written = len(ask(4, 4)[0]) - 16 * steps
    cells = (tokens - written) // steps
    if cells < 4:
        raise BadInput(
            f"a prompt of {tokens} tokens has no room for {frames} frames: give {written + 4 * steps} or more"
        )
    rows = max(2, int(cells**0.5) // 2 * 2)
    ids, videos = ask(rows, cells // rows)
    # What no whole frame fills is text, before the turn's end.
    return [*ids[:-5], *[ids[-6]] * (tokens - len(ids)), *ids[-5:]], videos


def _batch(made: dict[str, list], start: int, generator: torch.Generator) -> TensorDict:
    answers = [ids[start:] for ids in made["input_ids"]]
    ones = [torch.ones_like(answer) for answer in answers]
    unsure = [torch.full(answer.shape, UNSURE) for answer in answers]
    advantages = [torch.randn(answer.shape, generator=generator) for answer in answers]
    tensors = {"input_ids": made["input_ids"], "position_ids": made["position_ids"], "responses": answers}
    tensors |= {"prompts": [ids[:start] for ids in made["input_ids"]], "response_mask": ones, "loss_mask": ones}
    tensors |= {"old_log_probs": unsure, "ref_log_prob": unsure, "advantages": advantages}
    nested = {name: tu.nested_tensor_from_tensor_list(values) for name, values in tensors.items()}
    return tu.get_tensordict(nested | {"multi_modal_inputs": made["multi_modal_inputs"]}, {})
