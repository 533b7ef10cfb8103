"""vLLM 0.28.0: its server imports model_hosting_container_standards, which sets the root logger to ERROR.

verl's trainer imports that server, so no warning, of this package or another, would be seen from there on. The level
stands in an environment variable that is read at that import.
"""

from __future__ import annotations

import os

LEVEL = "SAGEMAKER_CONTAINER_LOG_LEVEL"


def set_log_level() -> None:
    """Has warnings logged, which is Python's own default. Keeps a level that somebody asked for."""
    os.environ.setdefault(LEVEL, os.environ.get("LOG_LEVEL", "WARNING"))
