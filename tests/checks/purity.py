"""The pure layers make no system call: `purity.py BUILD_DIR`.

Looks at what their object files ask the linker for: only functions of the list below, which look at memory, and
symbols that another object of the pure layers defines.
"""

import re
import subprocess

import source_tree

# What looks at memory and nothing else, in libc, jansson, inih and http-parser; __…_chk is FORTIFY's variant.
PURE_CALLS = re.compile(
    r"""(__)?(mem|str|stpcpy|stpncpy|wcs)\w*      # strings
      | (__)?v?sn?printf(_chk)?
      | (__isoc\d+_)?v?sscanf
      | (malloc|calloc|realloc|reallocarray|free)
      | (qsort|bsearch|abs|labs|llabs|div|isalnum|isalpha|isdigit|isspace|isprint|isxdigit|tolower|toupper)
      | (inet_pton|inet_ntop|htons|htonl|ntohs|ntohl|in6addr_any|in6addr_loopback)
      | (gmtime_r|timegm)
      | (__ctype_b_loc|__ctype_tolower_loc|__ctype_toupper_loc|__errno_location)
      | (__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)
      | (json_(?!load(_file|fd|_callback|f)|dump(_file|fd|f|_callback))\w+|jsonp_\w+)
      | (ini_parse_(string|stream)(_length)?|http_\w+)""",
    re.VERBOSE,
)

# Public functions of librp that are in a lower layer: why the pure layers may still call them.
ALLOWED = {"rp_address_parse": "looks at the system only for the interface of a link-local address"}


def symbols(objects):
    """Pairs of what the objects define and what each asks for."""
    defined, wanted = set(), {}
    for path in objects:
        text = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        wanted[path] = set()
        for line in text.splitlines():
            kind, name = line.split()[-2:]
            if kind in "Uwv":
                wanted[path].add(name)
            elif kind.isupper():
                defined.add(name)
    return defined, wanted


def main():
    build = source_tree.root_argument()
    objects = sorted(path for path in build.rglob("*.o") if path.parent.name == "pure")
    defined, wanted = symbols(objects)
    problems = [] if objects else [f"{build}: no object files of a pure layer"]
    for path, names in wanted.items():
        for name in sorted(names - defined):
            if name not in ALLOWED and not PURE_CALLS.fullmatch(name):
                problems.append(f"{path.relative_to(build)}: {name} is no business of the pure layer")
    source_tree.report(problems, "purity")


if __name__ == "__main__":
    main()
