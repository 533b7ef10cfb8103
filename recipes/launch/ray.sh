#!/usr/bin/env bash
# A Ray cluster of several machines, and a training command on it. On every machine from this repository's folder, in
# the environment that has the stack:
#   NODES=2 RUN=FOLDER bash recipes/launch/ray.sh head COMMAND...    on the first: starts Ray, waits for the others, runs
#                        COMMAND under supervise.sh, and stops Ray when it is done; without COMMAND only starts Ray
#   RUN=FOLDER bash recipes/launch/ray.sh worker ADDRESS[:PORT]      on each other, before or after the head; ends with it
#   NODES=2 bash recipes/launch/ray.sh run COMMAND...    on a cluster that is there: waits for its nodes, asks
#                        `videossr doctor` whether each is fit, and runs COMMAND once; exit code 75 where the cluster
#                        is not ready, after which supervise.sh tries again
# COMMAND is e.g.: bash recipes/grpo.sh /data/videos model=qwen3_vl_8b cluster=2x8
#   RUN                  the run's folder, on a disk that all nodes share (checkpoints are written by every node)
#   HOSTS="a b"          the nodes' names, so that missing ones can be named
#   WAIT_NODES=600       seconds to wait for nodes
#   DATA_ROOT=FOLDER     the doctor looks for it on every node; '$NAME/videos' where each node has its own NAME
#   SKIP_DOCTOR=1        without the doctor
#   IP, PORT=6379        this node's address in the network of the nodes (default: Ray's guess), and the head's port
#   RAY_START="--num-gpus 8 ..."   further options of `ray start`
#   DRY_RUN=1            only print the commands
# Ray wants the same secret from all who join: RAY_AUTH_TOKEN, or RUN/ray_token, which the head writes. Variables of the
# `run` shell that begin with VERL_, VLLM_, NCCL_, GLOO_, TORCH_ or HF_HUB_ hold on all nodes, unless they hold a secret,
# and so does HF_HOME: on a disk that all nodes share, weights are downloaded once.
set -euo pipefail

fail() {
    echo "launch: $1" >&2
    exit 2
}
verb=${1:-}
case "$verb" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
head | worker | run) shift ;;
*) fail "unknown verb '$verb': give head, worker or run" ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
nodes=${NODES:-1} seconds=${WAIT_NODES:-600} port=${PORT:-6379}
[[ $nodes =~ ^[1-9][0-9]*$ ]] || fail "NODES='$nodes' is not a number: give how many nodes take part, with the head"
[[ $seconds =~ ^[0-9]+$ ]] || fail "WAIT_NODES='$seconds' is not a number: give whole seconds"
read -ra options <<< "${RAY_START:-}"
read -ra hosts <<< "$(tr '\n' ' ' <<< "${HOSTS:-}")"
[ -z "${RUN:-}" ] || {
    RUN=$(realpath -m "$RUN")
    export RUN
}
show() {
    printf '%q ' "$@"
    echo
}
answers() { # host, port
    (exec 3<> "/dev/tcp/$1/$2") 2> /dev/null
}
use_secret() { # Ray wants the same from all who join; it is written by the head where nobody gives one
    [ -z "${RAY_AUTH_MODE:-}" ] || return 0 # somebody has decided already
    if [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ]; then
        [ -s "${RUN:-}/ray_token" ] || return 1
        export RAY_AUTH_TOKEN_PATH=$RUN/ray_token
    fi
    export RAY_AUTH_MODE=token
}

keep_ray() { # whether it is still wanted, command: starts Ray again where it ended, until told to stop
    local wanted=$1 again ray=''
    shift
    trap 'end_ray "$ray"; exit 0' TERM INT HUP
    for again in 1 2 3 4 5; do
        setsid "$@" &
        ray=$!
        wait "$ray" || true
        end_ray "$ray"
        "$wanted" || return 0
        echo "launch: Ray ended on this node, time $again of 5"
        sleep 5
    done
    fail "Ray ended 5 times on this node: see its log above"
}
end_ray() { # process id of `ray start`: all of its session; a worker whose head is gone would take a minute
    local end=$((SECONDS + 5))
    kill "$1" 2> /dev/null || true
    while kill -0 "$1" 2> /dev/null && [ "$SECONDS" -lt "$end" ]; do sleep 0.1; done
    pkill -KILL -s "$1" || true
}

be_head() {
    [ -n "${RUN:-}" ] || fail "RUN is not set: give the run's folder, on a disk that all nodes share"
    local ip start training
    ip=${IP:-$(python -c 'import ray; print(ray.util.get_node_ip_address())')}
    start=(ray start --head --block --disable-usage-stats --node-ip-address "$ip" --port "$port" "${options[@]}")
    training=(bash "$here/supervise.sh" bash "$here/ray.sh" run "$@")
    export RAY_ADDRESS=$ip:$port
    echo "# on each of the other $((nodes - 1)) nodes: RUN=$(printf %q "$RUN") bash $here/ray.sh worker $RAY_ADDRESS"
    if [ -n "${DRY_RUN:-}" ]; then
        show "${start[@]}"
        [ $# = 0 ] || {
            show "${training[@]}"
            do_run "$@"
        }
        return
    fi
    ! answers "$ip" "$port" || fail "port $port is in use on $ip: stop what listens there, or set PORT"
    mkdir -p "$RUN/logs"
    use_secret || {
        (umask 077 && python -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RUN/ray_token")
        use_secret
    }
    [ $# != 0 ] || keep_ray true "${start[@]}"
    keep_ray true "${start[@]}" > "$RUN/logs/ray-head.log" 2>&1 &
    local kept=$! child=''
    # shellcheck disable=SC2064  # this process id
    trap "kill $kept 2> /dev/null || true; wait $kept || true" EXIT
    trap 'stopped=1; [ -z "$child" ] || kill -TERM "$child"' TERM INT HUP
    "${training[@]}" &
    child=$!
    [ -z "${stopped:-}" ] || kill -TERM "$child"
    local code=0
    wait "$child" || code=$?
    while kill -0 "$child" 2> /dev/null; do wait "$child" || code=$?; done # a signal ends the first wait early
    exit "$code"
}

be_worker() {
    [ $# = 1 ] || fail "give the head's address"
    local ip=${1%:*} end start
    [[ $1 != *:* ]] || port=${1##*:}
    start=(ray start --block --address "$ip:$port" "${options[@]}")
    [ -z "${IP:-}" ] || start+=(--node-ip-address "$IP")
    if [ -n "${DRY_RUN:-}" ]; then
        show "${start[@]}"
        return
    fi
    end=$((SECONDS + seconds))
    until answers "$ip" "$port"; do
        [ "$SECONDS" -lt "$end" ] || fail "no head answers at $ip:$port after $seconds s: start it there with ray.sh head"
        sleep 1
    done
    use_secret || fail "no secret in '${RUN:-}/ray_token': set RUN to the head's, or RAY_AUTH_TOKEN"
    head_answers() { answers "$ip" "$port"; }
    keep_ray head_answers "${start[@]}"
    echo "launch: the head at $ip:$port is gone"
}

do_run() {
    [ $# != 0 ] || fail "give the command to run"
    local wait doctor passed
    wait=(python "$here/wait_for_nodes.py" "$nodes" "$seconds" "${hosts[@]}")
    doctor=(videossr doctor --cluster "${RAY_ADDRESS:=auto}")
    [ -z "${DATA_ROOT:-}" ] || doctor+=(--data-root "$DATA_ROOT")
    [ -z "${RUN:-}" ] || doctor+=(--run "$RUN")
    if [ -n "${DRY_RUN:-}" ]; then
        show "${wait[@]}"
        [ -n "${SKIP_DOCTOR:-}" ] || show "${doctor[@]}"
        show "$@"
        return
    fi
    export RAY_ADDRESS
    use_secret || true # a cluster that somebody else has started
    if [ -z "${RAY_JOB_CONFIG_JSON_ENV_VAR:-}" ]; then
        passed=$(python -c 'import json, os, re
own = re.compile("HF_HOME$|(VERL|VLLM|NCCL|GLOO|TORCH|HF_HUB)_(?!.*(TOKEN|KEY|SECRET|PASSWORD))")
print(json.dumps({"runtime_env": {"env_vars": {k: v for k, v in os.environ.items() if own.match(k)}}}))')
        export RAY_JOB_CONFIG_JSON_ENV_VAR=$passed RAY_OVERRIDE_JOB_RUNTIME_ENV=1
    fi
    "${wait[@]}"
    [ -n "${SKIP_DOCTOR:-}" ] || "${doctor[@]}" || [ $? = 1 ] || {
        echo "launch: the doctor found failures: mend them, or set SKIP_DOCTOR=1" >&2
        exit 75 # of a node that has just come back they may pass
    }
    exec "$@"
}

case "$verb" in
head) be_head "$@" ;;
worker) be_worker "$@" ;;
run) do_run "$@" ;;
esac
