#!/usr/bin/env bash
# What a request costs, beside nginx, h2o and Go's net/http on the same machine: server CPU time per request, requests
# per second and latencies of each workload, as ratios to nginx; memory per idle connection; the spread over two
# workers. Each server has one core and the load generator the other. Prints Markdown tables; RESULTS.md has those of
# one machine. Takes about eight minutes.
#
#   tests/bench/run.sh                     everything
#   tests/bench/run.sh -k keep_alive       one part: keep_alive, new_connections, pipelined, upload, idle_memory,
#                                          spread, system_calls
#   RP_BENCH_ROUNDS=20 tests/bench/run.sh  more rounds of each workload (7)
#   RP_BENCH_SECONDS=3 tests/bench/run.sh  longer ones (2 s for each server)
#   RP_BIN_DIR=DIR tests/bench/run.sh      programs from there (build/release/bin, built if it is not there)
#
# Root: h2o changes its user, and the kernel tells nobody else what its memory is used for. nginx and h2o are fetched
# and unpacked into build/peers, not installed: their packages would start a service.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/programs.sh
source "$root/tests/programs.sh"

if ((EUID != 0)); then
    echo "run.sh: needs root, see the head of this file" >&2
    exit 2
fi
rp_install_packages "${RP_PACKAGES_BENCH[@]}"
rp_need_programs "$root"
export RP_PEERS_DIR=$root/build/peers
mkdir -p "$RP_PEERS_DIR"
rp_unpack_packages "$RP_PEERS_DIR" "${RP_PACKAGES_BENCH_UNPACKED[@]}"
GOCACHE=$RP_PEERS_DIR/cache GO111MODULE=off go build -o "$RP_PEERS_DIR/go-server" "$root/tests/bench/peers/server.go"
exec python3 -B "$root/tests/bench/run.py" "$@"
