#!/usr/bin/env bash
# A run over the nodes of a Slurm job, submitted from this repository's folder:
#   RUN=FOLDER sbatch --nodes=2 --gpus-per-node=8 --time=24:00:00 recipes/launch/slurm.sh COMMAND...
# COMMAND is e.g.: bash recipes/grpo.sh /data/videos model=qwen3_vl_8b cluster=2x8
#   RUN          the run's folder, on a disk that all nodes share; logs go to RUN/logs, this script's to slurm-NAME-ID.log
#   VENV=.venv   the environment that has the stack, if none is active
#   INSIDE="apptainer exec --nv --bind /data videossr-verl.sif"   runs all in a container, in place of VENV; the image
#                is that of docker/Dockerfile: apptainer build videossr-verl.sif docker-daemon://videossr-verl:latest
#   DRY_RUN=1    run by bash, not sbatch: only print the commands (NODES=2)
# The other variables of recipes/launch/ray.sh work too (see its --help). Ray's head and COMMAND run on the job's first
# node. After a node's failure or a preemption Slurm puts the job in the queue again, and COMMAND goes on from its last
# checkpoint. Two minutes before the time is up COMMAND is stopped; the same sbatch goes on.
#SBATCH --job-name=videossr
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%x-%j.log
#SBATCH --signal=B:TERM@120
set -euo pipefail

fail() {
    echo "launch: $1" >&2
    exit 2
}
case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^#SBATCH /{/^#SBATCH /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
esac
[ -n "${RUN:-}" ] || fail "RUN is not set: give the run's folder, on a disk that all nodes share"
ray=recipes/launch/ray.sh # Slurm runs a copy of this file, so only the folder tells where the repository is
[ -f "$ray" ] || fail "no $ray in $PWD: submit from the repository's folder"
read -ra inside <<< "${INSIDE:-}"
if [ -n "${INSIDE:-}" ]; then
    [ -z "${VENV:-}" ] || fail "VENV and INSIDE are both set: a container has an environment of its own"
elif [ -f "${VENV:-.venv}/bin/activate" ]; then
    # shellcheck disable=SC1091
    source "${VENV:-.venv}/bin/activate"
else
    [ -z "${VENV:-}" ] || fail "VENV='$VENV' is no virtual environment: give its folder"
fi
if [ -n "${DRY_RUN:-}" ]; then
    export NODES=${NODES:-2} IP=${IP:-HEAD}
    names=(first)
    for ((i = 1; i < NODES; i++)); do names+=("other$i"); done
else
    [ -n "${SLURM_JOB_NODELIST:-}" ] || fail "not in a Slurm job: submit this file with sbatch"
    mapfile -t names < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    export NODES=${#names[@]}
    IP=${IP:-$("${inside[@]}" python -c 'import ray; print(ray.util.get_node_ip_address())')}
    export IP
fi
export HOSTS="${names[*]}" RUN
others=("${names[@]:1}")

# A step on each other node: all its cores and, by the job's own options, its GPUs. IP is the head's alone.
list=$(IFS=, && echo "${others[*]}")
workers=(srun --nodes="${#others[@]}" --ntasks="${#others[@]}" --nodelist="$list" --cpus-per-task="${SLURM_CPUS_ON_NODE:-1}"
    "--export=ALL,IP=" --output="${RUN//%/%%}/logs/ray-%N.log" "${inside[@]}" bash "$ray" worker "$IP:${PORT:-6379}")
head=("${inside[@]}" bash "$ray" head "$@")
if [ -n "${DRY_RUN:-}" ]; then
    [ "$NODES" = 1 ] || {
        printf '%q ' "${workers[@]}"
        echo
    }
    "${head[@]}"
    exit
fi
mkdir -p "$RUN/logs"
[ "$NODES" = 1 ] || "${workers[@]}" &
"${head[@]}" &
running=$!
trap 'kill -TERM "$running"' TERM INT
code=0
wait "$running" || code=$?
while kill -0 "$running" 2> /dev/null; do wait "$running" || code=$?; done
exit "$code" # which ends the workers' step
