#!/usr/bin/env bash
# The one test command: installs what is missing (Debian 12), builds, and runs every test through ctest.
#
#   tests/run.sh            preset release with the checks, preset tsan, then preset asan
#   tests/run.sh PRESET…    only these presets (release, tsan, asan, dev, …)
#
# Of tsan, the thread sanitizer, it is the tests of threads alone (tests/threads): Criterion forks from a process with
# threads, which that sanitizer cannot follow, and libuv closes descriptors past it. The first preset runs the checks of
# the source too (format, layering, close-on-exec, clang, shellcheck). Under sanitizers the integration tests use fewer
# clients (RP_TEST_SANITIZED, see tests/integration/harness.py); nothing is left out. What the tests have measured is in
# build/PRESET/figures.txt, and shown for all presets but the last, so that the output ends with ctest's own words.
# Stops at the first preset that fails. The long forms are tests/long.sh, tests/torture.sh, tests/fuzz.sh and
# tests/checks/tidy.sh.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"

run_preset() {
    local preset=$1 target=all
    shift
    if [[ $preset == tsan ]]; then
        target=threads
        set -- "$@" --label-regex '^threads$'
    fi
    echo "== $preset: build"
    cmake --preset "$preset" -DRP_BUILD_TESTS=ON >"$root/build/configure-$preset.log" 2>&1 || {
        cat "$root/build/configure-$preset.log"
        return 1
    }
    cmake --build --preset "$preset" --target "$target"
    echo "== $preset: test"
    rm -f "build/$preset/figures.txt"
    ctest --test-dir "build/$preset" --parallel "$(nproc)" --output-on-failure --no-label-summary --no-tests=error \
        "$@"
}

main() {
    local presets=("$@") without_checks=() preset last=
    ((${#presets[@]})) || presets=(release tsan asan)
    rp_install_packages "${RP_PACKAGES_BUILD[@]}" "${RP_PACKAGES_TEST[@]}"
    cd "$root"
    mkdir -p build
    for preset in "${presets[@]}"; do
        [[ -z $last || ! -e build/$last/figures.txt ]] || cat "build/$last/figures.txt"
        last=$preset
        run_preset "$preset" "${without_checks[@]}"
        without_checks=(--label-exclude '^check$')
    done
}

main "$@"
