"""The layers of DESIGN, seen by the include lines: `layering.py ROOT`.

server/ and upgrader/ have the same layers, each a folder. A file may include headers of its own layer and of those
below it, by the name "layer/x.h", and the public <rp/x.h>. upgrader/ sees nothing else of server/. System headers:
the pure layer has a list of what it may use (values, text), the Linux layer may not use libuv.
"""

import re

import source_tree

# Data and text only; of the socket and signal headers the types and numbers. purity.py sees what is called.
PURE_SYSTEM = set(
    "arpa/inet.h assert.h ctype.h errno.h http_parser.h ini.h inttypes.h jansson.h limits.h linux/bpf_common.h "
    "linux/filter.h linux/if_ether.h linux/tcp.h net/if.h netinet/in.h netinet/tcp.h signal.h stdarg.h stdbool.h "
    "stddef.h stdint.h stdio.h stdlib.h string.h strings.h sys/socket.h sys/types.h sys/un.h time.h".split()
)
LIBUV = {"uv.h"}
BELOW = {
    "pure": ("pure",),
    "linux": ("pure", "linux"),
    "shell": ("pure", "linux", "shell"),
    "commands": ("pure", "linux", "shell", "commands"),
    "": ("pure", "linux", "shell", "commands"),  # programs
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def quoted_problem(root, product, layer, name):
    target = name.split("/")[0] if "/" in name else None
    if target is None or target not in BELOW:
        return f'"{name}": write "layer/header.h"'
    if target not in BELOW[layer]:
        return f'"{name}": layer {layer} must not see layer {target}'
    if not (root / product / name).is_file():
        return f'"{name}": no such header in {product}/'
    return None


def system_problem(layer, name):
    if name.startswith("rp/"):
        return None
    if layer == "pure" and name not in PURE_SYSTEM:
        return f"<{name}>: not on the list of the pure layer"
    if layer == "linux" and name in LIBUV:
        return f"<{name}>: the Linux layer must not see libuv"
    return None


def problems_of(root, path):
    product = path.parts[0]
    layer = path.parts[1] if len(path.parts) > 2 else ""
    if layer not in BELOW:
        return [f"{path}: folder {layer} is no layer"]
    text = source_tree.without_comments((root / path).read_text())
    problems = []
    for match in INCLUDE.finditer(text):
        quoted, name = match.group(1) == '"', match.group(2)
        problem = quoted_problem(root, product, layer, name) if quoted else system_problem(layer, name)
        if problem:
            problems.append(f"{path}:{source_tree.line_of(text, match.start(2))}: {problem}")
    return problems


def public_problems(root, path):
    text = source_tree.without_comments((root / path).read_text())
    names = [match.group(2) for match in INCLUDE.finditer(text) if match.group(1) == '"']
    return [f'{path}: "{name}": a public header includes <…> only' for name in names]


def main():
    root = source_tree.root_argument()
    problems = []
    for path in source_tree.files(root, ("server", "upgrader"), "*.c", "*.h"):
        problems += problems_of(root, path)
    for path in source_tree.files(root, ("include",), "*.h"):
        problems += public_problems(root, path)
    source_tree.report(problems, "layering")


if __name__ == "__main__":
    main()
