#!/usr/bin/env bash
# No complaint from shellcheck, and every script can be executed: scripts.sh ROOT
set -euo pipefail
cd "$1"
mapfile -t scripts < <(find deploy tests -name '*.sh' -o -name '*.bash'; find .ci -type f)
shellcheck --external-sources "${scripts[@]}"
for script in "${scripts[@]}"; do
    read -r first <"$script"
    [[ $first != '#!'* || -x $script ]] || {
        echo "$script: is not executable"
        exit 1
    }
done
