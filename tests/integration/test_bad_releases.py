"""Whatever is wrong with the new version, the old one goes on serving: one test for each row of rpctl(1)'s tables.

Clients run all the time. "Nothing is lost" means no failed request; where a process that had traffic dies, what it had
accepted or had in its queue may be lost, and no more. Rows about the old generation are in test_crash.py and
test_drains.py, those about the machine in test_scarcity.py.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import time

import closed_listeners
import harness
import services

FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
CLIENTS = 4 if harness.SANITIZED else 16
PROMPT = 30.0  # seconds: far less than the deadlines that must not have been waited for
NOBODY = 65534


def duplicates(pid, inodes):
    """{descriptor: inode} of those sockets that the process has open."""
    found = {}
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(entry.path)
            found.update({entry.name: inode for inode in inodes if target == f"socket:[{inode}]"})
    return found


class BadReleaseCase(services.ServiceCase):
    def setUp(self):
        super().setUp()
        self.port = self.box.port("127.0.0.1", "0.0.0.0")
        self.address = f"127.0.0.1:{self.port}"
        self.listen = ("--listen", self.address, "--workers", "2")

    def program(self, name, text):
        return services.script(self.box, name, text)

    def bad_upgrade(self, *words, code, reason, old=1, lost=0, quick=True):
        """An upgrade that must end so, beside clients; then everything must be as before."""
        inodes, began = self.listener_inodes(), time.monotonic()
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            outcome = self.upgrade(*words, code=code)
            load.answers(50)
            total = load.stop()["total"]
        if quick:
            self.assertLess(time.monotonic() - began, PROMPT)
        self.assertRegex(outcome.result["reason"], reason)
        self.assertLessEqual(total["failed"], lost, f"{total['failures']}\n{load.details()}")
        if code in (1, 6):
            self.assertEqual(set(total["generations"]), {str(old)}, "nobody else has answered")
            self.assertEqual(outcome.result["witness"]["failed"] if "witness" in outcome.result else 0, 0)
        self.assert_as_before(old, inodes)
        return outcome

    def assert_as_before(self, old, inodes):
        status = self.box.status()
        self.assertEqual([(g["generation"], g["state"]) for g in status["generations"]], [(old, "serving")])
        self.assertNotIn("operation", status)
        self.assertEqual(self.listener_inodes(), inodes)
        self.assertEqual(self.get().generation, str(old))
        self.assertEqual(self.left_by_others(old), [])

    def left_by_others(self, old):
        """Processes of the service that are neither its supervisor nor of the old generation."""
        expected = {i["pid"] for g in self.box.status()["generations"] for i in g["instances"]}
        expected.add(self.box.status()["supervisor"]["pid"])
        return [harness.command_line(pid) for pid in harness.descendants(self.box.status()["supervisor"]["pid"])
                if pid not in expected]

    def launched(self, outcome):
        return "launch" in outcome.phases("begin")


class RefusedTest(BadReleaseCase):
    """Exit 6, before anything is launched."""

    def refused(self, *words, reason, **rest):
        outcome = self.bad_upgrade(*words, code=6, reason=reason, **rest)
        self.assertFalse(self.launched(outcome), outcome)

    def test_files_that_cannot_be_a_release(self):
        self.start()
        plain, empty = self.program("plain", "no program"), self.program("empty", "")
        plain.chmod(0o644)
        dangling = self.box.dir / "dangling"
        dangling.symlink_to("nowhere")
        self.refused("./no-such-file", reason="no such file")
        self.refused("no-such-program-in-path", reason="no such program in PATH")
        self.refused(self.box.work, reason="is a directory")
        self.refused(plain, reason="is not executable.*chmod")
        self.refused(empty, reason="is empty")
        self.refused(dangling, reason="symlink")
        self.stop()

    def test_a_stranger_in_the_group(self):
        self.start()
        stranger = self.box.spawn(FOREIGN, "--listen", self.address, "--listeners", "1", "--answer", "never")
        harness.wait_until(lambda: len(self.listener_inodes()) == 3, "the stranger listens")
        outcome = self.upgrade(services.V2, *self.listen, code=6)
        self.assertRegex(outcome.result["reason"], rf"stranger's listener on {self.address}.*pid {stranger.pid}")
        self.assertFalse(self.launched(outcome), outcome)
        self.stop_child(stranger)
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def test_an_old_listener_that_is_alone(self):
        """Another address of the old one is without SO_REUSEPORT: a warning at the start, and no upgrade."""
        alone = f"127.0.0.1:{self.box.port('127.0.0.1')}"
        self.box.held.pop().close()
        started = self.start(binary=FOREIGN, more=("--alone", alone))
        warnings = [e["text"] for e in started.events if e["event"] == "warning"]
        self.assertTrue(any(alone in text and "SO_REUSEPORT" in text for text in warnings), warnings)
        self.refused(services.V2, *self.listen, reason=f"listener on {alone} has no SO_REUSEPORT.*--allow-drop")
        self.upgrade("--allow-drop", services.V2, *self.listen)
        self.stop()

    def test_an_old_listener_on_a_port_of_the_kernels_choice(self):
        """Nobody else needs that port: no bar."""
        self.start(binary=FOREIGN, more=("--alone", "127.0.0.1:0"))
        self.upgrade(FOREIGN)
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def test_an_old_listener_that_lost_the_option(self):
        """bind() may still work then, but the new listener would be in a group of its own, which nothing steers."""
        self.start(binary=FOREIGN, more=("--lose-reuseport",))
        os.kill(self.pid_of(1), signal.SIGUSR1)
        log = self.box.rpctl_dir / "default/log/generation-1.log"
        harness.wait_until(lambda: "without SO_REUSEPORT" in log.read_text(), "the option is gone")
        self.refused(services.V2, *self.listen, reason=f"listener on {self.address} has no SO_REUSEPORT")
        self.stop()


class CannotRunTest(BadReleaseCase):
    def setUp(self):
        super().setUp()
        self.start()

    def patched(self, name, patch):
        """A copy of server-v2 with some bytes changed."""
        path = self.box.dir / name
        shutil.copy(services.V2, path)
        data = bytearray(path.read_bytes())
        patch(data)
        path.write_bytes(data)
        return path

    def test_wrong_architecture(self):
        def patch(data):
            data[18:20] = (183 if data[18] != 183 else 62).to_bytes(2, "little")

        self.bad_upgrade(self.patched("other", patch), *self.listen, code=1, reason="another processor")
        self.stop()

    def test_missing_interpreter(self):
        self.bad_upgrade(self.program("script", "#!/no/such/interpreter\n"), code=1,
                         reason="interpreter /no/such/interpreter is missing")
        self.stop()

    def test_neither(self):
        self.bad_upgrade(self.program("text", "hello\n"), code=1, reason="neither a program nor a script")
        self.stop()

    def test_missing_library(self):
        def patch(data):
            at = data.index(b"libuv.so.1\0")
            data[at:at + 10] = b"libno.so.1"

        outcome = self.bad_upgrade(self.patched("lacks", patch), *self.listen, code=1, reason="exit status 127")
        self.assertTrue(any("libno.so.1" in line for line in outcome.result["log"]), outcome)
        self.stop()


class EndsByItselfTest(BadReleaseCase):
    def setUp(self):
        super().setUp()
        self.start()

    def test_with_0(self):
        self.bad_upgrade(self.program("done", "#!/bin/sh\nexit 0\n"), code=1,
                         reason=r"done \(pid \d+\) ended with exit status 0 before it was ready$")
        self.stop()

    def test_with_1_and_a_message(self):
        program = self.program("broken", "#!/bin/sh\nfor i in $(seq 20); do echo line $i; done\n"
                               "echo config.yaml: no such key: listen >&2\nexit 1\n")
        outcome = self.bad_upgrade(program, code=1, reason="exit status 1 before it was ready")
        self.assertEqual(outcome.result["log"][-1], "config.yaml: no such key: listen")
        self.assertEqual(len(outcome.result["log"]), 10)
        text = self.box.rpctl("upgrade", program, json_output=False)
        self.assert_code(text, 1)
        self.assertIn("last lines of broken:\n", text.err)
        self.assertIn("    config.yaml: no such key: listen\n", text.err)
        self.stop()

    def test_by_a_signal(self):
        for name, number in (("SEGV", 11), ("KILL", 9)):
            self.bad_upgrade(self.program("dies", f"#!/bin/sh\nkill -{name} $$\n"), code=1,
                             reason=rf"ended with signal {number} \(SIG{name}\).*before it was ready")
        self.stop()


class NeverReadyTest(BadReleaseCase):
    def setUp(self):
        super().setUp()
        self.start()

    def bad_answer(self, manner, reason):
        self.bad_upgrade("--health", "http:/healthz", "--ready-timeout", "1s", FOREIGN, *self.listen, "--answer", manner,
                         code=1, reason=f"not healthy within 1 s: {self.address}: {reason}")

    def test_never(self):
        self.bad_upgrade("--ready-timeout", "1s", services.V2, *self.listen, "--start-delay", "3600000", code=1,
                         reason="not ready within 1 s: 0 of 1 processes are")
        self.bad_upgrade("--ready-timeout", "1s", self.program("idle", "#!/bin/sh\nexec tail -f /dev/null\n"), code=1,
                         reason=f"not ready within 1 s: .* does not listen on {self.address}")
        self.stop()

    def test_500(self):
        self.bad_upgrade("--ready-timeout", "1s", services.V2, *self.listen, "--fail-health", code=1,
                         reason=f"not healthy within 1 s: {self.address}: GET /healthz 500")
        self.stop()

    def test_no_such_path(self):
        self.bad_upgrade("--health", "http:/nope", "--ready-timeout", "1s", services.V2, *self.listen, code=1,
                         reason=f"not healthy within 1 s: {self.address}: GET /nope 404")
        self.stop()

    def test_no_answer(self):
        self.bad_upgrade("--health", "http:/healthz", "--ready-timeout", "3s", FOREIGN, *self.listen, "--answer", "never",
                         code=1, reason=f"not healthy within 3 s: {self.address}: no answer in 2.00 s")
        self.stop()

    def test_no_answer_before_the_deadline(self):
        """The only probe is still under way when the time is over."""
        self.bad_upgrade("--health", "http:/healthz", "--ready-timeout", "1s", FOREIGN, *self.listen, "--answer", "never",
                         code=1, reason="not healthy within 1 s: no answer yet")
        self.stop()

    def test_garbage(self):
        self.bad_answer("garbage", 'garbage: no HTTP/1 status line: "220 mail.example.com ESMTP"')
        self.stop()

    def test_it_closes(self):
        self.bad_answer("close", ".*(closed|reset)")
        self.stop()


class WrongPlaceTest(BadReleaseCase):
    def setUp(self):
        super().setUp()
        self.other = f"127.0.0.1:{self.box.port('127.0.0.1')}"
        self.box.held.pop().close()

    def start_two(self):
        self.start(more=("--listen", self.other))

    def test_another_port_only(self):
        self.start()
        outcome = self.bad_upgrade(services.V2, "--listen", self.other, code=1, reason="exit status 1")
        self.assertTrue(any(self.address in line and "--allow-drop" in line for line in outcome.result["log"]), outcome)
        self.bad_upgrade("--ready-timeout", "1s", FOREIGN, "--listen", self.other, code=1,
                         reason=f"does not listen on {self.address}")
        self.bad_upgrade(FOREIGN, "--notify", "--listen", self.other, code=1,
                         reason=f"does not listen on {self.address}.*--allow-drop")
        self.stop()

    def test_one_of_two_addresses(self):
        self.start_two()
        outcome = self.bad_upgrade(services.V2, *self.listen, code=1, reason="exit status 1")
        self.assertTrue(any(self.other in line and "--allow-drop" in line for line in outcome.result["log"]), outcome)
        self.bad_upgrade("--ready-timeout", "1s", FOREIGN, *self.listen, code=1, reason=f"does not listen on {self.other}")
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            self.upgrade("--allow-drop", services.V2, *self.listen)
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(self.box.status()["generations"][0]["addresses"], [self.address])
        self.stop()

    def test_it_is_out_of_sight_before_it_is_told_to_stop(self):
        """A listener that its process closes takes a SYN with it now and then: the youngest of IPv4 meets all of them."""
        self.start()
        for more, reason in ((("--notify", "--unready"), "not ready within 1 s"), (("--answer", "never"), "not healthy"),
                             (("--hand-over", "--answer", "never"), "not healthy")):
            outcome = self.bad_upgrade("--health", "http:/healthz", "--ready-timeout", "1s", FOREIGN, *self.listen, *more,
                                       code=1, reason=reason)
            self.assertIn("SIGTERM, 0 of 2 listeners in sight", outcome.result["log"])
        self.stop()

    @harness.needs_namespace
    def test_it_is_out_of_sight_when_it_crashes(self):
        """It has shown its listeners to nobody; what rpctl has found is not closed by its end."""
        self.start()
        old = self.listener_inodes()
        with closed_listeners.ClosedListeners(self.port) as closed:
            upgrade = self.box.operation("upgrade", "--ready-timeout", "1h", FOREIGN, *self.listen, "--notify", "--unready")
            self.wait_for_two_looks(old)
            os.kill(self.pid_of(2), signal.SIGKILL)
            outcome = self.assert_code(upgrade.finish(), 1)
            self.assertIn("signal 9", outcome.result["reason"])
            harness.wait_until(lambda: closed.count() == 2, "two listeners are closed")
            self.assertEqual(closed.in_sight, 0)
        self.assert_as_before(1, old)
        self.stop()

    def wait_for_two_looks(self, old):
        """The second one takes duplicates of its own, while those of the first are there."""
        supervisor = self.box.status()["supervisor"]["pid"]

        def held():
            fds = duplicates(supervisor, set(self.listener_inodes()) - set(old))
            return fds if len(set(fds.values())) == 2 else None

        first = harness.wait_until(held, "rpctl has duplicates of its listeners")
        harness.wait_until(lambda: (held() or first) != first, "it has looked again")

    def test_without_reuseport(self):
        self.start()
        self.bad_upgrade(FOREIGN, *self.listen, "--without-reuseport", code=1,
                         reason=rf"address is in use.*SO_REUSEPORT before bind\(\) to {self.address}")
        self.stop()

    def test_another_user(self):
        """A foreign one that changes its user before it listens; and librp, which finds out by itself."""
        if not can_change_user():
            self.skipTest("needs two users")
        self.start()
        self.bad_upgrade(FOREIGN, *self.listen, "--user", NOBODY, code=1,
                         reason=f"ran as user {NOBODY}, and the listeners on {self.address} belong to user {os.geteuid()}")
        outcome = self.bad_upgrade(self.as_nobody(services.V2), *self.listen, code=1, reason="exit status 1")
        self.assertTrue(any("must belong to one user" in line for line in outcome.result["log"]), outcome)
        self.stop()

    def as_nobody(self, binary):
        """Its file is opened first: nobody may not have the right to reach it by its path."""
        return self.program("as-nobody", f"""#!/usr/bin/env python3
import os, sys
fd = os.open("{binary}", os.O_RDONLY)
os.setuid({NOBODY})
os.execve(fd, ["server-v2", *sys.argv[1:]], os.environ)
""")

    def shadow(self, *more):
        """0.0.0.0 is served, and the new one listens on 127.0.0.1: the kernel gives it that traffic at listen()."""
        self.listen = ("--listen", f"0.0.0.0:{self.port}", "--workers", "2")
        self.start()
        inodes = self.listener_inodes()
        with self.load(fresh=CLIENTS) as load:
            load.answers(50)
            outcome = self.upgrade("--ready-timeout", "1h", FOREIGN, *more, "--listen", self.address, code=1)
            load.mark("after")
            load.answers(50)
            total = load.stop()["total"]
        found = re.search(rf"listens on {self.address} and took connections to 0.0.0.0:{self.port} .* for (\d+) ms at most: "
                          r"(\d+) open in it, (\d+) in its queue", outcome.result["reason"])
        self.assertTrue(found, outcome)
        exposed_ms, _, queued = map(int, found.groups())
        self.assertLess(exposed_ms, PROMPT * 1000)
        # What stood in the queue of the one that was stopped, and what came while it was measured: never an old one's.
        self.assertLessEqual(total["failed"], queued + CLIENTS, f"{total['failures']}\n{load.details()}")
        self.assertEqual(load.window("after")["failed"], 0, load.details())
        self.assertEqual(set(load.window("after")["generations"]), {"1"})
        self.assert_as_before(1, inodes)
        self.stop()

    def test_shadowing(self):
        self.shadow()

    def test_shadowing_by_one_that_notifies(self):
        """It is seen as soon as it listens, not when it says that it is ready."""
        self.shadow("--notify")

    def test_shadowing_by_one_that_hands_over(self):
        """It has all the right addresses, and one more that it must not have; its health is never good."""
        self.listen = ("--listen", f"0.0.0.0:{self.port}", "--workers", "2")
        self.start()
        outcome = self.upgrade("--ready-timeout", "1h", "--health", "http:/healthz", FOREIGN, "--hand-over", "--answer",
                               "close", *self.listen, "--also-listen", self.address, code=1)
        self.assertRegex(outcome.result["reason"], f"listens on {self.address} and took connections to 0.0.0.0:{self.port}")
        self.stop()

    def test_shadowing_by_librp(self):
        self.listen = ("--listen", f"0.0.0.0:{self.port}", "--workers", "2")
        self.start()
        outcome = self.bad_upgrade(services.V2, "--listen", self.address, code=1, reason="exit status 1")
        self.assertTrue(any("take connections from the running release" in line for line in outcome.result["log"]), outcome)
        self.stop()


class GoodReleaseTest(BadReleaseCase):
    """What looks odd and is fine: exit 0."""

    def test_more_and_fewer_workers_and_an_address_more(self):
        other = f"127.0.0.1:{self.box.port('127.0.0.1')}"
        self.start()
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            for more in (("--workers", "4"), ("--workers", "1"), ("--workers", "3", "--listen", other)):
                load.answers(50)
                self.upgrade(services.V2, "--listen", self.address, *more)
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(set(self.box.status()["generations"][0]["addresses"]), {self.address, other})
        self.stop()


class SpeakingTest(BadReleaseCase):
    """Servers that say READY=1, and send no listeners, or do: each upgrade is good, however a look falls."""

    def test_ready_right_after_listen(self):
        self.start(binary=FOREIGN, more=("--notify",))
        for more in (("--notify",), ("--hand-over",)) * 5:
            self.upgrade(FOREIGN, *self.listen, *more)
        self.stop()


class LeavesProcessesTest(BadReleaseCase):
    def setUp(self):
        super().setUp()
        self.start()

    def daemon(self, *manner):
        """One that notifies is held to READY=1: however late its parent ends, it is not taken as ready before."""
        self.bad_upgrade(FOREIGN, *self.listen, "--daemon", "--notify", *manner, code=1,
                         reason="exit status 0 before it was ready, but runs on in the background: start it in the "
                         "foreground")

    def test_a_daemon(self):
        for manner in ((), ("--own-session",), ("--own-session", "--bare")):
            self.daemon(*manner)
        self.stop()

    def test_a_daemon_that_does_not_stop(self):
        """The pin stays until it is gone: nobody is answered by it meanwhile (bad_upgrade looks at that)."""
        self.daemon("--deaf")
        self.daemon("--deaf", "--own-session", "--bare")
        self.stop()

    def test_children_that_outlive_it(self):
        for manner in ((), ("--own-session",), ("--own-session", "--bare"), ("--own-session", "--bare", "--deaf")):
            outcome = self.bad_upgrade("--health", "http:/healthz", "--ready-timeout", "1s", FOREIGN, *self.listen,
                                       "--leave-child", "--answer", "close", *manner, code=1, reason="not healthy within 1 s")
            warnings = [e["text"] for e in outcome.events if e["event"] == "warning"]
            self.assertTrue(any("left behind" in text for text in warnings), (manner, warnings))
        self.stop()

    def test_the_old_ones_own_daemons_are_left_alone(self):
        """A helper of the generation that serves, with its listeners, and with something that tells whose it is, or not."""
        self.stop()
        for manner in (("--own-session", "--bare"), ("--own-session",)):
            self.start(binary=FOREIGN, more=("--leave-child", *manner))
            helpers = self.left_by_others(1)
            self.assertEqual(len(helpers), 1)
            outcome = self.upgrade("--ready-timeout", "1s", services.V2, *self.listen, "--fail-health", code=1)
            self.assertEqual([e for e in outcome.events if e["event"] == "warning"], [])
            self.assertEqual(self.left_by_others(1), helpers)
            self.stop()

    def test_the_new_ones_own_daemons_are_left_alone(self):
        """When the old generation has gone, what it left behind is ended, and nothing else."""
        self.upgrade(FOREIGN, *self.listen, "--leave-child", "--own-session")
        self.wait_for_generations({2: "serving"})
        self.assertEqual(len(self.left_by_others(2)), 1)
        self.stop()


class AfterTheShiftTest(BadReleaseCase):
    """Exit 3. What the dying process had accepted, or had in its queue, is lost with it."""

    def setUp(self):
        super().setUp()
        self.start()

    def test_it_dies_in_the_bake(self):
        outcome = self.bad_upgrade("--bake", "60s", services.V2, *self.listen, "--exit-after", "500", code=3,
                                   reason="exit status 1 in the bake", lost=4 * CLIENTS)
        self.assertIn("bake", outcome.phases("fail"))
        self.stop()

    def test_it_turns_unhealthy_in_the_bake(self):
        self.bad_upgrade("--bake", "60s", services.V2, *self.listen, "--fail-health-after", "500", code=3,
                         reason="GET /healthz 500")
        self.stop()


class AbortTest(BadReleaseCase):
    """`rpctl abort` in every phase: 1 before the shift, 3 after it, too late in the drain."""

    def setUp(self):
        super().setUp()
        self.start()

    def abort_in(self, phase, *words, code):
        inodes = self.listener_inodes()
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            upgrade = self.box.operation("upgrade", *words)
            upgrade.until_phase(phase)
            self.assert_code(self.box.rpctl("abort"), 0)
            outcome = self.assert_code(upgrade.finish(), code)
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(outcome.result["reason"], "aborted")
        self.assertNotIn("log", outcome.result)
        self.assert_as_before(1, inodes)

    def test_ready(self):
        self.abort_in("ready", services.V2, *self.listen, "--start-delay", "3600000", code=1)
        self.stop()

    def test_health(self):
        self.abort_in("health", "--ready-timeout", "1h", services.V2, *self.listen, "--fail-health", code=1)
        self.stop()

    def test_bake(self):
        self.abort_in("bake", "--bake", "1h", services.V2, *self.listen, code=3)
        self.stop()

    def test_quiesce(self):
        """One connection stands in an old queue, so that it does not get empty."""
        inodes, pid = self.listener_inodes(), self.pid_of(1)
        with services.stopped(pid):
            client = self.request()
            self.wait_for_connections(1)
            upgrade = self.box.operation("upgrade", "--bake", "0", "--quiesce-timeout", "1h", services.V2, *self.listen)
            upgrade.until_phase("quiesce")
            self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 3)
        self.assertEqual(services.answer(client).generation, "1")
        self.assert_as_before(1, inodes)
        self.stop()

    def test_drain(self):
        with self.download() as download:
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V2, *self.listen)
            upgrade.until_phase("drain")
            refused = self.assert_code(self.box.rpctl("abort"), 1)
            self.assertIn("too late", refused.out + refused.err)
            self.assertTrue(download.is_whole())
        self.assert_code(upgrade.finish(), 0)
        self.assertEqual(self.get().generation, "2")
        self.stop()


def can_change_user():
    """Root in a user namespace of its own has no other user to become."""
    return os.geteuid() == 0 and len(pathlib.Path("/proc/self/uid_map").read_text().split()) == 3 and \
        int(pathlib.Path("/proc/self/uid_map").read_text().split()[2]) > NOBODY


if __name__ == "__main__":
    harness.main()
