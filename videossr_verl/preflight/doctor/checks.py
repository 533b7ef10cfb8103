"""All checks of one machine. Each looks at one thing and returns findings. None of them raises or changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from videossr_verl.preflight.doctor.bytecode import check_bytecode
from videossr_verl.preflight.doctor.compiler import check_compiler
from videossr_verl.preflight.doctor.data import check_data
from videossr_verl.preflight.doctor.findings import Finding, failure
from videossr_verl.preflight.doctor.gpus import check_gpus
from videossr_verl.preflight.doctor.package import check_decoding, check_package, check_tasks
from videossr_verl.preflight.doctor.ray_here import check_ray
from videossr_verl.preflight.doctor.room import check_room
from videossr_verl.preflight.doctor.versions import check_versions, setup_command


@dataclass(frozen=True)
class Asked:
    """What the checks look at, besides the machine.

    Attributes:
        data_root: folder that rows' video paths are relative to, `$NAME` in it being the node's environment variable;
            None: not looked at.
        data: parquet file of `videossr build`; None: not looked at.
        run: folder that checkpoints go to, there or not yet; None: not looked at.
    """

    data_root: str | None = None
    data: str | None = None
    run: str | None = None


def check_machine(asked: Asked) -> list[Finding]:
    """Makes all checks on this machine, each after those that it depends on."""
    checks: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
        ("versions", check_versions),
        ("package", check_package),
        ("tasks", check_tasks),
        ("decoding", check_decoding),
        ("data", partial(check_data, asked.data_root, asked.data)),
        ("room", partial(check_room, asked.run)),
        ("Ray", check_ray),
        ("GPU", check_gpus),
        ("C compiler", check_compiler),
        ("Python's caches", check_bytecode),
    )
    findings = []
    for name, check in checks:
        try:
            findings += check()
        except ImportError as error:
            findings.append(failure(name, f"cannot be looked at: {error}", setup_command()))
        except Exception as error:
            text = f"the check itself failed: {type(error).__name__}: {error}"
            findings.append(failure(name, text, "report this, with what stands here"))
    return findings
