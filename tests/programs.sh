# shellcheck shell=bash
# The programs that a long form or a benchmark runs. Sourced by tests/long.sh, tests/torture.sh and tests/bench/*.sh.

# shellcheck source=deploy/packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/../deploy/packages.sh"

# rp_need_programs ROOT: sets RP_BIN_DIR for what the caller executes. Where it is not given, the programs are built in
# ROOT/build/release, and what that needs is installed.
rp_need_programs() {
    [[ -z ${RP_BIN_DIR:-} ]] || return 0
    rp_install_packages "${RP_PACKAGES_BUILD[@]}" "${RP_PACKAGES_TEST[@]}"
    (cd "$1" && cmake --preset release -DRP_BUILD_TESTS=ON && cmake --build --preset release)
    export RP_BIN_DIR=$1/build/release/bin
}
