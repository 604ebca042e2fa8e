"""What the operator sees: `rpctl status`, once and watched, and how it looks on a terminal."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import resource
import signal
import socket
import threading

import harness
import services
import terminal

PHASES = ("", "pin", "launch", "ready", "health", "shift", "bake", "quiesce", "drain", "close", "undo")
STATES = ("starting", "proving", "serving", "standby", "draining", "stopping")
TIME = r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z"
STATUS = '{"v":1,"command":"status"}\n'
SIZES = ((80, 24), (40, 10))
TOGETHER = 90  # clients at once; the control socket takes 100
ENOUGH = 40  # looks while upgrades go on
MANY = 300 if harness.SANITIZED else 1000  # connections, so that a count takes a time that can be measured


class StatusCase(services.ServiceCase):
    def status_text(self):
        return self.assert_code(self.box.rpctl("status", json_output=False), 0).out

    def connect(self, count):
        """Connections that a worker has accepted."""
        clients = []
        for _ in range(count):
            clients.append(self.enterContext(socket.create_connection(("127.0.0.1", self.port), timeout=harness.DEADLINE)))
            clients[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        for client in clients:
            self.assertIn(b"200", client.recv(4096))
        return clients

    def ask(self):
        """A status, without the time that it takes to start rpctl."""
        with self.control(STATUS) as client:
            (status,) = (json.loads(line) for line in client.makefile("rb"))
        return status

    @contextlib.contextmanager
    def control(self, request):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(harness.DEADLINE)
            client.connect(str(self.box.rpctl_dir / "default/control"))
            client.sendall(request.encode())
            yield client

    @contextlib.contextmanager
    def again_and_again(self, look):
        """Calls look() in a thread until the end of the block, which gets a list of what it has raised, at most one."""
        stop, failures = threading.Event(), []

        def run():
            try:
                while not stop.is_set():
                    look()
            except BaseException as failure:  # pylint: disable=broad-except
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield failures
        finally:
            stop.set()
            thread.join()
        if failures:
            raise failures[0]

    def rpctl_words(self, *words):
        return self.box.rpctl_command(words, json_output=False)

    def check_sums(self, status):
        """What is true of every status whatever happens."""
        self.assertEqual(status["schema"], 1)
        generations = status["generations"]
        serving = [g for g in generations if g["state"] == "serving"]
        shares = {g["generation"]: g["share"] for g in generations}
        if status["state"] == "running":
            self.assertEqual(len(serving), 1, status)
            self.assertEqual((serving[0]["share"], sum(shares.values())), (100, 100), status)
        self.assertEqual(status["draining"], len([g for g in generations if g["state"] == "draining"]), status)
        self.assertEqual(sorted(shares, reverse=True), [g["generation"] for g in generations])
        for generation in generations:
            self.assertIn(generation["state"], STATES)
            self.assertEqual("drain" in generation, generation["state"] == "draining", status)
            if "connections" in generation:
                known = [i.get("connections", 0) for i in generation["instances"]]
                self.assertEqual(generation["connections"], sum(known), status)
        operation = status.get("operation", {"phase": "", "events": []})
        self.assertIn(operation["phase"], PHASES)
        for event in operation["events"]:
            self.assertIn((event["event"], event.get("state")), (("phase", "end"), ("phase", "fail"), ("warning", None)))
        return serving[0]["generation"] if serving else None


class ConnectionsTest(StatusCase):
    def test_each_generation_and_instance(self):
        self.assert_code(self.box.rpctl("start", "--instances", "2", services.V1, *self.listen), 0)
        self.connect(7)
        generation = self.generation(1)
        self.assertEqual(generation["connections"], 7)
        self.assertEqual(sum(i["connections"] for i in generation["instances"]), 7)
        self.assertRegex(self.status_text(), r"(?m)^GEN +STATE +SHARE +CONNS +LISTENERS +UP +RELEASE +PIDS$")
        self.assertRegex(self.status_text(), r"(?m)^1 +serving +100 % +7 +4 ")
        self.stop()

    def cpu_ns(self, pid):
        return sum(int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))

    def test_many_who_ask_at_once_share_a_count(self):
        self.start()
        supervisor = self.box.status()["supervisor"]["pid"]
        self.connect(MANY)
        before = self.cpu_ns(supervisor)
        self.assertEqual(self.generation(1)["connections"], MANY)
        once = self.cpu_ns(supervisor) - before
        with services.stopped(supervisor):
            asked = []
            for _ in range(TOGETHER):
                asked.append(self.enterContext(self.control(STATUS)))
            before = self.cpu_ns(supervisor)
        for client in asked:
            (status,) = (json.loads(line) for line in client.makefile("rb"))
            self.assertEqual(status["generations"][0]["connections"], MANY)
        harness.wait_until(lambda: harness.is_idle(supervisor), "every count has ended")
        together = self.cpu_ns(supervisor) - before
        harness.figure(f"status with {MANY} connections: {once / 1e6:.1f} ms of the processor for one, "
                       f"{together / 1e6:.1f} ms for {TOGETHER} at once")
        self.assertLess(together, TOGETHER / 10 * once)
        self.stop()

    @contextlib.contextmanager
    def one_free_descriptor(self, pid):
        """For the client alone. Places that are free below the others are taken by clients that say nothing. The start may
        still be being written to the disk, with a descriptor that is not there for long."""
        harness.wait_until(lambda: harness.is_idle(pid), "the supervisor rests")
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        limit = max(used) + 2
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        with contextlib.ExitStack() as idle:
            for _ in range(limit - len(used) - 1):
                idle.enter_context(self.control(""))
            harness.wait_until(lambda: harness.descriptor_count(pid) == limit - 1, "the places are taken")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
            yield
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def test_without_descriptors_there_is_no_figure(self):
        self.start()
        with self.one_free_descriptor(self.ask()["supervisor"]["pid"]):  # which ends when the supervisor has closed its end
            generation = self.generation(1)
            self.assertNotIn("connections", generation)
            self.assertNotIn("connections", generation["instances"][0])
            self.assertRegex(self.status_text(), r"(?m)^1 +serving +100 % +- ")
        self.assertEqual(self.generation(1)["connections"], 0)
        self.stop()

    def test_a_client_that_goes_before_its_answer(self):
        self.start()
        for _ in range(20):
            with self.control(STATUS):
                pass
        self.assertEqual(self.generation(1)["connections"], 0)
        self.stop()


class TruthTest(StatusCase):
    def test_a_first_start(self):
        start = self.box.operation("start", services.V1, *self.listen, "--fail-health")
        start.until_phase("health")
        status = self.box.status()
        self.check_sums(status)
        self.assertEqual((status["state"], status["operation"]["operation"], status["operation"]["phase"]),
                         ("starting", "start", "health"))
        self.assertNotIn("release", status)
        (generation,) = status["generations"]
        self.assertEqual((generation["state"], generation["share"]), ("proving", 100))  # who connects gets nobody else
        self.assertIn("service     default (starting)", self.status_text())
        self.assert_code(self.box.rpctl("abort"), 0)
        start.finish()

    def test_who_serves(self):
        """A status before a request and one after it: what answered is what they say."""
        self.start()
        seen = []

        def look():
            before = self.check_sums(self.ask())
            answered = int(self.get().generation)
            seen.append((before, answered, self.check_sums(self.ask())))

        versions = itertools.cycle((services.V2, services.V1))
        with self.again_and_again(look) as failures:
            while len(seen) < ENOUGH and not failures:
                self.upgrade(next(versions))
        for before, answered, after in seen:
            self.assertLessEqual(before, answered)
            self.assertLessEqual(answered, after)
        self.stop()

    def test_an_upgrade_and_its_undoing(self):
        self.start()
        upgrade = self.box.operation("upgrade", "--bake", "60s", services.V2)
        upgrade.until_phase("bake")
        status = self.box.status()
        self.assertEqual(self.check_sums(status), 2)
        self.assertEqual(self.generations(), {2: "serving", 1: "standby"})
        operation = status["operation"]
        self.assertEqual([e["phase"] for e in operation["events"]], ["pin", "launch", "ready", "health", "shift"])
        self.assertEqual((operation["phase"], operation["total"]), ("bake", 60000))
        self.assertLess(operation["ms"], 60000)
        self.assertRegex(self.status_text(), r"(?m)^  bake      \[#*-+\] \d+\.\d of 60\.0 s$")
        self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 3)
        status = self.box.status()
        self.assertEqual(self.check_sums(status), 1)
        self.assertEqual((status["last"]["outcome"], status["last"]["operation"]), ("rolled back", "upgrade"))
        self.assertRegex(status["last"]["ended"], TIME)
        self.assertRegex(self.status_text(), r"(?m)^last +upgrade, \d+ s ago: rolled back after .*: aborted; generation 1 serves all again")
        self.stop()

    def test_draining(self):
        self.start("--drain-timeout", "50s")
        with services.Download(self.port) as download:
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V2)
            upgrade.until_phase("drain")
            status = self.box.status()
            self.assertEqual(self.check_sums(status), 2)
            old = status["generations"][1]
            self.assertEqual((old["state"], old["share"], old["connections"], status["draining"]), ("draining", 0, 1, 1))
            self.assertRegex(old["drain"]["since"], TIME)
            self.assertRegex(old["drain"]["deadline"], TIME)
            self.assertRegex(self.status_text(), r"(?m)^draining    generation 1: 1 connection left, for \d+ s, killed in [45]\d s$")
            self.assertTrue(download.is_whole())
        self.assert_code(upgrade.finish(), 0)
        status = self.box.status()
        self.assertEqual((status["draining"], [g["generation"] for g in status["generations"]]), (0, [2]))
        self.stop()

    def test_a_stop(self):
        self.start()
        with services.Download(self.port) as download:
            stop = self.box.operation("stop")
            stop.until_phase("drain")
            harness.wait_until(lambda: "drain" in self.box.status()["generations"][0], "it is told to stop")
            status = self.box.status()
            self.assertEqual(status["state"], "stopping")
            self.check_sums(status)
            (generation,) = status["generations"]
            self.assertEqual((generation["state"], generation["share"], generation["connections"]), ("draining", 0, 1))
            self.assertRegex(generation["drain"]["deadline"], TIME)
            self.assertIn("service     default (stopping)", self.status_text())
            self.assertTrue(download.is_whole())
        self.assert_code(stop.finish(), 0)

    def instance(self):
        return self.generation(1)["instances"][0]

    def test_a_process_that_dies_again_and_again(self):
        self.start()
        self.assertNotIn("ended", self.instance())
        killed = 0
        while "next_try" not in (instance := self.instance()):
            if instance["state"] != "exited":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(instance["pid"], signal.SIGKILL)
                harness.wait_gone(instance["pid"])
                killed += 1
        self.assertEqual((instance["state"], instance["ended"]), ("exited", "signal 9 (SIGKILL)"))
        self.assertEqual(instance["restarts"], killed - 1)
        self.assertRegex(instance["next_try"], TIME)
        harness.wait_until(lambda: self.instance()["state"] == "ready", "it is launched again")
        self.assertEqual(self.instance()["ended"], "signal 9 (SIGKILL)")
        self.assertNotIn("next_try", self.instance())
        self.stop()

    def test_a_next_try_in_words(self):
        """The pauses grow until one is long enough to be looked at."""
        self.start()
        seen = harness.wait_until(self.kill_and_look, "a status shows that the next try is to come")
        self.assertRegex(seen, r"(?m)^exited      generation 1, instance 1: signal 9 \(SIGKILL\), \d+ restarts?, next try in \d+ s$")
        self.assertRegex(seen, r"(?m)^1 +serving +100 % +0 .* -")
        self.stop()

    def kill_and_look(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.instance()["pid"], signal.SIGKILL)
        text = self.status_text()
        return text if "next try in" in text else None

    def test_under_load(self):
        """Asked all the time while upgrades succeed, fail and are rolled back."""
        self.start()
        looked = []

        def look():
            status = self.ask()
            self.check_sums(status)
            looked.append(status)
            for instance in (i for g in status["generations"] for i in g["instances"] if i["state"] == "ready"):
                if not harness.process_exists(instance["pid"]):
                    now = {i["pid"]: i["state"] for g in self.ask()["generations"] for i in g["instances"]}
                    self.assertNotEqual(now.get(instance["pid"]), "ready")

        with self.again_and_again(look) as failures, self.load(fresh=8, keep_alive=8) as load:
            self.upgrade(services.V2)
            self.upgrade("--ready-timeout", "300ms", services.V1, *self.listen, "--fail-health", code=1)
            upgrade = self.box.operation("upgrade", "--bake", "60s", services.V1)
            upgrade.until_phase("bake")
            harness.wait_until(lambda: looked and looked[-1].get("operation", {}).get("phase") == "bake" or failures, "the bake was seen")
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            self.upgrade(services.V1, *self.listen)
            harness.wait_until(lambda: len(looked) >= ENOUGH or failures, "there were enough looks")
            self.assert_spotless(load)
        self.stop()


class WatchTest(StatusCase):
    """`rpctl status --watch` on a pipe."""

    def watch(self):
        watch = self.box.operation("status", "--watch")
        return watch, watch.next_event()

    def without_time(self, status):
        return {**status, "operation": {k: v for k, v in status.get("operation", {}).items() if k != "ms"}}

    def test_json(self):
        self.start()
        watch, first = self.watch()
        self.check_sums(first)
        self.assertEqual(first["generations"][0]["connections"], 0)
        self.upgrade("--bake", "300ms", services.V2)
        events = [first]

        def is_over(event):
            events.append(event)
            return event["generations"][0]["generation"] == 2 and "operation" not in event

        last = watch.until(is_over)
        self.assertEqual((last["last"]["outcome"], last["last"]["generation"]), ("done", 2))
        self.assertEqual(len(last["generations"]), 1)
        self.assertIn("bake", [e["operation"]["phase"] for e in events if "operation" in e])
        for event in events:
            self.check_sums(event)
        for one, next_one in zip(events, events[1:]):
            self.assertNotEqual(self.without_time(one), self.without_time(next_one))
        self.stop()
        watch.until(lambda event: event["event"] == "result")
        outcome = self.assert_code(watch.finish(), 5)
        self.assertIn("has ended", outcome.result["reason"])
        self.assertEqual(outcome.events[-2]["state"], "stopping")

    def test_connections_are_counted_on(self):
        self.start()
        watch, _ = self.watch()
        clients = self.connect(5)
        watch.until(lambda event: event["generations"][0].get("connections") == 5)
        for client in clients:
            client.close()
        watch.until(lambda event: event["generations"][0].get("connections") == 0)
        os.kill(watch.pid, signal.SIGINT)
        self.assert_code(watch.finish(), 128 + signal.SIGINT)
        self.stop()

    def test_text(self):
        self.start()
        watch = self.box.operation("status", "--watch", json_output=False)
        self.assertRegex(watch.lines.next(), "^service     default: ")
        self.upgrade(services.V2)
        while not (line := watch.lines.next()).startswith("2    serving"):
            self.assertNotIn("\x1b", line)
        os.kill(watch.pid, signal.SIGTERM)
        self.assertEqual(watch.finish().code, 128 + signal.SIGTERM)
        self.stop()

    def test_several_who_come_and_go(self):
        self.start()
        watches = [self.watch()[0] for _ in range(5)]
        os.kill(watches[0].pid, signal.SIGKILL)
        self.connect(3)
        for watch in watches[1:]:
            watch.until(lambda event: event["generations"][0].get("connections") == 3)
        late, first = self.watch()
        self.assertEqual(first["generations"][0]["connections"], 3)
        self.assertEqual(watches[0].finish().code, -signal.SIGKILL)
        self.stop()
        for watch in (*watches[1:], late):
            watch.until(lambda event: event["event"] == "result")
            self.assert_code(watch.finish(), 5)


class TerminalTest(StatusCase):
    """On a terminal nothing is wider than it, and there are colours only where they are wanted."""

    def on_terminal(self, *words, size=(80, 24), env=None):
        return self.enterContext(terminal.Terminal(self.box, self.rpctl_words(*words), *size, env=env))

    def assert_fits(self, screen):
        self.assertEqual(screen.wrapped, 0, screen.text())

    def test_status(self):
        self.start(more=("--idle-timeout", "100s"))
        for size in SIZES:
            shown = self.on_terminal("status", size=size)
            self.assertEqual(shown.finish(), 0)
            self.assert_fits(shown.screen)
            self.assertTrue(all(len(line) < size[0] for line in shown.screen.lines()))
            self.assertIn("1    serving  100 %  0", shown.screen.text())
            self.assertEqual(shown.screen.colours, [])
        self.stop()

    def test_watch(self):
        self.start()
        for number, size in enumerate(SIZES):
            shown = self.on_terminal("status", "--watch", size=size)
            shown.until(lambda text: "serving  100 %" in text, "the status is shown")
            upgrade = self.box.operation("upgrade", "--bake", "60s", services.V2)
            upgrade.until_phase("bake")
            shown.until(lambda text: re.search(r"(?m)^operation   upgrade \d+ -> \d+: bake", text), "the upgrade is shown")
            if size[1] > 20:
                shown.until(lambda text: re.search(r"(?m)^  bake      \[#*-*\] \d+\.\d of 60\.0 s$", text), "the bar")
                self.assertRegex(shown.screen.text(), r"(?m)^  health    3/3 GET /healthz 200  +\d+ ms$")
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            shown.until(lambda text: "rolled back" in text or "rolle" in text, "the end of it is shown")
            shown.until(lambda text: "standby" not in text and "draining" not in text, "the new generation is gone")
            self.assertTrue(shown.screen.text().startswith("service     default: "), "in its place")
            shown.interrupt()
            self.assertEqual(shown.finish(), 128 + signal.SIGINT)
            self.assert_fits(shown.screen)
            self.assertEqual(shown.screen.column, 0, "the prompt begins a line")
            self.assertEqual(shown.screen.blank_moments, 0, f"it flickers: {number}")
        self.stop()

    def test_watch_follows_the_size(self):
        self.start()
        shown = self.on_terminal("status", "--watch")
        shown.until(lambda text: "RELEASE" in text, "the status is shown")
        shown.resize(40, 10)
        shown.until(lambda text: "RELEASE" not in text and "GEN" in text, "the lines are cut")
        shown.resize(80, 24)
        shown.until(lambda text: "RELEASE" in text, "the lines are whole again")
        self.assert_fits(shown.screen)
        self.stop()
        shown.until(lambda text: "rpctl: the supervisor of service default has ended" in text, "the end is told")
        self.assertEqual(shown.finish(), 5)

    def test_upgrade(self):
        self.start()
        for size, version in zip(SIZES, (services.V2, services.V1)):
            shown = self.on_terminal("upgrade", "--bake", "300ms", version, size=size)
            self.assertEqual(shown.finish(), 0)
            self.assert_fits(shown.screen)
            self.assertIn("of 0.3 s", shown.raw)  # the live line
            self.assertNotIn("of 0.3 s", shown.screen.text())  # is gone at the end
            self.assertIn("upgraded in", shown.screen.text())
            self.assertEqual(set(shown.screen.colours), {"0", "1", "32"})
        self.stop()

    def test_a_failure(self):
        self.start()
        for size in SIZES:
            shown = self.on_terminal("upgrade", "--ready-timeout", "300ms", services.V2, *self.listen, "--fail-health", size=size)
            self.assertEqual(shown.finish(), 1)
            self.assert_fits(shown.screen)
            self.assertIn("31", shown.screen.colours)
            self.assertIn("failed after", shown.raw)
        self.stop()

    def test_without_colour(self):
        self.start()
        failing = ("upgrade", "--ready-timeout", "300ms", services.V2, *self.listen, "--fail-health")
        for env, live in (({"NO_COLOR": "1"}, True), ({"TERM": "dumb"}, False)):
            for words, code in ((failing, 1), (("status",), 0)):
                shown = self.on_terminal(*words, env=env)
                self.assertEqual(shown.finish(), code)
                self.assertEqual(shown.screen.colours, [])
                self.assertEqual("\x1b" in shown.raw, live and words is failing, shown.raw)
        piped = self.box.rpctl(*failing, json_output=False, env={"TERM": "xterm"})
        self.assert_code(piped, 1)
        self.assertNotIn("\x1b", piped.out + piped.err)
        self.stop()


if __name__ == "__main__":
    harness.main()
