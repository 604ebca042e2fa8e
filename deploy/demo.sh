#!/usr/bin/env bash
# The demonstration: one command, no root (but to install what is missing on Debian 12).
#
# Builds, starts server-v1 under rpctl on a free port, lets curl ask it again and again, upgrades to server-v2 and
# back to server-v1 meanwhile, and prints what curl saw. Everything happens in a temporary directory; nothing
# is left running. Exit status 0 only if no request failed.
set -euo pipefail

readonly ANSWERS_BETWEEN=50 # how many curls see each version in peace
readonly PATIENCE=30        # seconds, for them

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/packages.sh
source "$root/deploy/packages.sh"

# A first build leaves the tests out, as they need more packages; tests/run.sh puts them in.
build() {
    local options=()
    cd "$root"
    mkdir -p build
    [[ -e build/release/CMakeCache.txt ]] || options=(-DRP_BUILD_TESTS=OFF)
    {
        cmake --preset release "${options[@]}" &&
            cmake --build --preset release --target rpctl server-v1 server-v2
    } >build/demo-build.log 2>&1 || {
        tail -n 30 build/demo-build.log
        echo "demo: the build failed; the whole log is build/demo-build.log" >&2
        return 1
    }
}

free_port() {
    local port
    for port in {8000..8999}; do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# From the body of the last answer: "… Server PID: [4711]".
server_pid() {
    sed -n 's/.*PID: \[\([0-9]*\)\].*/\1/p' "$work/body"
}

# One line per request: curl's exit status, HTTP status, version, pid of the server.
hammer() {
    local line status
    while [[ ! -e $work/enough ]]; do
        status=0
        : >"$work/body"
        line=$(curl --silent --max-time 5 --output "$work/body" \
            --write-out '%{http_code} %header{x-version}' "$url") || status=$?
        printf '%s %s %s\n' "$status" "$line" "$(server_pid)" >>"$work/seen"
    done
}

# Returns when curl has seen so many more answers; tail waits for the file to grow.
see_more() {
    timeout "$PATIENCE" tail --lines=0 --follow "$work/seen" 2>/dev/null | head -n "$1" >/dev/null || true
}

say() {
    printf '\n$ %s\n' "$*"
}

summary() {
    awk '
        $1 == 0 && $2 == 200 { answers[$3 " pid " $4]++; total++; next }
        { failed++; print "  failed: curl exit " $1 ", HTTP status " $2 }
        END {
            for (who in answers) printf "  %6d answers from %s\n", answers[who], who
            printf "  %6d answers in all, %d failed\n", total, failed
            exit failed > 0 || total == 0
        }' "$work/seen"
}

clean_up() {
    touch "$work/enough"
    if [[ -n ${hammer_pid:-} ]]; then wait "$hammer_pid" || true; fi
    if [[ -n ${started:-} ]]; then "$bin/rpctl" -q stop || true; fi
    rm -rf "$work"
}

main() {
    rp_install_packages "${RP_PACKAGES_BUILD[@]}" "${RP_PACKAGES_DEMO[@]}"
    build
    bin=$root/build/release/bin
    work=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    export RPCTL_DIR=$work/rpctl
    local port
    port=$(free_port)
    url=http://127.0.0.1:$port/
    : >"$work/seen"

    say rpctl start server-v1 --listen "127.0.0.1:$port"
    started=yes
    "$bin/rpctl" start "$bin/server-v1" --listen "127.0.0.1:$port"
    say "while :; do curl $url; done &"
    hammer &
    hammer_pid=$!
    see_more "$ANSWERS_BETWEEN"
    local version
    for version in v2 v1; do
        say rpctl upgrade "server-$version"
        "$bin/rpctl" upgrade "$bin/server-$version"
        see_more "$ANSWERS_BETWEEN"
    done
    touch "$work/enough"
    wait "$hammer_pid"
    hammer_pid=
    say rpctl stop
    "$bin/rpctl" stop
    started=

    printf '\nWhat curl saw:\n'
    summary
}

main "$@"
