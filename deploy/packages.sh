# shellcheck shell=bash
# What has to be installed on Debian 12, and how. Sourced by deploy/demo.sh, tests/run.sh and tests/programs.sh.

# shellcheck disable=SC2034 # used by those who source this
RP_PACKAGES_BUILD=(cmake ninja-build gcc libc6-dev pkg-config libuv1-dev libhttp-parser-dev libmnl-dev libjansson-dev libinih-dev)
# shellcheck disable=SC2034
RP_PACKAGES_DEMO=(curl)
# shellcheck disable=SC2034
RP_PACKAGES_TEST=(curl g++ libcriterion-dev clang clang-format clang-tidy shellcheck python3 nftables mandoc man-db
    slowhttptest)
# shellcheck disable=SC2034
RP_PACKAGES_FUZZ=(libclang-rt-14-dev)
# shellcheck disable=SC2034
RP_PACKAGES_BENCH=(wrk golang-go strace libpcre2-8-0 libssl3 libyaml-0-2 zlib1g)
# Installing these would start a service.
# shellcheck disable=SC2034
RP_PACKAGES_BENCH_UNPACKED=(nginx h2o)

# Prints those of the given packages that are not installed.
rp_missing_packages() {
    local package state
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=absent
        [[ $state == installed ]] || printf '%s\n' "$package"
    done
}

# Installs what is missing of the given packages; says nothing and needs no right when nothing is.
rp_install_packages() {
    local missing=() as_root=()
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        echo "no apt-get here: install what these Debian packages hold, then build with cmake: $*" >&2
        return 1
    fi
    mapfile -t missing < <(rp_missing_packages "$@")
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "these packages are missing, and installing them needs root or sudo: ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing ${missing[*]}"
    "${as_root[@]}" apt-get -q update </dev/null
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q install -y --no-install-recommends "${missing[@]}" </dev/null
}

# rp_unpack_packages DIR PACKAGE…: fetches what is not there yet and unpacks it into DIR, without installing anything.
rp_unpack_packages() {
    local dir=$1 package file
    shift
    for package in "$@"; do
        [[ -e $dir/$package.unpacked ]] && continue
        echo "fetching $package"
        rm -f "$dir/$package"_*.deb
        (cd "$dir" && apt-get -q -o APT::Sandbox::User=root download "$package")
        file=$(echo "$dir/$package"_*.deb)
        dpkg -x "$file" "$dir"
        touch "$dir/$package.unpacked"
    done
}
