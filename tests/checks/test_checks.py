"""The checks find what they are for: each is shown one small tree that is right and some that are not."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent


class ChecksTest(unittest.TestCase):
    def run_check(self, script, files):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("include", "server", "upgrader", "tests", "deploy", ".ci"):
                pathlib.Path(folder, name).mkdir()
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            program = [sys.executable, "-B"] if script.endswith(".py") else ["bash"]
            done = subprocess.run([*program, HERE / script, folder], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def good(self, script, files):
        code, output = self.run_check(script, files)
        self.assertEqual(code, 0, output)

    def bad(self, script, files, needle):
        code, output = self.run_check(script, files)
        self.assertNotEqual(code, 0, f"taken: {files}")
        self.assertIn(needle, output)

    def test_layering(self):
        headers = {f"server/{layer}/x.h": "" for layer in ("pure", "linux", "shell")}
        headers["upgrader/pure/y.h"] = ""

        def tree(path, line):
            return {**headers, path: line + "\n"}

        for path, line in (
            ("server/pure/a.c", '#include "pure/x.h"\n#include <rp/address.h>\n#include <string.h>'),
            ("server/linux/a.c", '#include "pure/x.h"\n#include <sys/socket.h>'),
            ("server/shell/a.c", '#include "linux/x.h"\n#include <uv.h>'),
            ("server/main.c", '#include "shell/x.h"'),
            ("server/pure/a.c", '/* #include <uv.h> */\n// #include "shell/x.h"'),
            ("include/rp/a.h", "#include <rp/b.h>"),
        ):
            self.good("layering.py", tree(path, line))
        for path, line, needle in (
            ("server/pure/a.c", '#include "linux/x.h"', "must not see layer linux"),
            ("server/pure/a.h", "#include <sys/epoll.h>", "<sys/epoll.h>"),
            ("server/pure/a.h", "#  include  <uv.h>", "<uv.h>"),
            ("server/linux/a.c", "#include <uv.h>", "libuv"),
            ("server/linux/a.c", '#include "shell/x.h"', "must not see layer shell"),
            ("server/shell/a.c", '#include "commands/x.h"', "must not see"),
            ("upgrader/pure/a.c", '#include "pure/x.h"', "no such header"),
            ("upgrader/shell/a.c", '#include "../server/pure/x.h"', "layer/header.h"),
            ("upgrader/pure/a.c", '#include "y.h"', "layer/header.h"),
            ("upgrader/other/a.c", "", "no layer"),
            ("include/rp/a.h", '#include "pure/x.h"', "public header"),
        ):
            self.bad("layering.py", tree(path, line), needle)

    def test_purity(self):
        def build(**sources):
            folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
            for name, text in sources.items():
                target = folder / f"{name}.dir" / "pure"
                target.mkdir(parents=True)
                (target / "a.c").write_text(text)
                subprocess.run(["gcc", "-w", "-c", "a.c", "-o", "a.c.o"], cwd=target, check=True)
            done = subprocess.run([sys.executable, HERE / "purity.py", folder], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

        pure = "#include <string.h>\nint rp_b(void);\nunsigned long rp_a(const char *s) { return strlen(s) + rp_b(); }"
        self.assertEqual(build(a=pure, b="int rp_b(void) { return 1; }")[0], 0)
        code, output = build(a=pure)
        self.assertEqual(code, 1)
        self.assertIn("rp_b", output)
        for call in ("getpid()", "close(1)", "connect(1, 0, 0)", "fopen(0, 0)", "clock_gettime(0, 0)"):
            code, output = build(a=f"int f(void) {{ return (int)(long){call}; }}")
            self.assertEqual(code, 1, call)
            self.assertIn(call.partition("(")[0], output)
        self.assertEqual(build()[0], 1)

    def test_faults(self):
        def build(call, wrapper):
            folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
            (folder / "bin").mkdir()
            for name, text in (("rpctl", f"int main(void) {{ return (int)(long){call}; }}"),
                               ("rpctl-faulty", f"int {wrapper}(void) {{ return 0; }}\nint main(void) {{ return 0; }}")):
                (folder / "a.c").write_text(text)
                subprocess.run(["gcc", "-w", "-o", folder / "bin" / name, folder / "a.c"], check=True)
            done = subprocess.run([sys.executable, HERE / "faults.py", folder], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

        for call in ("getpid()", "strlen(\"a\" + getpid())"):
            self.assertEqual(build(call, "other")[0], 0, call)
        for call in ("accept(0, 0, 0)", "malloc(getpid())", "strdup(getenv(\"A\"))"):
            name = call.partition("(")[0]
            self.assertEqual(build(call, f"__wrap_{name}")[0], 0, call)
            code, output = build(call, f"__wrap_{name}2")
            self.assertEqual(code, 1, call)
            self.assertIn(name, output)

    def test_cloexec(self):
        for line in (
            "socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);",
            "open(path(a, b), O_RDONLY |\n O_CLOEXEC);",
            'fopen(path, "re");',
            "close(fd); my_socket(1); x->open(1); /* socket(1) */",
            "fcntl(fd, F_DUPFD_CLOEXEC, 3);",
            "accept4(fd, NULL, NULL, SOCK_CLOEXEC);",
            'puts("the socket (of course)");',
            "int flags = O_RDWR | O_CLOEXEC;\nopenat(dir, name, flags, 0600);",
        ):
            self.good("cloexec.py", {"server/linux/a.c": line})
        for line in (
            "socket(AF_INET, SOCK_STREAM, 0);",
            "int fd = open(path, O_RDONLY); f(O_CLOEXEC);",
            'fopen(path, "r");',
            "accept(fd, NULL, NULL);",
            "pipe(fds);",
            "dup2(a, b);",
            "fcntl(fd, F_DUPFD, 3);",
            "recvmsg(fd, &m, MSG_DONTWAIT);",
            "int flags = O_RDWR; openat(dir, name, flags, 0600);",
        ):
            self.bad("cloexec.py", {"upgrader/shell/a.c": line}, "close-on-exec: 1 problems")

    def test_no_sleep(self):
        self.good("no_sleep.py", {"tests/a.c": "/* sleep(1) */ int asleep(void);", "tests/b.sh": "# sleep 1\n"})
        for name, text in (
            ("tests/a.c", "usleep (5);"),
            ("server/a.c", "nanosleep(&t, NULL);"),
            ("tests/a.py", "time.sleep(1)"),
            ("deploy/a.sh", "while true; do sleep 1; done"),
        ):
            self.bad("no_sleep.py", {name: text}, "1 problems")

    def test_readme(self):
        program = "int main(void)\n{\n}\n"
        right = {"tests/tools/hello.c": program, "README.md": f"See:\n\n```c\n{program}```\n\n```\n$ hello\n```\n"}
        self.good("readme.py", right)
        for readme in ("none", f"```c\n{program} ```", f"```c\n{program}\n```", right["README.md"] * 2):
            self.bad("readme.py", {**right, "README.md": readme}, "must show tests/tools/hello.c")
        long = program + "\n" * 37
        self.bad("readme.py", {"tests/tools/hello.c": long, "README.md": f"```c\n{long}```\n"}, "40 lines are too many")

    def test_format(self):
        style = {".clang-format": (HERE.parent.parent / ".clang-format").read_text()}
        self.good("format.sh", {**style, "server/a.c": "int main(void)\n{\n    return 0;\n}\n"})
        self.bad("format.sh", {**style, "server/a.c": "int main(void) { return 0; }\n"}, "clang-format-violations")

    def test_scripts(self):
        self.bad("scripts.sh", {".ci/run": "#!/bin/sh\necho $1\n"}, "SC2086")
        self.bad("scripts.sh", {".ci/run": "#!/bin/sh\nexit 0\n"}, "not executable")

    def test_clang(self):
        command = "gcc -Wall -o a.o -c a.c"
        for text, code in (("int f(void);\n", 0), ("static int f(void) { return 0; }\n", 1)):
            with tempfile.TemporaryDirectory() as folder:
                pathlib.Path(folder, "a.c").write_text(text)
                pathlib.Path(folder, "compile_commands.json").write_text(
                    f'[{{"directory": "{folder}", "command": "{command}", "file": "a.c"}}]'
                )
                done = subprocess.run([sys.executable, HERE / "clang.py", folder], capture_output=True, check=False)
            self.assertEqual(done.returncode, code, done.stdout)


if __name__ == "__main__":
    unittest.main()
