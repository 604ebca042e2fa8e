"""Every descriptor is close-on-exec from birth: `cloexec.py ROOT`.

Looks at each call that makes a descriptor and wants the flag among its arguments, or in a variable that is set shortly
before and is one of them. dup2 is for a child between fork and exec only. pidfd_open and pidfd_getfd set the flag by themselves.
"""

import re

import source_tree

# Call: what must be among its arguments; None: never to be used.
CALLS = {
    "accept": None,
    "accept4": "SOCK_CLOEXEC",
    "creat": None,
    "dup": None,
    "dup2": None,
    "dup3": "O_CLOEXEC",
    "epoll_create": None,
    "epoll_create1": "EPOLL_CLOEXEC",
    "eventfd": "EFD_CLOEXEC",
    "fdopen": None,
    "fopen": re.compile(r'"[^"]*e[^"]*"\s*$'),
    "freopen": re.compile(r'"[^"]*e[^"]*"'),
    "inotify_init": None,
    "inotify_init1": "IN_CLOEXEC",
    "memfd_create": "MFD_CLOEXEC",
    "mkostemp": "O_CLOEXEC",
    "mkstemp": None,
    "mnl_socket_open": None,
    "mnl_socket_open2": "SOCK_CLOEXEC",
    "open": "O_CLOEXEC",
    "openat": "O_CLOEXEC",
    "pipe": None,
    "pipe2": "O_CLOEXEC",
    "recvmsg": "MSG_CMSG_CLOEXEC",
    "signalfd": "SFD_CLOEXEC",
    "socket": "SOCK_CLOEXEC",
    "socketpair": "SOCK_CLOEXEC",
    "timerfd_create": "TFD_CLOEXEC",
    "F_DUPFD": None,
}
# (file, call): why it is right there.
ALLOWED = {
    ("upgrader/linux/spawn.c", "dup2"): "in the child, for the descriptors that the release shall have",
    ("upgrader/linux/background.c", "dup2"): "standard input, output and error of the supervisor",
}
VARIABLE_WITHIN = 600  # bytes before the call
CALL = re.compile(r"(?<![\w.>])(" + "|".join(CALLS) + r")\b\s*(\(|(?<=F_DUPFD))")


def arguments(text, opening):
    """The text between the parenthesis at `opening` and its partner."""
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return text[opening + 1 : position]
    return text[opening + 1 :]


def is_right(call, text, match):
    wanted = CALLS[call]
    if wanted is None:
        return False
    inside = arguments(text, match.end() - 1)
    if not isinstance(wanted, str):
        return wanted.search(inside) is not None
    before = text[max(0, match.start() - VARIABLE_WITHIN) : match.start()]
    variables = re.findall(r"\b(\w+)\s*=\s*[^;=]*\b" + wanted + r"\b[^;]*;", before)
    return wanted in inside or any(re.search(rf"\b{name}\b", inside) for name in variables)


def problems_of(root, path):
    text = source_tree.without_comments((root / path).read_text())
    problems = []
    for match in CALL.finditer(source_tree.without_strings(text)):
        call = match.group(1)
        if not is_right(call, text, match) and (str(path), call) not in ALLOWED:
            remedy = CALLS[call] if isinstance(CALLS[call], str) else "the variant that is close-on-exec"
            problems.append(f"{path}:{source_tree.line_of(text, match.start())}: {call}: use {remedy}")
    return problems


def main():
    root = source_tree.root_argument()
    problems = []
    for path in source_tree.files(root, ("server", "upgrader", "tests/tools"), "*.c", "*.h"):
        problems += problems_of(root, path)
    source_tree.report(problems, "close-on-exec")


if __name__ == "__main__":
    main()
