"""Nobody waits for a fixed time and hopes: `no_sleep.py ROOT`. Wait for the event, with a deadline."""

import re

import source_tree

FORBIDDEN = {
    ".c": re.compile(r"\b(sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep)\s*\("),
    ".h": re.compile(r"\b(sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep)\s*\("),
    ".py": re.compile(r"\btime\.sleep\b|\bfrom time import\b.*\bsleep\b|\basyncio\.sleep\b"),
    ".sh": re.compile(r"(^|[;&|({]|\bdo|\bthen|\belse)\s*sleep\s", re.MULTILINE),
}

# (file): why it is right there.
ALLOWED = {
    "upgrader/commands/status.c": "the interval at which status --watch shows itself again",
    "tests/tools/hold_fsync.c": "a disk that takes its time is what is tested",
    "tests/unit/upgrader/groups_close.c": "a close that takes its time is what is tested",
}


def main():
    root = source_tree.root_argument()
    problems = []
    for path in source_tree.files(root, source_tree.OWNED, *[f"*{suffix}" for suffix in FORBIDDEN]):
        if path.parts[:2] == ("tests", "checks") or str(path) in ALLOWED:
            continue  # the checks hold the forbidden words
        text = (root / path).read_text()
        if path.suffix in (".c", ".h"):
            text = source_tree.without_comments(text)
        for match in FORBIDDEN[path.suffix].finditer(text):
            problems.append(f"{path}:{source_tree.line_of(text, match.start())}: {match.group(0).strip()}")
    source_tree.report(problems, "no sleep")


if __name__ == "__main__":
    main()
