"""The completion of bash offers what `rpctl help` lists, and what is offered arrives on the command line."""

import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import harness
import rpctl_help

COMPLETION = harness.ROOT / "deploy/completions/rpctl.bash"
TAKES_BINARY = ("run", "start", "upgrade")
# Calls the function as readline does and prints its answers, one per line.
DRIVER = """
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$* COMP_POINT=${#COMP_LINE}
_rpctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


@unittest.skipUnless(shutil.which("bash"), "needs bash")
class CompletionCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name).resolve()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "RPCTL_DIR": str(self.dir / "services")}

    def complete(self, *words):
        """What is offered for the last of the words; none of them may have a '=' or ':', where readline cuts."""
        command = ["bash", "--norc", "-u", "-c", DRIVER, "bash", COMPLETION, "rpctl", *words]
        done = subprocess.run(command, cwd=self.dir, env=self.environment, check=True, capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def make_file(self, name, mode=0o644, text=""):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)


class ListsTest(CompletionCase):
    def test_commands(self):
        commands = rpctl_help.commands()
        self.assertIn("upgrade", commands)
        self.assertEqual(self.complete(""), commands)
        self.assertEqual(self.complete("--json", ""), commands)
        self.assertEqual(self.complete("-n", "web", "--dir", "/tmp", "--", ""), commands)
        self.assertEqual(self.complete("help", ""), commands)
        self.assertEqual(self.complete("st"), ["start", "status", "stop"])

    def test_options_are_those_of_the_help(self):
        everywhere = rpctl_help.names(rpctl_help.global_options())
        self.assertIn("--json", everywhere)
        self.assertCountEqual(self.complete("-"), [*everywhere, "--version"])
        for command in rpctl_help.commands():
            expected = rpctl_help.names(rpctl_help.own_options(command)) + everywhere
            self.assertCountEqual(self.complete(command, "-"), expected, command)

    def test_who_takes_a_value(self):
        """Behind an option that takes a value comes that value, behind another one the next word."""
        for command in rpctl_help.commands():
            for option in rpctl_help.own_options(command) + rpctl_help.global_options():
                for name in option.names:
                    offered = self.complete(command, name, "--js")
                    self.assertEqual(offered, [] if option.takes_value else ["--json"], (command, name))

    def test_operands(self):
        for command in rpctl_help.commands():
            if command not in (*TAKES_BINARY, "help"):
                self.assertEqual(self.complete(command, ""), [], command)
        self.assertEqual(self.complete("help", "upgrade", ""), [])
        self.assertEqual(self.complete("nonsense", ""), [])


class ValuesTest(CompletionCase):
    def test_words(self):
        for option, expected in (
            ("--health", ["auto", "http:/", "tcp", "none"]),
            ("--wait", ["drained", "shifted"]),
            ("--stop-signal", ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"]),
            ("--witness", ["off"]),
            ("--bake", []),
        ):
            self.assertEqual(self.complete("upgrade", option, ""), expected, option)

    def test_words_are_taken_by_the_program(self):
        """Each gets past the options: what is refused in the end is the file that comes last."""
        for option in ("--health", "--wait", "--stop-signal", "--witness"):
            for value in self.complete("upgrade", option, ""):
                command = [rpctl_help.RPCTL, "upgrade", option, value, "--config", self.dir / "absent", "x"]
                done = subprocess.run(command, check=False, capture_output=True, text=True, env=self.environment)
                self.assertIn(f"cannot read {self.dir}/absent", done.stderr)

    def test_services(self):
        for name in ("web", "worker", "not a name"):
            (self.dir / "services" / name).mkdir(parents=True)
        self.make_file("services/file")
        (self.dir / "elsewhere/other").mkdir(parents=True)
        self.assertCountEqual(self.complete("-n", ""), ["web", "worker"])
        self.assertCountEqual(self.complete("status", "--name", "wo"), ["worker"])
        self.assertEqual(self.complete("--dir", str(self.dir / "elsewhere"), "-n", ""), ["other"])
        self.assertEqual(self.complete("--dir", "~/elsewhere", "-n", ""), ["other"])
        self.environment["RPCTL_DIR"] = str(self.dir / "absent")
        self.assertEqual(self.complete("-n", ""), [])

    def test_generations(self):
        for number in (1, 7, 12):
            self.make_file(f"services/default/log/generation-{number}.log")
            self.make_file(f"services/web/log/generation-{number + 1}.log")
        self.make_file("services/web/log/supervisor.log")
        self.assertCountEqual(self.complete("logs", "--generation", ""), ["1", "7", "12"])
        self.assertCountEqual(self.complete("-n", "web", "logs", "--generation", ""), ["2", "8", "13"])
        self.environment["RPCTL_NAME"] = "web"
        self.assertEqual(self.complete("logs", "--generation", "1"), ["13"])

    def test_binaries(self):
        self.make_file("server-v1", 0o755)
        self.make_file("notes.txt")
        self.make_file("bin/rpctl-test-program", 0o755)
        self.make_file("bin/readme")
        self.environment["PATH"] += f":{self.dir}/bin"
        for command in TAKES_BINARY:
            self.assertCountEqual(self.complete(command, ""), ["./server-v1", "bin"])
            self.assertEqual(self.complete(command, "--instances", "2", "./s"), ["./server-v1"])
            self.assertEqual(self.complete(command, "bin/"), ["bin/rpctl-test-program"])
            self.assertEqual(self.complete(command, "rpctl-test"), ["rpctl-test-program"])
            self.assertEqual(self.complete(command, "--", "rpctl-test"), ["rpctl-test-program"])
            self.assertEqual(self.complete(command, "--", "--js"), [])

    def test_arguments_are_the_servers(self):
        self.make_file("notes.txt")
        self.assertEqual(self.complete("upgrade", "./server", "--js"), [])
        self.assertEqual(self.complete("upgrade", "./server", "--listen", "no"), ["notes.txt"])

    def test_files(self):
        self.make_file("web.conf")
        (self.dir / "folder").mkdir()
        self.assertCountEqual(self.complete("upgrade", "--config", ""), ["web.conf", "folder"])
        self.assertEqual(self.complete("--dir", ""), ["folder"])


class TerminalTest(CompletionCase):
    """A real readline in a real terminal, where '=' and ':' cut words."""

    def setUp(self):
        super().setUp()
        (self.dir / "services/web").mkdir(parents=True)
        self.make_file("server-v1", 0o755)
        self.make_file("rc", text=f"PS1='ready> '\nsource '{COMPLETION}'\nbind 'set enable-bracketed-paste off'\n"
                                  "rpctl() { printf 'said'; printf ' <%s>' \"$@\"; echo ' end'; }\n")
        self.environment.update(TERM="dumb", HISTFILE="")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(self.dir)
            os.execvpe("bash", ["bash", "--noprofile", "--rcfile", "rc", "-i"], self.environment)
        self.addCleanup(self.end)
        self.reader = harness.LineReader(self.fd)

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def type(self, keys):
        """The words that rpctl gets for these keys."""
        os.write(self.fd, f"{keys}\n".encode())
        while True:
            said = re.search(r"said (<.*>) end\r?$", self.reader.next())
            if said:
                return re.findall(r"<(.*?)>", said.group(1))

    def test_what_is_typed_arrives(self):
        for keys, words in (
            ("rpctl upg\t", ["upgrade"]),
            ("rpctl upgrade --wait sh\t", ["upgrade", "--wait", "shifted"]),
            ("rpctl upgrade --wait=sh\t", ["upgrade", "--wait=shifted"]),
            ("rpctl upgrade --health h\thealthz", ["upgrade", "--health", "http:/healthz"]),
            ("rpctl upgrade --health=h\thealthz", ["upgrade", "--health=http:/healthz"]),
            ("rpctl upgrade --health http:/\thealthz", ["upgrade", "--health", "http:/healthz"]),
            ("rpctl upgrade --health http:/x --wa\t", ["upgrade", "--health", "http:/x", "--wait"]),
            ("rpctl -n w\t st\t\tatus", ["-n", "web", "status"]),
            ("rpctl --name=w\tstatus", ["--name=web", "status"]),
            ("rpctl --json upgrade ./server-\t--listen [::]:8000", ["--json", "upgrade", "./server-v1", "--listen", "[::]:8000"]),
            ("COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]/}; rpctl upgrade --health=h\thealthz",
             ["upgrade", "--health=http:/healthz"]),
            ("rpctl upgrade --wait=dr\t", ["upgrade", "--wait=drained"]),
        ):
            self.assertEqual(self.type(keys), words, keys)


if __name__ == "__main__":
    unittest.main()
