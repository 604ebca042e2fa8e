"""clang has no warning: `clang.py BUILD_DIR`. Compiles nothing, reads compile_commands.json of the gcc build."""

import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys


def check(entry):
    words = shlex.split(entry["command"])
    output = words.index("-o")
    command = ["clang", *words[1:output], *words[output + 2 :], "-fsyntax-only", "-Werror"]
    done = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def main():
    entries = json.loads(pathlib.Path(sys.argv[1], "compile_commands.json").read_text())
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(check, entries) if text]
    print(*complaints, sep="\n")
    print(f"clang: {len(entries)} files, {len(complaints)} with warnings")
    sys.exit(1 if complaints or not entries else 0)


if __name__ == "__main__":
    main()
