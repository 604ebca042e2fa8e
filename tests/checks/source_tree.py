"""What the checks share: which files there are, and C source without its comments."""

import pathlib
import re
import sys

OWNED = ("include", "server", "upgrader", "tests", "deploy")


def files(root, folders, *patterns):
    """Paths relative to root, sorted, without what a build made."""
    found = set()
    for folder in folders:
        for pattern in patterns:
            found.update(path.relative_to(root) for path in (root / folder).rglob(pattern))
    return sorted(path for path in found if "build" not in path.parts and (root / path).is_file())


def without_comments(text):
    """Comments become blanks, newlines stay, string literals are left alone."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

    def blank(match):
        token = match.group(0)
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token

    return pattern.sub(blank, text)


def without_strings(text):
    """String literals become blanks of the same length; for text without comments."""
    return re.sub(r'"(?:\\.|[^"\\\n])*"', lambda match: '"' + " " * (len(match.group(0)) - 2) + '"', text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def report(problems, what):
    """Prints the problems and ends the program: 1 if there are any."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problems")
    sys.exit(1 if problems else 0)


def root_argument():
    return pathlib.Path(sys.argv[1]).resolve()
