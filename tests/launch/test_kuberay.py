"""recipes/launch/kuberay.sh: the RayJob it makes, and what its entrypoint runs. No Kubernetes is here."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
NEEDED = {"IMAGE": "registry/videossr:1", "CLAIM": "videos", "RUN": "/data/runs/a"}
COMMAND = ["bash", "recipes/grpo.sh", "/data/my videos", "data.data_root=$HERE/$(NAME)", "x='it''s'"]


def container(group):
    (one,) = group["template"]["spec"]["containers"]
    return one


def variables(group):
    return {entry["name"]: entry["value"] for entry in container(group)["env"]}


@pytest.fixture(scope="module")
def job(launch):
    """(**variables) -> the RayJob."""

    def make(**changes):
        finished = launch("kuberay.sh", *COMMAND, DRY_RUN=1, **NEEDED | changes)
        assert finished.returncode == 0, finished.stderr
        return yaml.safe_load(finished.stdout)

    return make


def test_the_job(job):
    made = job(NODES=3, GPUS=4, SHM="16Gi", VLLM_LOGGING_LEVEL="INFO", HF_HUB_TOKEN="hidden", WAIT_NODES=900)
    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == ("ray.io/v1", "RayJob", "videossr")
    spec = made["spec"]
    assert spec["entrypoint"] == "bash /workspace/videossr-verl/recipes/launch/kuberay.sh --inside"
    assert (spec["submissionMode"], spec["shutdownAfterJobFinishes"], spec["backoffLimit"]) == ("K8sJobMode", True, 1)
    cluster = spec["rayClusterSpec"]
    pinned = re.search(r"^ray==(.*)$", (ROOT / "constraints" / "gpu.txt").read_text(), re.MULTILINE)[1]
    assert cluster["rayVersion"] == pinned
    assert cluster["authOptions"] == {"mode": "token"}
    (workers,) = cluster["workerGroupSpecs"]
    assert [workers[key] for key in ("replicas", "minReplicas", "maxReplicas")] == [2, 2, 2]
    for group in (cluster["headGroupSpec"], workers):
        assert group["rayStartParams"] == {}
        assert container(group)["resources"]["limits"]["nvidia.com/gpu"] == 4
        volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
        assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "16Gi"}
        assert volumes["data"]["persistentVolumeClaim"] == {"claimName": "videos"}
        mounts = {mount["name"]: mount["mountPath"] for mount in container(group)["volumeMounts"]}
        assert mounts == {"shm": "/dev/shm", "data": "/data"}
        environment = variables(group)
        assert "HF_HUB_TOKEN" not in environment
        assert (environment["NODES"], environment["RUN"], environment["VLLM_LOGGING_LEVEL"]) == (
            "3",
            "/data/runs/a",
            "INFO",
        )
        assert environment["WAIT_NODES"] == "900"
        assert environment["HF_HOME"] == "/data/huggingface"
        assert container(group)["securityContext"]["capabilities"]["add"] == ["IPC_LOCK"]


def test_rdma_is_asked_for_by_the_cluster_s_name_for_it(job):
    group = job(RDMA="rdma/hca_shared_devices_a")["spec"]["rayClusterSpec"]["headGroupSpec"]
    for kind in ("requests", "limits"):
        assert container(group)["resources"][kind] == {
            "cpu": 48,
            "memory": "512Gi",
            "nvidia.com/gpu": 8,
            "rdma/hca_shared_devices_a": 1,
        }


def test_one_node_has_no_workers(job):
    assert "workerGroupSpecs" not in job(NODES=1)["spec"]["rayClusterSpec"]


def test_the_entrypoint_runs_the_command_as_it_was_given(job, launch):
    environment = variables(job()["spec"]["rayClusterSpec"]["headGroupSpec"])
    assert "$$(" not in environment["COMMAND"]  # $( is quoted, so Kubernetes has nothing to put in
    finished = launch("kuberay.sh", "--inside", DRY_RUN=1, **environment)
    supervised = shlex.split(finished.stdout)
    assert [Path(word).name for word in supervised[:4]] == ["bash", "ray.sh", "run", "bash"]
    assert supervised[3:] == COMMAND


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"CLAIM": ""}, "CLAIM is not set"),
        ({"RUN": "/runs/a"}, "RUN='/runs/a' is not below '/data'"),
        ({"NODES": 0}, "NODES='0' is not a number"),
    ],
)
def test_wrong_use(launch, changes, message):
    finished = launch("kuberay.sh", "true", **NEEDED | changes)
    assert finished.returncode == 2
    assert message in finished.stderr
