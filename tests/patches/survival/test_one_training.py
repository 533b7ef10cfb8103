"""A folder has one training at a time; tests/files/test_one_writer.py has what holds it."""

from types import SimpleNamespace

import pytest
import ray
from omegaconf import OmegaConf

from videossr_verl.errors import BadInput
from videossr_verl.files.one_writer import HOLDER
from videossr_verl.patches.survival import one_training


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """(val_only) -> one with this folder; those that wait give up soon."""
    monkeypatch.setattr(one_training, "PATIENCE", 0.1)
    folder = str(tmp_path)
    return lambda val_only=False: SimpleNamespace(
        config=OmegaConf.create({"trainer": {"default_local_dir": folder, "val_only": val_only}})
    )


def begin(trainer, began):
    one_training.wrap_init(lambda self: began.append(self))(trainer)


def test_the_second_training_ends_before_it_begins(trainer):
    first, began = trainer(), []
    begin(first, began)
    with pytest.raises(BadInput, match="training"):
        begin(trainer(), began)
    assert began == [first]


@pytest.mark.parametrize("error", [None, RuntimeError("no answers")])
def test_the_folder_is_free_when_training_ends(trainer, tmp_path, error):
    first, began = trainer(), []
    begin(first, began)

    def fit(self, manager):
        assert (tmp_path / HOLDER).exists()
        if error:
            raise error

    ended = []
    try:
        one_training.wrap_fit(fit)(first, None)
    except RuntimeError as raised:
        ended.append(raised)
    assert ended == [error] * (error is not None)
    begin(trainer(), began)
    assert len(began) == 2


def test_who_only_validates_takes_nothing(trainer, tmp_path):
    began = []
    begin(trainer(val_only=True), began)
    assert len(began) == 1
    assert not (tmp_path / HOLDER).exists()
