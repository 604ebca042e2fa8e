"""The manual tells of every command, option, event and function that there is, and of no other."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import unittest

import harness
import rpctl_help
import services

MAN = harness.ROOT / "deploy/man"
PAGES = ("rpctl.1", "rp-server.1", "librp.3", "rpctl-protocol.7")
SHARED = ("run", "start", "upgrade", "restart")  # their options stand together


def read(page):
    return (MAN / page).read_text()


def section(text, heading, macro="Sh"):
    """What stands under the heading, up to the next of its kind or above."""
    found = re.search(rf"(?ms)^\.{macro} {re.escape(heading)}\n(.*?)(?=^\.S[hs]|\Z)", text)
    if not found:
        raise AssertionError(f"no section {heading}")
    return found.group(1)


def items(text):
    """{option: what stands below it} of the lines ".It Fl n , -name Ar NAME"."""
    found = {}
    for head, body in re.findall(r"(?ms)^\.It (Fl [^\n]*)\n(.*?)(?=^\.It Fl|\Z)", text):
        for name in re.findall(r"(?<=[ ,])-?-?[a-z][a-z-]*(?= |$)", head.removeprefix("Fl")):
            found["-" + name] = body
    return found


class OptionsTest(unittest.TestCase):
    def test_commands(self):
        told = re.findall(r"(?m)^\.It Cm (\w+)", section(read("rpctl.1"), "COMMANDS"))
        self.assertEqual(told, rpctl_help.commands())

    def check(self, heading, options, more=()):
        told = items(section(read("rpctl.1"), heading, "Ss"))
        self.assertCountEqual(told, {*rpctl_help.names(options), *more})
        return told

    def test_options(self):
        self.check("Global options", rpctl_help.global_options(), more=["--version"])
        self.check("Options of status", rpctl_help.own_options("status"))
        self.check("Options of logs", rpctl_help.own_options("logs"))
        shared = {name: option for command in SHARED for option in rpctl_help.own_options(command) for name in option.names}
        told = self.check(f"Options of {', '.join(SHARED[:-1])} and {SHARED[-1]}", shared.values())
        for name, option in shared.items():
            if option.default:
                self.assertRegex(told[name], rf"(?m)^\.Pq (Cm )?{re.escape(option.default)}\b", name)

    def test_no_other_command_has_options(self):
        for command in rpctl_help.commands():
            if command not in (*SHARED, "status", "logs"):
                self.assertEqual(rpctl_help.own_options(command), [], command)

    def test_exit_codes(self):
        listed = re.findall(r"(\d+) [a-z]", rpctl_help.text_of("help").partition("Exit status:")[2])
        told = re.findall(r"(?m)^\.It (\d+)$", section(read("rpctl.1"), "EXIT STATUS"))
        self.assertEqual(told, listed)

    def test_servers(self):
        page = read("rp-server.1")
        ours, demo = items(section(page, "OPTIONS")), items(section(page, "Options of server-v1 and server-v2", "Ss"))
        for program, told in (("rp-server", ours), ("server-v1", ours | demo), ("server-v2", ours | demo)):
            text = rpctl_help.text_of("--help", program=harness.BIN_DIR / program)
            self.assertCountEqual(told, rpctl_help.names(rpctl_help.options_in(text)), program)


class LibraryTest(unittest.TestCase):
    HEADERS = sorted((harness.ROOT / "include/rp").iterdir())

    def test_headers(self):
        told = re.findall(r"(?m)^\.In (rp/\S+)$", section(read("librp.3"), "SYNOPSIS"))
        self.assertCountEqual(told, [f"rp/{path.name}" for path in self.HEADERS])

    def test_functions_stand_below_their_header(self):
        told = {}
        for heading in re.findall(r"(?m)^\.Ss (.+)$", read("librp.3")):
            text = section(read("librp.3"), heading, "Ss")
            headers = re.findall(r"(?m)^\.In (rp/\S+)", text.partition(".Bl")[0])
            for line in re.findall(r"(?m)^\.It (Fn .*)$", text):
                told |= dict.fromkeys(re.findall(r"Fn (\w+)", line), headers)
        for path in self.HEADERS:
            text = re.sub(r"(?s)/\*.*?\*/|typedef[^;]*;", "", path.read_text())
            for function in re.findall(r"\b(rp_\w+)\(", text):
                self.assertIn(f"rp/{path.name}", told.pop(function, ()), function)
        self.assertEqual(told, {})


class PagesTest(unittest.TestCase):
    def run_clean(self, *command):
        if not shutil.which(command[0]):
            self.skipTest(f"{command[0]} is not installed")
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout

    def test_lint(self):
        for page in PAGES:
            self.assertEqual(self.run_clean("mandoc", "-Tlint", "-Wwarning", MAN / page), "", page)

    def test_rendered(self):
        for page in PAGES:
            text = self.run_clean("man", "--warnings", "--local-file", MAN / page)
            self.assertIn("SEE ALSO", text)
            self.assertLessEqual(max(len(line) for line in re.sub(".\b", "", text).splitlines()), 80, page)

    def test_pages_that_are_named_are_there(self):
        for page in PAGES:
            named = re.findall(r"(?m)^\.Xr ((?:lib)?rp\S*) (\d)", read(page))
            self.assertTrue(named, page)
            for name, number in named:
                self.assertIn(f"{name}.{number}", PAGES, page)


class ProtocolTest(services.ServiceCase):
    """Whatever an upgrade that succeeds, one that fails, status and stop print is in the page."""

    FIXED = ("operation", "phase", "state", "outcome")  # members whose texts are

    def objects_in(self, value, kinds):
        """(kinds of event, object): the events that a status repeats keep their own kind."""
        if isinstance(value, dict):
            kinds = (value["event"],) if "event" in value else kinds
            yield kinds, value
            for name, inner in value.items():
                if name != "policy":
                    yield from self.objects_in(inner, (*kinds, "result") if name == "last" else kinds)
        elif isinstance(value, list):
            for inner in value:
                yield from self.objects_in(inner, kinds)

    def assert_told(self, word, text):
        self.assertRegex(text, rf"(?m)^\.(Ql|It|It Cm) (\w+ , )*{word}\b")

    def status_of_one_that_died(self):
        """Killed until there is a pause before it is launched again."""
        while True:
            outcome = self.box.rpctl("status")
            instance = outcome.events[0]["generations"][0]["instances"][0]
            if "next_try" in instance:
                return outcome
            with contextlib.suppress(ProcessLookupError):
                os.kill(instance["pid"], signal.SIGKILL)

    def status_of_one_that_was_given_up(self):
        while True:
            outcome = self.box.rpctl("status")
            if outcome.events[0]["state"] == "failed":
                return outcome
            with contextlib.suppress(ProcessLookupError):
                os.kill(outcome.events[0]["generations"][0]["instances"][0]["pid"], signal.SIGKILL)

    def events(self):
        outcomes = [self.box.rpctl("status"), self.start()]
        watch = self.box.operation("status", "--watch")
        outcomes.append(self.upgrade(services.V2))
        with services.Download(self.port):
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V1)
            upgrade.until_phase("drain")
            outcomes.append(self.box.rpctl("status"))
        outcomes.append(upgrade.finish())
        outcomes.append(self.upgrade("--ready-timeout", "300ms", services.V1, *self.listen, "--fail-health", code=1))
        outcomes.append(self.box.rpctl("abort"))
        outcomes.append(self.box.rpctl("upgrade", self.box.dir / "absent"))
        outcomes.append(self.box.rpctl("status"))
        outcomes.append(self.status_of_one_that_died())
        outcomes += [self.upgrade("--max-restarts", "1", "--witness", "off", services.V2), self.status_of_one_that_was_given_up(), self.stop()]
        outcomes.append(self.box.rpctl("version"))
        watch.until(lambda event: event["event"] == "result")
        outcomes.append(watch.finish())
        return [event for outcome in outcomes for event in outcome.events]

    def test_events(self):
        page = read("rpctl-protocol.7").partition(".Sh EVENTS")[2].partition(".Sh REQUESTS")[0]
        outcomes, seen = set(), set()
        for event in self.events():
            outcomes.add(event.get("outcome"))
            self.assertEqual(event["schema"], 1)
            for kinds, found in self.objects_in(event, ()):
                seen |= {(kinds[0], member) for member in found}
                for member in found.keys() - {"event", "service", "schema"}:
                    self.assert_told(member, "".join(section(page, kind, "Ss") for kind in kinds))
                for text in (found[member] for member in self.FIXED if isinstance(found.get(member), str)):
                    self.assert_told(text, page)
        self.assertEqual(outcomes, {None, "done", "failed", "refused", "no service"})
        self.assertLessEqual({("status", member) for member in ("drain", "deadline", "next_try", "ended", "connections", "last", "given_up",
                                                                "events", "total")}, seen)


if __name__ == "__main__":
    harness.main()
