#!/usr/bin/env bash
# clang-tidy over everything that the build compiles: tests/checks/tidy.sh [BUILD_DIR] [FILE-PATTERN]
#
# Takes some minutes, so it is no part of the test run. BUILD_DIR (build/release) must be configured; FILE-PATTERN is
# a regular expression on paths. Criterion's macros are not ours to mend, so unit tests are left out.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${1:-$root/build/release}
pattern=${2:-.}
sed -n 's/^ *"file": "\(.*\)".*/\1/p' "$build/compile_commands.json" |
    grep -v /tests/unit/ | grep -E -- "$pattern" |
    xargs --no-run-if-empty --max-args 1 --max-procs "$(nproc)" clang-tidy --quiet -p "$build"
