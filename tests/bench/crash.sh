#!/usr/bin/env bash
# What it costs that a server is killed: the time from SIGKILL to the first answer of the process that is launched in
# its place, under 64 clients that connect anew for every request, and what becomes of their requests. Prints Markdown
# tables; RESULTS.md has those of one machine. Fails when a connection was refused. Takes about a minute.
#
#   tests/bench/crash.sh                     everything
#   tests/bench/crash.sh -k one_of_three     one part: alone, one_of_three, all_of_three
#   RP_BENCH_KILLS=200 tests/bench/crash.sh  more kills of each kind (30)
#   RP_BIN_DIR=DIR tests/bench/crash.sh      programs from there (build/release/bin, built if it is not there)
#
# Root, or user namespaces: it runs in namespaces of its own. Only figures of one run can be compared.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/programs.sh
source "$root/tests/programs.sh"

rp_need_programs "$root"
exec python3 -B "$root/tests/bench/crash.py" "$@"
