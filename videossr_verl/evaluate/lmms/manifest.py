"""Entry point of group `lmms_eval.models`: `--model videossr`."""

from __future__ import annotations

from lmms_eval.models.registry_v2 import ModelManifest  # pyright: ignore[reportMissingImports]  # of another environment

manifest = ModelManifest(model_id="videossr", chat_class_path="videossr_verl.evaluate.lmms.model.VideoModel")
