#!/usr/bin/env bash
# Runs a training command, and starts it again when it fails: verl then goes on from its last whole checkpoint.
#   RUN=FOLDER bash recipes/launch/supervise.sh COMMAND...
#   RUN                the run's folder: checkpoints are in RUN/steps, as recipes/grpo.sh does; logs go to RUN/logs
#   MAX_RESTARTS=3     restarts without a new checkpoint in between; with a new one the count begins anew
#   RESTART_PAUSE=30   seconds before a restart, twice as long before each further one
#   DRY_RUN=1          only print the command
# It is not started again after wrong input (exit code 2, or a BadInput that ended verl), nor if more videos are lost than
# data.max_lost_share, nor after it was told to stop. TERM, INT and HUP go to all of COMMAND's processes, which have 60
# seconds to end.
set -euo pipefail

fail() {
    echo "supervise: $1" >&2
    exit 2
}
case "${1:-}" in
"" | -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit $(($# == 0 ? 2 : 0))
    ;;
esac
most=${MAX_RESTARTS:-3} pause=${RESTART_PAUSE:-30}
[ -n "${RUN:-}" ] || fail "RUN is not set: give the run's folder, the same that the command writes to"
[[ $most =~ ^[0-9]+$ ]] || fail "MAX_RESTARTS='$most' is not a number: give 0 or more"
[[ $pause =~ ^[0-9]+$ ]] || fail "RESTART_PAUSE='$pause' is not a number: give whole seconds"
command -v pkill > /dev/null || fail "no pkill on this machine: install procps"
if [ -n "${DRY_RUN:-}" ]; then
    printf '%q ' "$@"
    echo
    exit 0
fi
RUN=$(realpath -m "$RUN")
export RUN
mkdir -p "$RUN/logs" || fail "cannot write to '$RUN/logs'"

child='' sleeper='' stopped=''
say() {
    echo "supervise: $(date '+%F %T') $1"
}
saved() {
    cat "$RUN/steps/latest_checkpointed_iteration.txt" 2> /dev/null || echo none
}
send() { # signal: to every process of the command, which has a session of its own
    pkill -"$1" -s "$child" || true
}
stop() {
    stopped=$1
    [ -z "$sleeper" ] || kill "$sleeper" 2> /dev/null || true
    [ -z "$child" ] || {
        kill -TERM "$child" 2> /dev/null || true
        send TERM
    }
}
for signal in TERM INT HUP; do
    # shellcheck disable=SC2064  # each trap with its own signal
    trap "stop $signal" "$signal"
done

attempt() { # command: sets code
    : > "$log"
    setsid "$@" < /dev/null >> "$log" 2>&1 &
    child=$!
    tail -n +1 -f -s 0.2 --pid="$child" "$log" &
    local shown=$!
    [ -z "$stopped" ] || stop "$stopped"
    code=0
    { wait "$child" || code=$?; } 2> /dev/null # Bash's own line on a killed child
    if [ -n "$stopped" ]; then
        local end=$((SECONDS + 60))
        while pgrep -s "$child" > /dev/null && [ "$SECONDS" -lt "$end" ]; do sleep 0.1; done
    fi
    send KILL
    wait "$shown" || true
    child=''
}
how_it_ended() {
    local name
    if [ "$code" -gt 128 ] && name=$(kill -l $((code - 128)) 2> /dev/null); then
        echo "killed by SIG$name"
    else
        echo "exit code $code"
    fi
}
last_error() {
    local plain line
    plain=$(sed -E 's/\x1b\[[0-9;]*m//g; s/^\([^()]* pid=[0-9]+[^()]*\) *//' "$log" | grep -a '[^[:space:]]' | tail -n 20000) || true
    line=$(grep -aE '^([A-Za-z_]+\.)*[A-Za-z_]*(Error|Exception|BadInput)(\([A-Za-z]+\))?(:|$)' <<< "$plain" | tail -n 1) \
        || line=$(tail -n 1 <<< "$plain")
    echo "${line:0:1000}"
}
wrong_input() { # verl itself ends with 1 where a task raised these; lines of tasks begin with (Name pid=...)
    local final='BadInput|TooManyLostGroupsError'
    [ "$code" = 2 ] || grep -qaE "^(ray\.exceptions\.RayTaskError\(($final)\)|videossr_verl\.[a-z_.]+\.($final)): " "$log"
}

number=1 restarts=0 fruitless=0
while :; do
    while [ -e "$RUN/logs/$(printf %03d "$number").log" ]; do number=$((number + 1)); done
    log=$RUN/logs/$(printf %03d "$number").log
    before=$(saved)
    attempt "$@"
    now=$(saved)
    resume="last checkpoint: $now; log: $log; the same command goes on from there"
    if [ -n "$stopped" ]; then
        say "stopped by SIG$stopped; $resume"
        exit $((128 + $(kill -l "$stopped")))
    elif [ "$code" = 0 ]; then
        say "finished after $restarts restarts; last checkpoint: $now"
        exit 0
    elif wrong_input; then
        say "wrong input, not started again: $(last_error); $resume"
        exit 2
    fi
    [ "$now" = "$before" ] || fruitless=0
    if [ "$fruitless" -ge "$most" ]; then
        say "given up, $(how_it_ended), $fruitless restarts without a new checkpoint: $(last_error); $resume"
        exit "$code"
    fi
    seconds=$((pause * 2 ** fruitless))
    fruitless=$((fruitless + 1)) restarts=$((restarts + 1))
    say "$(how_it_ended), last checkpoint: $now: $(last_error); restart $fruitless of $most in $seconds s"
    sleep "$seconds" &
    sleeper=$!
    [ -z "$stopped" ] || stop "$stopped"
    wait "$sleeper" || true
    sleeper=''
    if [ -n "$stopped" ]; then
        say "stopped by SIG$stopped before the restart; $resume"
        exit $((128 + $(kill -l "$stopped")))
    fi
done
