#!/usr/bin/env bash
# The long form of the fuzz tests: each target of tests/fuzz/ in turn, for so many minutes. Prints what libFuzzer says
# at its end (executions, coverage); stops at the first finding, whose input is build/fuzz/findings/TARGET-….
#
#   tests/fuzz.sh                        ten minutes for each: request state control notification http_answer http_request
#   tests/fuzz.sh MINUTES                so many for each
#   tests/fuzz.sh MINUTES TARGET…        these only
#   RP_FUZZ_KEEP=1 tests/fuzz.sh …       then adds to tests/fuzz/corpus/TARGET what reaches code that nothing there does
#
# It goes on from what it has found before: build/fuzz/corpus/TARGET. The normal run replays tests/fuzz/corpus. A
# finding is mended, and its input copied to the corpus under the name of what was wrong.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"
declare -A longest=([request]=8192 [state]=16384 [control]=4096 [notification]=2048 [http_answer]=20000 [http_request]=8192)
declare -A words=([http_answer]=http [http_request]=http) # the dictionary, where it is not json

fuzz() {
    local target=$1 seconds=$2 found=build/fuzz/corpus/$1 kept=tests/fuzz/corpus/$1
    local options=(-max_len="${longest[$target]}" -dict="tests/fuzz/${words[$target]:-json}.dict")
    mkdir -p "$found" build/fuzz/findings
    echo "== $target"
    "build/fuzz/bin/fuzz-$target" "${options[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="build/fuzz/findings/$target-" "$found" "$kept" >"build/fuzz/$target.log" 2>&1 || {
        tail -n 40 "build/fuzz/$target.log"
        return 1
    }
    grep -E 'DONE|^stat::' "build/fuzz/$target.log"
    [[ -z ${RP_FUZZ_KEEP:-} ]] || "build/fuzz/bin/fuzz-$target" "${options[@]}" -merge=1 "$kept" "$found" 2>&1 | tail -n 1
}

main() {
    local minutes=${1:-10} targets=("${@:2}") target
    ((${#targets[@]})) || targets=(request state control notification http_answer http_request)
    [[ $minutes =~ ^[1-9][0-9]*$ ]] || {
        echo "tests/fuzz.sh: $minutes: not a number of minutes" >&2
        exit 2
    }
    for target in "${targets[@]}"; do
        [[ -n ${longest[$target]:-} ]] || {
            echo "tests/fuzz.sh: $target: no such target; ${!longest[*]}" >&2
            exit 2
        }
    done
    rp_install_packages "${RP_PACKAGES_BUILD[@]}" "${RP_PACKAGES_TEST[@]}" "${RP_PACKAGES_FUZZ[@]}"
    cd "$root"
    cmake --preset fuzz -DRP_BUILD_TESTS=ON
    cmake --build --preset fuzz --target "${targets[@]/#/fuzz-}"
    for target in "${targets[@]}"; do fuzz "$target" "$((minutes * 60))"; done
}

main "$@"
