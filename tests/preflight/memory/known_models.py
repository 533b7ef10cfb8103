"""The models whose shapes the package knows."""

from pathlib import Path

import yaml

from videossr_verl.preflight.memory import shapes

KNOWN_MODELS = list(yaml.safe_load(Path(shapes.__file__).with_name("models.yaml").read_text(encoding="utf-8")))
