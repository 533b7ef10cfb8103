"""The trial: two steps and a checkpoint; then a step from that checkpoint, and the death of a rollout server."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from videossr_verl.errors import BadInput
from videossr_verl.families.shape import ModelShape
from videossr_verl.preflight.memory.estimate import Plan
from videossr_verl.preflight.memory.gpus import GIB, Gpu
from videossr_verl.preflight.memory.plan_config import plan_config
from videossr_verl.preflight.memory.report import require_fit
from videossr_verl.preflight.memory.shapes import model_shape
from videossr_verl.tiny.shaped_model import with_layers
from videossr_verl.trial import figures, material
from videossr_verl.trial.settings import ON_CPU, ON_GPUS, settings
from videossr_verl.trial.training import Training, training

MARK = ".trial"  # in a folder that a trial made, and may clear
_STEPS = 2
_LIMIT = 900.0  # seconds until a step must be done
_AFTER_THE_KILL = 120.0
_BYTES_SAVED = 12  # of a parameter: itself and Adam's two moments in float32


@dataclass(frozen=True)
class Asked:
    """What to try.

    Attributes:
        model: a released one's name, for random weights of its shape with `layers` layers; or a folder with weights.
        gpu: each of this machine's `gpus`, or None to rehearse on a CPU.
    """

    out: Path
    model: str
    layers: int
    gpu: Gpu | None
    gpus: int
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """A line of the table. `good` is None where nothing is judged."""

    name: str
    good: bool | None
    text: str


def try_machine(asked: Asked, tell: Callable[[str], None]) -> Iterator[Finding]:
    """Yields what each part of the trial showed, as soon as it is known.

    Raises:
        BadInput: the folder is somebody else's, or the run does not fit these GPUs or this disk.
    """
    whole = model_shape(asked.model)
    _clear(asked.out)
    try:
        yield from _try(asked, whole, tell)
    finally:
        for folder in ("steps", "model"):  # tens of GiB
            shutil.rmtree(asked.out / folder, ignore_errors=True)


def _try(asked: Asked, whole: ModelShape, tell: Callable[[str], None]) -> Iterator[Finding]:
    out = asked.out
    tell("making videos and questions")
    material.make_data(out, material.PAPERS if asked.gpu else material.LAPTOPS)
    tried = _model(asked, whole, tell)
    size = ON_GPUS if asked.gpu else ON_CPU
    model = out / "model" if tried is not whole or not asked.gpu else Path(asked.model)
    overrides = [*settings(out, model, size, asked.gpus), *asked.overrides]
    plan = plan_config(size.config, overrides, asked.gpu, None) if asked.gpu else None
    if plan:
        require_fit(plan)
        _require_disk(out, plan)
    yield Finding("model", None, _describe(asked, tried, whole, size.answer_tokens))
    tell(f"training two steps, with vLLM's answers, and saving; this takes minutes, see {out / 'first.log'}")
    more = [f"trainer.total_training_steps={_STEPS}", f"trainer.save_freq={_STEPS}"]
    with training(out, "first", size.config, [*overrides, *more]) as run:
        if run.wait_for(1, _LIMIT):
            tell("step 1 is done")
        made, code = run.wait_for(_STEPS, _LIMIT), run.wait_for_end(_LIMIT)
        yield from _first(run, made, code, plan, tried, whole)
    if made and code == 0:
        tell("going on from the checkpoint for a step, then killing the rollout server")
        again = ["trainer.total_training_steps=1000", "data.parity=off"]
        with training(out, "again", size.config, [*overrides, *again]) as run:
            yield from _again(run)


def _clear(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise BadInput(f"'{out}' holds something else: give --out a new folder")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()


def _model(asked: Asked, whole: ModelShape, tell: Callable[[str], None]) -> ModelShape:
    """Makes the model if none is given. Returns the shape of the model to try."""
    if asked.gpu and any(Path(asked.model).glob("*.safetensors")):
        return whole
    tell("making a model of random weights")
    tried = with_layers(whole, asked.layers)
    material.make_model(asked.out, tried if asked.gpu else None)
    return tried


def _require_disk(out: Path, plan: Plan) -> None:
    needed, free = plan.parameters.total * _BYTES_SAVED, shutil.disk_usage(out).free
    if free < 1.1 * needed:
        raise BadInput(
            f"'{out}' has {free / GIB:.0f} GiB free, and a checkpoint of this model takes {needed / GIB:.0f}: "
            "give --out a folder on a larger disk"
        )


def _describe(asked: Asked, tried: ModelShape, whole: ModelShape, tokens: int) -> str:
    if not asked.gpu:
        return "a tiny Qwen3-VL on the CPU: a rehearsal, whose seconds and gap say nothing about GPUs"
    weights = (
        "its own weights" if tried is whole else f"random weights, {tried.text.layers} of {whole.text.layers} layers"
    )
    return f"{whole.name}, {weights}; 48 frames, answers of {tokens} tokens; {asked.gpus} x {asked.gpu.name}"


def _first(
    run: Training, made: bool, code: int | None, plan: Plan | None, tried: ModelShape, whole: ModelShape
) -> Iterator[Finding]:
    steps = run.steps()
    ended = made and code == 0
    yield Finding("two steps, checkpoint", ended, "done" if ended else _why(run, code))
    if not steps:
        return
    gap = figures.read_gap(steps)
    said = f"probabilities of vLLM and trainer differ by {gap.mean:.2g} on average, {gap.largest:.2g} at most"
    yield Finding("rollout-trainer gap", gap.small, said)
    last = steps[max(steps)]
    seconds = figures.read_seconds(last)
    yield Finding("seconds a step", None, ", ".join(f"{name} {value:.1f}" for name, value in seconds.items()))
    if plan:
        allocated = last["actor/perf/max_memory_allocated_gb"]
        share, peak = figures.trainers_share(plan) / GIB, plan.peak.total / GIB
        text = f"trainer {allocated:.1f} GiB (plan {share:.1f}), a whole GPU {run.gpu_peak / GIB:.1f} (plan {peak:.1f})"
        yield Finding("memory", run.gpu_peak < plan.gpu.memory, text)
        hours = figures.hours_of_papers_run(seconds, tried, whole, plan.prompts.typical)
        yield Finding("videossr_8b.sh", None, f"about {hours:.0f} hours on {figures.PAPERS_GPUS} GPUs like these")


def _again(run: Training) -> Iterator[Finding]:
    made = run.wait_for(_STEPS + 1, _LIMIT)
    first = min(run.steps(), default=None)
    resumed = made and first == _STEPS + 1
    yield Finding("resume", resumed, f"went on with step {first}" if first else _why(run, run.process.poll()))
    if not resumed:
        return
    servers, engines = run.named("vLLMHttpServer"), run.named("EngineCore", "VLLM::")
    for server in servers:
        server.send_signal(signal.SIGKILL)
    code = run.wait_for_end(_AFTER_THE_KILL)
    _, alive = psutil.wait_procs(engines, timeout=10)
    said = "the run went on" if code is None else f"the run ended with code {code}"
    good = bool(servers and engines and code and not alive)
    yield Finding("server killed", good, f"{said}, {len(alive)} of {len(engines)} engine processes were left")


def _why(run: Training, code: int | None) -> str:
    end = f"it had not ended after {_LIMIT:.0f} s" if code is None else f"it ended with code {code}"
    return f"{end}; see {run.log}"
