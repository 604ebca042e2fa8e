#!/usr/bin/env bash
# The long form of the torture tests: each allocation and each system call of the supervisor fails once, one at a time,
# in an upgrade, in one of a foreign server, in one of a release that leaves a process behind, after a crash, in a start
# and in a stop; and it is killed in the place of each in an upgrade ("killed") and in a takeover. Prints one line for
# each, and how many there were and what came of them.
#
#   tests/torture.sh                                everything
#   RP_TORTURE_SCENARIOS="upgrade" tests/torture.sh   these only: upgrade foreign leaving crash start stop killed
#                                                   takeover; seven minutes for "upgrade", two for crash, start and stop
#                                                   together, seven for the calls of "killed"
#   RP_TORTURE_KINDS="memory" tests/torture.sh      these only: memory call
#   RP_TORTURE_FIRST=40 RP_TORTURE_STEP=7 tests/torture.sh   the 40th, the 47th, …
#   RP_BIN_DIR=DIR tests/torture.sh                 programs from there (build/release/bin, built if it is not there)
#
# Root, or user namespaces: it runs in a network namespace of its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/programs.sh
source "$root/tests/programs.sh"

rp_need_programs "$root"
exec python3 -B "$root/tests/integration/long_torture.py"
