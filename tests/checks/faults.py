"""Every system call and allocation of rpctl can be made to fail: `faults.py BUILD_DIR`.

Holds what rpctl asks of shared libraries against the wrappers of rpctl-faulty (tests/tools/faulty). A call that is new
needs a wrapper there, or a reason here.
"""

import re
import subprocess

import purity
import source_tree

CANNOT_FAIL = {
    "the manual names no error for a good program": """clock_gettime geteuid getenv getpid sigaction sigaddset sigemptyset
        sigfillset signal pthread_sigmask sigprocmask strerror sysconf time umask dirfd sched_cpufree __sched_cpufree
        sigabbrev_np stpcpy isatty sigdelset unsetenv""",
    "in the child between fork and exec; the failure is the child's, and told by pipe": """_exit close_range dup2 execve
        fchdir setsid""",
    "prints, for the client or a supervisor that cannot begin": """__fprintf_chk __printf_chk fflush ferror fprintf fwrite
        printf putc putchar puts fputs fputc stderr stdout json_dumpf""",
    "of the client alone": "sleep if_nametoindex",
    "of the program's start and end": "__libc_start_main __cxa_finalize __gmon_start__ environ __environ _ITM_\\w+",
}
# They work on memory; libuv's own calls are its own, and it ends the process by design where it cannot go on.
LIBRARIES = re.compile(r"uv_\w+|mnl_(attr|cb|nlmsg)_\w+|mnl_socket_get_portid")


def symbols(program, options, pattern):
    text = subprocess.run(["nm", *options, program], capture_output=True, text=True, check=True).stdout
    return {match.group(1) for match in re.finditer(pattern, text, re.MULTILINE)}


def problems_of(wanted, wrapped):
    excused = {name for names in CANNOT_FAIL.values() for name in names.split()}
    patterns = re.compile("|".join(sorted(excused)))
    for name in sorted(wanted - wrapped):
        if not patterns.fullmatch(name) and not LIBRARIES.fullmatch(name) and not is_text(name):
            yield f"{name} cannot be made to fail: it needs a wrapper in tests/tools/faulty, or a reason in faults.py"


def is_text(name):
    return purity.PURE_CALLS.fullmatch(name) and name not in ("malloc", "calloc", "realloc", "reallocarray", "strdup", "strndup")


def main():
    build = source_tree.root_argument()
    wanted = symbols(build / "bin/rpctl", ["-D", "-u"], r"[Uwv] ([^@\s]+)")
    wrapped = symbols(build / "bin/rpctl-faulty", [], r"[Tt] __wrap_(\w+)$")
    source_tree.report(list(problems_of(wanted, wrapped)), "faults")


if __name__ == "__main__":
    main()
