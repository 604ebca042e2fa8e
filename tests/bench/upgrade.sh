#!/usr/bin/env bash
# What an upgrade costs: the time of each phase without traffic, and what requests see in the second of the upgrade
# beside the steady second before it. Prints Markdown tables; RESULTS.md has those of one machine. Takes about eight
# minutes, longer on a machine that is busy with other things.
#
#   tests/bench/upgrade.sh                          everything
#   tests/bench/upgrade.sh -k phases                one part: phases, latency, where_slow
#   RP_BENCH_UPGRADES=200 tests/bench/upgrade.sh    more upgrades without traffic (60 of each shape)
#   RP_BENCH_ROUNDS=100 tests/bench/upgrade.sh      more rounds under each load (30)
#   RP_BENCH_PATIENCE=900 tests/bench/upgrade.sh    wait longer for other programs to be quiet (300 s for each table)
#   RP_BIN_DIR=DIR tests/bench/upgrade.sh           programs from there (build/release/bin, built if it is not there)
#
# Root, or user namespaces: it runs in namespaces of its own. Only figures of one run can be compared.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/programs.sh
source "$root/tests/programs.sh"

rp_need_programs "$root"
exec python3 -B "$root/tests/bench/upgrade.py" "$@"
