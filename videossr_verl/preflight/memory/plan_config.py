"""From Hydra's overrides to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videossr_verl.preflight.memory.estimate import Plan, make_plan
from videossr_verl.preflight.memory.gpus import Gpu
from videossr_verl.preflight.memory.prompts import prompts_of_preset, prompts_of_rows
from videossr_verl.preflight.memory.run_settings import compose_config, read_settings
from videossr_verl.preflight.memory.shapes import model_shape


def plan_config(
    config_name: str, overrides: Sequence[str], gpu: Gpu, node_memory: int | None, preset: str = "videossr"
) -> Plan:
    """Returns the plan of a run. Its prompts are those of `data.train_files`, or of a preset where they are not built.

    Raises:
        BadInput: Hydra refuses the overrides, or they cannot be planned for.
    """
    settings = read_settings(compose_config(config_name, overrides))
    shape = model_shape(settings.model)
    files = settings.train_files
    built = files and all(Path(file).is_file() for file in files)
    prompts = prompts_of_rows(files, shape) if built else prompts_of_preset(preset, shape)
    return make_plan(settings, shape, prompts, gpu, node_memory)
