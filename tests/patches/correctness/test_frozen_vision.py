"""A frozen vision tower has no gradients, and nothing else is frozen; tests/e2e/test_grpo_recipe.py trains one."""

from types import SimpleNamespace

import pytest
import verl.workers.engine_workers  # noqa: F401
from omegaconf import OmegaConf
from transformers import AutoModelForImageTextToText

from videossr_verl.patches.correctness import frozen_vision


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("forward_only", [True, False])
def test_only_the_tower_of_what_is_trained(checkpoint, family, frozen, forward_only):
    config = OmegaConf.create({"actor": {"freeze_vision_tower": frozen}})
    frozen_vision.wrap_init(lambda self, config: None)(None, config)
    engine = SimpleNamespace(engine_config=SimpleNamespace(forward_only=forward_only))
    build = frozen_vision.wrap_build_module(
        lambda self: AutoModelForImageTextToText.from_pretrained(checkpoint(family))
    )
    model = build(engine)
    without = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    tower = {name for name, _ in model.named_parameters() if name.startswith("model.visual.")}
    assert tower
    assert without == (tower if frozen and not forward_only else set())


def test_a_config_without_the_key():
    frozen_vision.wrap_init(lambda self, config: None)(None, OmegaConf.create({}))
    assert frozen_vision._wanted == {"frozen": False}


def test_verl_still_needs_it():
    """When this fails, verl reads the setting itself: the repair may go."""
    from pathlib import Path

    import verl

    users = [p for p in Path(verl.__file__).parent.rglob("*.py") if "freeze_vision_tower" in p.read_text("utf-8")]
    assert [path.name for path in users] == ["actor.py"]
