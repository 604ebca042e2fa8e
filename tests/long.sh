#!/usr/bin/env bash
# The long form of the upgrade tests: 200 upgrades of every shape, with 64+64 and with 256+256 clients, zero failed
# requests; prints a table at the end. Takes six minutes on two quiet cores.
#
#   tests/long.sh                                 everything
#   RP_LONG_UPGRADES=50 tests/long.sh             fewer upgrades of each
#   RP_LONG_CLIENTS="64 1024" tests/long.sh       other numbers of clients (fresh ones, and as many keep-alive ones)
#   RP_LONG_SHAPES="4->3,dual stack" tests/long.sh   these shapes only (tests/integration/upgrades.py has the list)
#   RP_BIN_DIR=DIR tests/long.sh                  programs from there (build/release/bin, built if it is not there)
#
# Root, or user namespaces: it runs in a network namespace of its own, with net.ipv4.tcp_migrate_req=0.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"

if [[ -z ${RP_BIN_DIR:-} ]]; then
    rp_install_packages "${RP_PACKAGES_BUILD[@]}" "${RP_PACKAGES_TEST[@]}"
    (cd "$root" && cmake --preset release -DRP_BUILD_TESTS=ON && cmake --build --preset release)
    export RP_BIN_DIR=$root/build/release/bin
fi
exec python3 -B "$root/tests/integration/long_upgrades.py"
