# shellcheck shell=bash
# For the recipes to source: what a recipe runs ends with it, whoever ends it.

running='' stopped=''
run() { # command or function: returns its exit code, or ends the recipe where a signal came, and its processes have ended
    local code=0
    set -m # a process group of its own, to which Ctrl-C in a terminal comes once, by `pass_on`
    "$@" &
    running=$!
    set +m
    while :; do
        code=0
        wait "$running" 2> /dev/null || code=$?
        kill -0 "$running" 2> /dev/null || break # a signal ended the wait, not the command
    done
    if [ -n "$stopped" ]; then
        local end=$((SECONDS + 60))
        while kill -0 -- "-$running" 2> /dev/null && [ "$SECONDS" -lt "$end" ]; do sleep 0.1; done
        kill -KILL -- "-$running" 2> /dev/null || true
        exit $((128 + $(kill -l "$stopped")))
    fi
    running=''
    return "$code"
}
do_it() { # command or function: runs it, or only prints it where DRY_RUN is set
    if [ -n "${DRY_RUN:-}" ]; then
        printf '%q ' "$@"
        echo
    else
        run "$@"
    fi
}
pass_on() { # signal
    stopped=$1
    [ -n "$running" ] || exit $((128 + $(kill -l "$1")))
    kill -s "$1" -- "-$running" 2> /dev/null || true
}
trap 'pass_on TERM' TERM
trap 'pass_on INT' INT
trap 'pass_on HUP' HUP
