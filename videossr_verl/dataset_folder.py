"""What the folder that `videossr build` wrote says about itself."""

from __future__ import annotations

import json
from pathlib import Path

from videossr_verl.errors import BadInput


def stored_data_root(folder: str | Path) -> str:
    """The folder that the rows' video paths are relative to; BadInput where dataset.json does not tell."""
    file = Path(folder) / "dataset.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))["data_root"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"'{file}' does not tell the data root; give --data-root") from error
