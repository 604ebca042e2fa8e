#!/usr/bin/env bash
# The long form of the upgrade tests; each part prints a table. Zero failed requests.
#
#   upgrades          200 upgrades of every shape, with 64+64 and with 256+256 clients; six minutes on two quiet cores
#   random_upgrades   500 of each of two shapes, a random third of them bad, with `status` asked all the time; six minutes
#   kills             client, supervisor, a new, one of several, and the old process killed, each at every phase
#                     boundary and at 200 random instants of an upgrade, with 64+64 clients; six minutes; a killed
#                     server takes with it the requests it had, and each that is lost must be one of those; a kill
#                     that came too early or too late is made again
#
#   tests/long.sh                                 everything
#   tests/long.sh PART...                         these parts only
#   RP_LONG_UPGRADES=50 tests/long.sh             fewer upgrades of each
#   RP_LONG_CLIENTS="64 1024" tests/long.sh       other numbers of clients (fresh ones, and as many keep-alive ones)
#   RP_LONG_SHAPES="4->3,dual stack" tests/long.sh   these shapes only (tests/integration/upgrades.py has the list)
#   RP_LONG_RANDOM=100 tests/long.sh random_upgrades   fewer of these
#   RP_RANDOM_SEED=SEED tests/long.sh random_upgrades  the same again: the seed is printed
#   RP_LONG_KILLS=20 tests/long.sh kills          fewer of these; RP_KILLS_SEED=SEED: the same again
#   RP_BIN_DIR=DIR tests/long.sh                  programs from there (build/release/bin, built if it is not there)
#
# Root, or user namespaces: it runs in a network namespace of its own, with net.ipv4.tcp_migrate_req=0.
set -euo pipefail

parts=("$@")
((${#parts[@]})) || parts=(upgrades random_upgrades kills)
for part in "${parts[@]}"; do
    case $part in
    upgrades | random_upgrades | kills) ;;
    *)
        echo "tests/long.sh: $part: no such part; upgrades, random_upgrades or kills" >&2
        exit 2
        ;;
    esac
done
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/programs.sh
source "$root/tests/programs.sh"

rp_need_programs "$root"
status=0
for part in "${parts[@]}"; do
    python3 -B "$root/tests/integration/long_$part.py" || status=1
done
exit "$status"
