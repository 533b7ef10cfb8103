"""A video of a prompt, as verl, vLLM and the processors take it."""

from __future__ import annotations

import torch

from videossr_verl.video.metadata import Metadata

Video = tuple[torch.Tensor, Metadata]  # uint8 frames (T, C, H, W), and what is told of their time
