#!/usr/bin/env bash
# A run as a RayJob on Kubernetes with the KubeRay operator (1.5.1 or newer): starts it, and KubeRay ends it.
#   IMAGE=NAME CLAIM=NAME RUN=/data/runs/a bash recipes/launch/kuberay.sh COMMAND...
# COMMAND is e.g.: bash recipes/grpo.sh /data/videos model=qwen3_vl_8b cluster=2x8; its paths are those in the pods
#   IMAGE            what docker/Dockerfile makes, under its name in your registry
#   CLAIM            PersistentVolumeClaim that all pods can mount at once (ReadWriteMany): videos, runs, weights
#   MOUNT=/data      where CLAIM is mounted; RUN must be below it
#   REPO=/workspace/videossr-verl   this repository in the image, or below MOUNT
#   NAME=videossr    the RayJob's name
#   NODES=2 GPUS=8 CPUS=48 MEMORY=512Gi SHM=64Gi   pods with the head, and what each has; SHM is part of MEMORY
#   RDMA=rdma/hca_shared_devices_a   the cluster's resource for InfiniBand or RoCE; a pod takes one
#   HF_HOME=MOUNT/huggingface   where weights are downloaded to, once for all pods
#   DRY_RUN=1        only print the YAML, e.g. to change it
# WAIT_NODES, DATA_ROOT, SKIP_DOCTOR and MAX_RESTARTS of ray.sh and supervise.sh work too. Pods get the variables of this
# shell that begin with VERL_, VLLM_, NCCL_, GLOO_, TORCH_ or HF_HUB_, unless they hold a secret. If a worker pod dies, it
# is replaced and waited for. If the head's pod dies, the RayJob starts once more, and goes on from its last checkpoint.
set -euo pipefail

fail() {
    echo "launch: $1" >&2
    exit 2
}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
--inside) # the RayJob's entrypoint, in the head's pod; KubeRay and Ray would each split and join a command anew
    cd "$here/../.."
    eval "set -- $COMMAND"
    exec bash "$here/supervise.sh" bash "$here/ray.sh" run "$@"
    ;;
esac
for name in IMAGE CLAIM RUN; do [ -n "${!name:-}" ] || fail "$name is not set: see --help"; done
mount=${MOUNT:-/data} repo=${REPO:-/workspace/videossr-verl} nodes=${NODES:-2}
[[ $nodes =~ ^[1-9][0-9]*$ ]] || fail "NODES='$nodes' is not a number: give how many pods take part, with the head's"
[[ $RUN == "$mount"/* ]] || fail "RUN='$RUN' is not below '$mount', the volume that the pods share: set RUN or MOUNT"
export HF_HOME=${HF_HOME:-$mount/huggingface}
resources="cpu: ${CPUS:-48}, memory: ${MEMORY:-512Gi}, nvidia.com/gpu: ${GPUS:-8}${RDMA:+, $RDMA: 1}"
version=$(sed -n 's/^ray==//p' "$here/../../constraints/gpu.txt")

quoted() { # a YAML string; Kubernetes puts variables in for $(NAME)
    local text=${1//\'/\'\'}
    printf "'%s'" "${text//\$(/\$\$(}"
}
variables() {
    local name secret='TOKEN|KEY|SECRET|PASSWORD'
    for name in NODES RUN COMMAND $(compgen -e | grep -E '^((VERL|VLLM|NCCL|GLOO|TORCH|HF_HUB)_|(WAIT_NODES|DATA_ROOT|SKIP_DOCTOR|MAX_RESTARTS|HF_HOME)$)'); do
        [[ $name =~ $secret ]] || printf '                - {name: %s, value: %s}\n' "$name" "$(quoted "${!name}")"
    done
}
pod() {
    cat << YAML
      rayStartParams: {}
      template:
        spec:
          containers:
            - name: ray
              image: $(quoted "$IMAGE")
              workingDir: $(quoted "$repo")
              env:
$(variables)
              securityContext: {capabilities: {add: [IPC_LOCK]}} # RDMA pins memory
              resources:
                requests: {$resources}
                limits: {$resources}
              volumeMounts:
                - {name: shm, mountPath: /dev/shm}
                - {name: data, mountPath: $(quoted "$mount")}
          volumes:
            - name: shm
              emptyDir: {medium: Memory, sizeLimit: ${SHM:-64Gi}}
            - name: data
              persistentVolumeClaim: {claimName: $(quoted "$CLAIM")}
YAML
}
workers() { # the same pod, as an item of a list
    [ "$nodes" -gt 1 ] || return 0
    cat << YAML
    workerGroupSpecs:
      - groupName: workers
        replicas: $((nodes - 1))
        minReplicas: $((nodes - 1))
        maxReplicas: $((nodes - 1))
$(pod | sed 's/^/  /')
YAML
}
job() {
    cat << YAML
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: $(quoted "${NAME:-videossr}")
spec:
  submissionMode: K8sJobMode
  entrypoint: bash $(printf %q "$repo")/recipes/launch/kuberay.sh --inside
  backoffLimit: 1
  shutdownAfterJobFinishes: true
  ttlSecondsAfterFinished: 600
  rayClusterSpec:
    rayVersion: '$version'
    authOptions: {mode: token}
    headGroupSpec:
$(pod)
$(workers)
YAML
}
COMMAND=$(printf '%q ' "$@") NODES=$nodes
if [ -n "${DRY_RUN:-}" ]; then
    job
else
    command -v kubectl > /dev/null || fail "no kubectl on this machine: install it, or print the YAML with DRY_RUN=1"
    job | kubectl create -f -
fi
