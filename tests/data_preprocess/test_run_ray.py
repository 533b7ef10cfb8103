"""Jobs on a real Ray, whose GPUs are only names here."""

import os

import pytest

from data_preprocess.run_ray import _gpu_share, run_on_ray
from videossr_verl.errors import MachineError
from videossr_verl.video.probe_record import Failure

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    ray.init(num_cpus=4, num_gpus=1, include_dashboard=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.parametrize(("use_gpus", "share"), [(True, 0.25), (False, 0)])
def test_jobs_share_the_gpus(cluster, use_gpus, share):
    def gpus_of(_):  # inside, so that Ray sends its code: workers cannot import a test
        return {"gpus": ray.get_runtime_context().get_assigned_resources().get("GPU", 0)}

    done = list(run_on_ray("auto", gpus_of, [(i,) for i in range(6)], 60, use_gpus))
    assert sorted(job for job, _ in done) == [(i,) for i in range(6)]
    assert [result for _, result in done] == [{"gpus": share}] * 6


def test_a_crash_is_a_verdict_and_a_worker_that_was_ended_is_not(cluster):
    ended = Failure("decoder_crashed", "the worker process was ended by SIGABRT")
    assert list(run_on_ray("auto", os.abort, [()], 60)) == [((), ended)]
    with pytest.raises(MachineError, match="exit code 3"):
        list(run_on_ray("auto", os._exit, [(3,)], 60))


def test_the_share():
    assert _gpu_share({"CPU": 96, "GPU": 8}) == 0.0833
    assert _gpu_share({"CPU": 2, "GPU": 8}) == 1
    assert _gpu_share({"CPU": 2}) == 0
