#!/usr/bin/env bash
# clang-format has nothing to say: format.sh ROOT
set -euo pipefail
cd "$1"
find include server upgrader tests -name '*.[ch]' -print0 |
    xargs -0 --no-run-if-empty clang-format --dry-run -Werror
