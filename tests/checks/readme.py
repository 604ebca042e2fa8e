"""The C program in README.md is the one that the tests build and run, and is small: `readme.py ROOT`."""

import re

import source_tree

PROGRAM = "tests/tools/hello.c"
LINES_MAX = 39


def main():
    root = source_tree.root_argument()
    shown = re.findall(r"^```c\n(.*?)^```$", (root / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    program = (root / PROGRAM).read_text()
    problems = []
    if shown != [program]:
        problems.append(f"README.md: shows {len(shown)} C programs; it must show {PROGRAM}, as it is, and no other")
    if program.count("\n") > LINES_MAX:
        problems.append(f"{PROGRAM}: {program.count(chr(10))} lines are too many for a README; at most {LINES_MAX}")
    source_tree.report(problems, "readme")


if __name__ == "__main__":
    main()
