"""The CPUs that verl reserves are counted before a run starts."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from verl.single_controller.ray.base import ResourcePoolManager

from videossr_verl.cluster.reserved_cpus import A_GPU, ReservedCpus, check_cpus, reserved_cpus
from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.run_settings import compose_config


def config(*overrides):
    return compose_config("videossr_grpo", overrides)


def test_what_the_choices_of_clusters_reserve():
    assert reserved_cpus(config("cluster=1x8")) == ReservedCpus((8,), 8)
    assert reserved_cpus(config("cluster=1x8")).of_a_node == 34
    assert reserved_cpus(config("cluster=2x8")).of_a_node == 29
    assert reserved_cpus(config("cluster=1x1")).of_a_node == 7
    separate = reserved_cpus(config("cluster=2x8", "option=[separate_async]"))
    assert separate.gpus == (8, 8, 8)


def test_the_figure_is_verl_s():
    (field,) = [field for field in fields(ResourcePoolManager) if field.name == "max_colocate_count"]
    assert field.default == A_GPU


@given(st.lists(st.integers(1, 8), min_size=1, max_size=4), st.integers(1, 16))
def test_nodes_of_the_size_that_is_told_are_enough_and_smaller_ones_are_not(gpus, units):
    wanted = ReservedCpus(tuple(gpus), units)
    check_cpus(wanted, [{"CPU": wanted.of_a_node}] * len(gpus))
    if len(set(gpus)) == 1:
        with pytest.raises(BadInput, match="would wait for ever"):
            check_cpus(wanted, [{"CPU": wanted.total / len(gpus) - 1}] * len(gpus))


def test_what_is_said():
    wanted = ReservedCpus((8,), 8)
    with pytest.raises(BadInput) as error:
        check_cpus(wanted, [{"CPU": 32.0, "GPU": 8.0}])
    assert str(error.value) == (
        "the run would wait for ever: it reserves 34 CPUs (3 for each of 8 GPUs, 8 for storage units, 2 more), and Ray "
        "has 32 on 1 nodes: give its nodes more CPUs, or set "
        "transfer_queue.backend.SimpleStorage.num_data_storage_units=6"
    )
    check_cpus(ReservedCpus((8,), 6), [{"CPU": 32.0}])
    with pytest.raises(BadInput, match=r"give its nodes more CPUs$"):
        check_cpus(wanted, [{"CPU": 20.0}])
    with pytest.raises(BadInput, match=r"Ray has 60 on 2 nodes: give its nodes more CPUs$"):
        check_cpus(ReservedCpus((8, 8), 2), [{"CPU": 40.0}, {"CPU": 20.0}])
