"""`rpctl reexec`: the supervisor is replaced by the rpctl that is now at its path, in the same process.

The program that a test runs is a copy of rpctl, and a new one is put in its place by rename, as a package manager does.
Clients run all the time and lose nothing.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import sys
import termios
import threading

import control
import harness
import services

FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
OURS, NEWER, OTHER = (harness.BIN_DIR / name for name in ("rpctl", "rpctl-newer", "rpctl-other"))
VERSION = "99.1.0"  # of rpctl-newer
ANSWER = "rpctl-can-resume"
CLIENTS = 8 if harness.SANITIZED else 32  # of each of two kinds
ROUNDS = 6 if harness.SANITIZED else 20
EVENT_BYTES = 25_000
STOP_STEP = 0.001  # seconds: from the answer of the new program over the exec to its first turn
MEMORY_SLACK_KIB = 1024  # the heap's own steps; a leak of a few KiB a round is beyond it


class ReexecCase(services.ServiceCase):
    def setUp(self):
        super().setUp()
        (self.box.dir / "bin").mkdir()
        self.program = self.box.dir / "bin/rpctl"
        self.install(OURS)
        self.box.program = str(self.program)

    def install(self, source):
        """Puts a program, or a script of that text, in the place of rpctl. The commands are always those of rpctl."""
        new = self.program.with_name("new")
        if isinstance(source, str):
            new.write_text(source)
            new.chmod(0o755)
        else:
            shutil.copy2(source, new)
        new.rename(self.program)
        self.box.program = str(source if isinstance(source, pathlib.Path) else OURS)

    def reexec(self, code=0):
        return self.assert_code(self.box.rpctl("reexec"), code)

    def supervisor(self):
        return self.box.status()["supervisor"]

    def wait_for_version(self, version=VERSION):
        harness.wait_until(lambda: self.supervisor()["version"] == version, f"the supervisor is rpctl {version}")

    def log(self):
        return (self.box.rpctl_dir / "default/log/supervisor.log").read_text()

    def inheritable(self, pid):
        """Descriptors that are not close-on-exec, but for the three that are for everybody."""
        found = []
        for path in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
            flags = next(line for line in path.read_text().splitlines() if line.startswith("flags:"))
            if int(path.name) > 2 and not int(flags.split()[1], 8) & os.O_CLOEXEC:
                found.append(path.name)
        return found

    def assert_works(self, generation):
        """All that a supervisor does: a crash is made good with the same listeners, an upgrade and a stop work."""
        inodes, pid = self.listener_inodes(), self.pid_of(generation)
        restarts = self.instances(generation)[0][2]
        os.kill(pid, signal.SIGKILL)
        self.wait_for_restarts(generation, [restarts + 1])
        self.assertEqual(self.listener_inodes(), inodes)
        self.upgrade(services.V2, *self.listen)
        self.assertEqual(self.generations(), {generation + 1: "serving"})
        self.assertEqual(self.get().generation, str(generation + 1))
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()


class IdleTest(ReexecCase):
    def test_it_is_the_same_process(self):
        self.start()
        before, server, inodes = self.box.status(), self.pid_of(1), self.listener_inodes()
        lock = (self.box.rpctl_dir / "default/lock").stat().st_ino
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            self.install(NEWER)
            outcome = self.reexec()
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual({k: outcome.result[k] for k in ("operation", "old", "new", "generation")},
                         {"operation": "reexec", "old": before["supervisor"]["version"], "new": VERSION, "generation": 1})
        self.assertEqual(outcome.phases(), ["ask", "resume"])
        after = self.box.status()
        self.assertEqual(after["supervisor"], {**before["supervisor"], "version": VERSION})
        for key in ("release", "args", "policy", "last", "state"):
            self.assertEqual(after[key], before[key], key)
        self.assertNotIn("operation", after)
        self.assertEqual((self.pid_of(1), self.listener_inodes()), (server, inodes))
        self.assertEqual(self.inheritable(after["supervisor"]["pid"]), [])
        self.assertEqual((self.box.rpctl_dir / "default/lock").stat().st_ino, lock)
        self.assertIn(str(before["supervisor"]["pid"]), str(self.assert_code(self.box.rpctl("start", services.V1), 4)))
        self.assertIn(VERSION, self.box.rpctl("version", json_output=False).out)
        self.assert_works(1)

    def test_what_it_prints(self):
        self.start()
        self.install(NEWER)
        outcome = self.assert_code(self.box.rpctl("reexec", json_output=False), 0)
        self.assertRegex(outcome.out, r"(?m)^  ask +rpctl 99\.1\.0 can go on +\d+ ms$")
        self.assertRegex(outcome.out, r"(?m)^  resume +rpctl \S+ -> 99\.1\.0, pid \d+ as before +\d+ ms$")
        self.assertRegex(outcome.out, r"(?m)^supervisor replaced in \d+ ms$")
        self.stop()

    def test_servers_inherit_nothing_of_it(self):
        self.start()
        pid, first = self.supervisor()["pid"], services.environment(self.pid_of(1))
        before = harness.idle_descriptor_count(self.pid_of(1))
        own = services.environment(pid)
        self.reexec()
        self.upgrade(services.V1)
        self.assertEqual({**services.environment(self.pid_of(2)), "RP_GENERATION": "1"},
                         {**first, "RP_LISTEN": self.address})
        self.assertEqual(harness.idle_descriptor_count(self.pid_of(2)), before)
        now = services.environment(pid)
        self.assertTrue(now.pop("RPCTL_RESUME").isdigit())
        self.assertEqual(now, own)
        self.stop()

    def test_by_signal(self):
        self.start()
        self.install(NEWER)
        os.kill(self.supervisor()["pid"], signal.SIGUSR2)
        self.wait_for_version()
        self.assert_works(1)

    def test_a_server_dies_meanwhile(self):
        """Before the new program runs: a dead child waits for whoever its parent is."""
        self.start()
        supervisor, server = self.supervisor()["pid"], self.pid_of(1)
        self.install(NEWER)
        with services.stopped(supervisor):
            os.kill(supervisor, signal.SIGUSR2)
            os.kill(server, signal.SIGKILL)
        self.wait_for_version()
        self.wait_for_restarts(1, [1])
        self.assertEqual(self.generation(1)["instances"][0]["ended"], "signal 9 (SIGKILL)")
        self.assert_works(1)

    def test_it_is_stopped_meanwhile(self):
        """SIGTERM is not lost, and does not kill, in whatever moment it comes."""
        for i in range(ROUNDS):
            self.start()
            pid, server = self.supervisor()["pid"], self.pid_of(1)
            reexec = self.box.operation("reexec")
            reexec.until_phase("resume")
            harness.let_pass(i * STOP_STEP)
            os.kill(pid, signal.SIGTERM)
            harness.wait_gone(pid)
            self.assertIn(reexec.finish().code, (0, 1))
            self.assertFalse(harness.process_exists(server), f"killed {i * STOP_STEP} s after the answer")

    def test_a_launch_that_is_put_off_stays_so(self):
        """The back-off goes on where it stood."""
        bad = self.box.dir / "bad"
        shutil.copy2(services.V1, bad)
        self.start(binary=bad)
        services.script(self.box, "worse", "#!/bin/sh\nexit 3\n").rename(bad)
        os.kill(self.pid_of(1), signal.SIGKILL)
        harness.wait_until(lambda: self.instances(1)[0][2] >= 3, "it was launched again and again")
        before = self.instances(1)[0][2]
        self.reexec()
        after = self.generation(1)["instances"][0]
        self.assertGreaterEqual(after["restarts"], before)
        self.assertEqual(after["ended"], "exit status 3")
        shutil.copy2(services.V1, self.box.dir / "good")
        (self.box.dir / "good").rename(bad)
        harness.wait_until(lambda: self.instances(1)[0][1] == "ready", "it is launched again")
        self.assertEqual(self.get().generation, "1")
        self.stop()

    def test_instances(self):
        self.start("--instances", "3")
        pids = [i[0] for i in self.instances(1)]
        self.reexec()
        self.assertEqual([i[0] for i in self.instances(1)], pids)
        self.assertEqual(self.generation(1)["listeners"], 6)
        os.kill(pids[1], signal.SIGKILL)
        self.wait_for_restarts(1, [0, 1, 0])
        self.stop()

    def test_a_foreign_server(self):
        self.start(binary=FOREIGN)
        pid, inodes = self.pid_of(1), self.listener_inodes()
        with self.load(fresh=CLIENTS) as load:
            load.answers(50)
            self.reexec()
            load.answers(50)
            self.assertEqual((self.pid_of(1), self.listener_inodes()), (pid, inodes))
            self.upgrade(FOREIGN, *self.listen)
            load.answers(50)
            self.assert_spotless(load)
        os.kill(self.pid_of(2), signal.SIGKILL)  # takes no listeners over: another generation takes its place
        self.wait_for_generations({3: "serving"})
        self.stop()

    def test_after_a_takeover(self):
        """Its processes are no children: seen by their pidfd, also by the third supervisor."""
        self.start()
        server, former = self.pid_of(1), self.supervisor()["pid"]
        os.kill(former, signal.SIGKILL)
        harness.wait_gone(former)
        self.start()
        self.install(NEWER)
        self.reexec()
        self.assertEqual(self.pid_of(1), server)
        self.assert_works(1)


class DrainTest(ReexecCase):
    """While an old generation drains, and a client waits for that."""

    def drain(self, *options):
        self.start()
        download = self.download()
        upgrade = self.box.operation("upgrade", "--bake", "0", *options, services.V2, *self.listen)
        upgrade.until_phase("drain")
        return download, upgrade

    def test_it_goes_on(self):
        download, upgrade = self.drain()
        self.install(NEWER)
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            before = self.box.status()
            self.reexec()
            after = self.box.status()
            self.assertEqual(self.generations(), {2: "serving", 1: "draining"})
            for status in (before, after):
                self.assertEqual([g["share"] for g in status["generations"]], [100, 0])
                del status["operation"]["ms"]
            self.assertEqual(after["operation"], before["operation"])
            self.assertEqual(after["generations"][1]["drain"], before["generations"][1]["drain"])
            load.answers(50)
            self.assertTrue(download.is_whole())
            outcome = self.assert_code(upgrade.finish(), 0)
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual((outcome.result["operation"], outcome.result["generation"]), ("upgrade", 2))
        self.assertEqual(outcome.result["witness"]["failed"], 0)
        self.assertEqual(outcome.result["cut"], 0)
        self.wait_for_generations({2: "serving"})
        self.assert_works(2)

    def test_what_is_steered_is_known(self):
        """32 listeners close beside two that serve, which change places with them: the new program steers around."""
        self.start(more=("--workers", "32"))
        with self.download() as download:
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V2, *self.listen)
            upgrade.until_phase("drain")
            with self.load(fresh=2 * CLIENTS) as load:
                load.answers(50)
                self.reexec()
                self.assertTrue(download.is_whole())
                self.assert_code(upgrade.finish(), 0)
                load.answers(200)
                self.assert_spotless(load)
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()

    def test_again_and_again(self):
        download, upgrade = self.drain()
        for _ in range(5):
            self.reexec()
        self.assertTrue(download.is_whole())
        self.assert_code(upgrade.finish(), 0)
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()

    def test_the_deadline_is_kept(self):
        """A server that does not stop is killed when the first supervisor would have killed it."""
        self.start(more=("--ignore-term",))
        with self.download():
            upgrade = self.box.operation("upgrade", "--bake", "0", "--drain-timeout", "3s", services.V2, *self.listen)
            upgrade.until_phase("drain")
            harness.let_pass(2)  # of three
            self.reexec()
            outcome = self.assert_code(upgrade.finish(), 7)
        self.assertEqual(outcome.result["cut"], 1)
        drain = next(e for e in outcome.events if e["event"] == "phase" and (e["phase"], e["state"]) == ("drain", "end"))
        self.assertGreater(drain["ms"], 2900)
        self.assertLess(drain["ms"], 3000 + (5000 if harness.SANITIZED else 1500))
        self.stop()

    def test_the_server_ends_meanwhile(self):
        download, upgrade = self.drain()
        supervisor, old = self.supervisor()["pid"], self.pid_of(1)
        with services.stopped(supervisor):
            os.kill(supervisor, signal.SIGUSR2)
            self.assertTrue(download.is_whole())
            harness.wait_until(lambda: services.process_state(old) == "Z", "it has ended")
        self.assert_code(upgrade.finish(), 0)
        self.wait_for_generations({2: "serving"})
        self.stop()

    def test_more_upgrades_follow(self):
        """Two generations drain; the latest is changed again under the new program."""
        first, one = self.drain()
        with self.download() as second:
            two = self.box.operation("upgrade", "--bake", "0", services.V1, *self.listen)
            two.until_phase("drain")
            self.reexec()
            three = self.upgrade(services.V2)
            self.assertEqual(three.result["generation"], 4)
            self.assertTrue(second.is_whole())
            self.assertTrue(first.is_whole())
        self.assert_code(one.finish(), 0)
        self.assert_code(two.finish(), 0)
        self.wait_for_generations({4: "serving"})
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()


class RefusedTest(ReexecCase):
    """A program that cannot go on is not begun: all is as before, to the last descriptor."""

    def setUp(self):
        super().setUp()
        self.start()
        pid = self.supervisor()["pid"]
        self.before = self.found(pid)

    def found(self, pid):
        return self.supervisor(), self.pid_of(1), self.listener_inodes(), harness.idle_descriptor_count(pid)

    def assert_refused(self, *words):
        outcome = self.reexec(code=1)
        for word in words:
            self.assertIn(word, outcome.result["reason"])
        self.assert_as_before()
        self.install(NEWER)
        self.reexec()
        self.assertEqual(self.supervisor()["version"], VERSION)
        self.stop()

    def assert_as_before(self):
        pid = self.supervisor()["pid"]
        self.assertEqual(self.found(pid), self.before)
        self.assertEqual(self.inheritable(pid), [])
        self.assertNotIn("operation", self.box.status())
        self.assertEqual(self.get().generation, "1")

    def test_of_another_state(self):
        self.install(OTHER)
        self.assert_refused(str(self.program), "the state cannot be read", "its version is 2", "and not 99")

    def test_it_ends_badly(self):
        self.install("#!/bin/sh\necho no such luck\nexit 1\n")
        self.assert_refused("cannot go on with the service: asked, it ended with exit status 1 and said: no such luck")

    def test_it_does_not_know_the_question(self):
        """As an rpctl that is older than this: a good end alone is no answer."""
        self.install("#!/bin/sh\nexit 0\n")
        self.assert_refused("asked, it ended with exit status 0")

    def test_no_program(self):
        self.install("no program at all\n")
        self.assert_refused(str(self.program))

    def test_of_another_machine(self):
        data = bytearray(OURS.read_bytes()[:4096])
        data[18:20] = b"\xf3\x00"  # e_machine
        other = self.box.dir / "other-machine"
        other.write_bytes(data)
        other.chmod(0o755)
        self.install(other)
        self.box.program = str(OURS)
        self.assert_refused(str(self.program))

    def test_not_executable(self):
        self.program.chmod(0o644)
        self.box.program = str(OURS)
        self.assert_refused(str(self.program), "chmod" if os.geteuid() else "")

    def test_missing(self):
        self.program.unlink()
        self.box.program = str(OURS)
        self.assert_refused(str(self.program), "No such file")

    def test_it_does_not_answer(self):
        self.install("#!/bin/sh\nexec tail -f /dev/null\n")
        self.assert_refused("has not said within 5 s")

    def test_it_is_replaced_while_it_answers(self):
        self.install(f"#!/bin/sh\nchmod 700 \"$0\"\necho {ANSWER} 1\n")
        self.assert_refused("was replaced meanwhile")

    def test_the_exec_fails(self):
        """At the last moment: it has answered well, and cannot be run any more."""
        shell = self.box.dir / "bin/shell"
        shutil.copy2("/bin/sh", shell)
        self.install(f"#!{shell}\necho {ANSWER} 1\nrm {shell}\n")
        self.assert_refused(str(shell))

    def test_it_breaks_its_word(self):
        """It has answered well, and ends at once: then the servers go on, and are taken over."""
        self.install(f"#!/bin/sh\n[ \"$RPCTL_RESUME\" ] && exit 9\necho {ANSWER} 1\n")
        with self.load(fresh=CLIENTS) as load:
            load.answers(20)
            self.reexec(code=70)
            load.answers(20)
            self.install(OURS)
            takeover = self.start()
            load.answers(20)
            self.assert_spotless(load)
        self.assertEqual(takeover.events[0]["operation"], "takeover")
        self.assertEqual(self.pid_of(1), self.before[1])
        self.assert_works(1)


class BusyTest(ReexecCase):
    def assert_busy(self, *words):
        outcome = self.reexec(code=4)
        for word in words:
            self.assertIn(word, outcome.result["reason"])

    def test_an_upgrade(self):
        self.start()
        self.install(NEWER)
        upgrade = self.box.operation("upgrade", "--bake", "1h", services.V2, *self.listen)
        upgrade.until_phase("bake")
        self.assert_busy("upgrade 1 -> 2 (bake) is under way")
        os.kill(self.supervisor()["pid"], signal.SIGUSR2)
        harness.wait_until(lambda: "reexec=refused" in self.log(), "the signal was refused")
        self.assertNotEqual(self.supervisor()["version"], VERSION)
        self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 3)
        self.reexec()
        self.assertEqual(self.supervisor()["version"], VERSION)
        self.stop()

    def test_a_first_start(self):
        start = self.box.operation("start", services.V1, *self.listen, "--fail-health")
        start.until_phase("health")
        self.assert_busy("start 0 -> 1 (health) is under way")
        self.assert_code(self.box.rpctl("abort"), 0)
        start.finish()

    def test_a_stop(self):
        self.start("--drain-timeout", "1h")
        with self.download() as download:
            stop = self.box.operation("stop")
            stop.until_phase("drain")
            self.assert_busy("stopping")
            self.assertTrue(download.is_whole())
        self.assert_code(stop.finish(), 0)

    def test_meanwhile_others_are_refused(self):
        """In the question, which lasts as long as the test wants."""
        self.start()
        self.install(f"#!/bin/sh\n[ \"$RPCTL_RESUME\" ] && exit 9\nmkfifo {self.box.dir}/fifo\nread -r line < {self.box.dir}/fifo\n")
        reexec = self.box.operation("reexec")
        reexec.until_phase("ask")
        harness.wait_until((self.box.dir / "fifo").exists, "it is asked")
        self.assert_busy("is being replaced already")
        upgrade = self.assert_code(self.box.rpctl("upgrade", services.V2), 4)
        self.assertIn("is being replaced", upgrade.result["reason"])
        abort = self.assert_code(self.box.rpctl("abort"), 1)
        self.assertIn("nothing to abort", abort.result["reason"])
        self.assertEqual(self.box.status()["operation"]["operation"], "reexec")
        with open(self.box.dir / "fifo", "w", encoding="ascii") as fifo:
            fifo.write("go\n")
        self.assert_code(reexec.finish(), 1)
        self.upgrade(services.V2)
        self.stop()

    def test_stopped_meanwhile(self):
        self.start()
        self.install(f"#!/bin/sh\nmkfifo {self.box.dir}/fifo\nread -r line < {self.box.dir}/fifo\n")
        reexec = self.box.operation("reexec")
        harness.wait_until((self.box.dir / "fifo").exists, "it is asked")
        self.stop()
        outcome = self.assert_code(reexec.finish(), 1)
        self.assertEqual(outcome.result["reason"], "the service was stopped")


class ClientsTest(ReexecCase):
    def test_half_a_request(self):
        """Begun before, ended after: it is answered."""
        self.start()
        line = json.dumps({"v": 1, "command": "status"}).encode() + b"\n"
        with control.connect(self.box) as sock, control.connect(self.box) as silent:
            sock.sendall(line[:7])
            self.install(NEWER)
            self.reexec()
            sock.sendall(line[7:])
            silent.sendall(line)
            for client in (sock, silent):
                event = next(control.read(client))
                self.assertEqual(event["supervisor"]["version"], VERSION)
        self.stop()

    def test_a_watcher(self):
        self.start()
        watch = self.box.operation("status", "--watch")
        watch.next_event()
        self.install(NEWER)
        self.reexec()
        watch.until(lambda e: e["supervisor"]["version"] == VERSION)
        self.upgrade(services.V2)
        watch.until(lambda e: e["generations"][0]["generation"] == 2)
        self.stop()
        watch.finish()

    def test_one_that_does_not_read(self):
        """What is queued for it goes with it: in the end it has every line, and every line whole."""
        words = ("--workers", "x" * EVENT_BYTES)  # stand in every status, so that some of them fill a socket
        self.start(binary=FOREIGN, more=words)
        with contextlib.ExitStack() as clients:
            deaf = [clients.enter_context(control.connect(self.box)) for _ in range(3)]
            for client in deaf:
                client.sendall(b'{"v":1,"command":"watch"}\n')
            events = [control.read(client) for client in deaf]
            for each in events:
                next(each)
            generation, unread, before = 1, 0, -1
            while unread > before:  # until the sockets are full, and the supervisor keeps the rest
                self.upgrade(FOREIGN)
                generation += 1
                unread, before = min(self.unread(client) for client in deaf), unread
            self.install(NEWER)
            self.reexec()
            for each in events:
                versions = []
                while not versions or versions[-1] != VERSION:
                    versions.append(next(each)["supervisor"]["version"])
                self.assertGreater(len(versions) * EVENT_BYTES, unread)
            self.upgrade(FOREIGN)
            for each in events:
                while next(each)["generations"][0]["generation"] != generation + 1:
                    pass
        self.stop()

    def unread(self, client):
        """Bytes that stand in its socket."""
        number = bytearray(4)
        fcntl.ioctl(client, termios.FIONREAD, number)
        return int.from_bytes(number, sys.byteorder)

    def test_requests_meanwhile(self):
        """Whatever comes in whatever moment is answered: served, or refused as busy."""
        self.start()
        answers, stop = [], threading.Event()

        def ask(command, **members):
            while not stop.is_set():
                answers.append((command, list(control.events(self.box, command, **members))))

        upgrade = {"binary": str(services.V2), "policy": {"bake": "0", "health-interval": "10ms"}}
        # So many that connections are counted without a pause.
        threads = [threading.Thread(target=ask, args=("status",)) for _ in range(6)]
        threads += [threading.Thread(target=ask, args=("follow",)), threading.Thread(target=ask, args=("upgrade",), kwargs=upgrade)]
        with self.load(fresh=CLIENTS) as load:
            for thread in threads:
                thread.start()
            done = 0
            while done < ROUNDS:
                outcome = self.box.rpctl("reexec")
                self.assertIn(outcome.code, (0, 4), str(outcome))
                done += outcome.code == 0
            stop.set()
            for thread in threads:
                thread.join()
            self.assert_spotless(load)
        for command, events in answers:
            self.assertTrue(events, f"{command} was not answered")
            if command != "status":
                self.assertIn(events[-1].get("exit"), (0, 4), events[-1])
        harness.wait_until(lambda: len(self.generations()) == 1, "all is drained")
        self.stop()


class ForegroundTest(ReexecCase):
    def test_its_output_goes_on(self):
        run = self.box.spawn(*self.box.rpctl_command(["run", services.V1, *self.listen], json_output=False))
        harness.wait_until(lambda: "started in" in run.log_path.read_text(), "it is started")
        self.install(NEWER)
        self.reexec()
        self.upgrade(services.V2)
        harness.wait_until(lambda: "upgraded in" in run.log_path.read_text(), "the upgrade is told")
        self.stop_child(run)
        text = run.log_path.read_text()
        self.assertIn("supervisor replaced in", text)
        for line in ("started in", "supervisor replaced in", "upgraded in"):
            self.assertEqual(text.count(line), 1, text)
        logs = sorted((self.box.rpctl_dir / "default/log").glob("generation-*.log"))
        self.assertEqual(len(logs), 2)
        for line in (line for log in logs for line in log.read_text().splitlines()):
            self.assertEqual(text.count(line), 1, f"{line}\n---\n{text}")


class ManyTest(ReexecCase):
    def counts(self, pid):
        return harness.idle_descriptor_count(pid), len(harness.descendants(pid)), len(self.listener_inodes())

    def is_at_most(self, counts, pid):
        return all(now <= first for now, first in zip(self.counts(pid), counts))

    def test_interleaved_with_upgrades_under_load(self):
        """Nothing fails and nothing grows: descriptors, memory, processes, listeners."""
        self.start()
        pid = self.supervisor()["pid"]
        counts, memory = self.counts(pid), []
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            for i in range(ROUNDS):
                self.install(NEWER if i % 2 == 0 else OURS)
                self.reexec()
                load.answers(20)
                self.upgrade(services.V2 if i % 2 == 0 else services.V1)
                self.assertEqual(self.supervisor()["pid"], pid)
                harness.wait_until(lambda: self.is_at_most(counts, pid), f"it is at {counts} again")
                memory.append(harness.memory_kib(pid))
            result = self.assert_spotless(load)
        if not harness.SANITIZED:
            self.assertLess(max(memory[ROUNDS // 2:]), max(memory[:ROUNDS // 2]) + MEMORY_SLACK_KIB, memory)
        harness.figure(f"{ROUNDS} re-executions and {ROUNDS} upgrades, {2 * CLIENTS} clients: {result['total']['answers']} "
                       f"answers, {result['total']['failed']} failed; descriptors, processes, listeners {counts}, "
                       f"memory {memory[0]} KiB first, {memory[-1]} last")
        self.stop()


if __name__ == "__main__":
    harness.main()
