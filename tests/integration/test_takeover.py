"""The supervisor is killed: the servers go on, and the next supervisor takes them over and brings what was under way to an end.

Clients run all the time and lose nothing. The kills at random instants are in test_kills.py.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import socket
import time

import harness
import services

FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
CLIENTS = 4 if harness.SANITIZED else 16
LONGER_THAN_A_LAUNCH = 0.5  # seconds
DRAIN_TIMEOUT = "2s"
LONGER_THAN_THE_DRAIN = 2.5  # seconds


class TakeoverCase(services.ServiceCase):
    def supervisor(self):
        return self.box.status()["supervisor"]["pid"]

    def kill_supervisor(self):
        pid = self.supervisor()
        os.kill(pid, signal.SIGKILL)
        harness.wait_gone(pid)
        return pid

    def take_over(self, *words, binary=services.V1, code=0):
        outcome = self.assert_code(self.box.rpctl("start", *words, binary, *self.listen), code)
        self.assertEqual(outcome.events[0]["operation"], "takeover")
        return outcome

    def state_path(self):
        return self.box.rpctl_dir / "default/state"

    def state(self):
        return json.loads(self.state_path().read_text()) if self.state_path().exists() else {}

    def wait_for_rollout(self, state):
        harness.wait_until(lambda: self.state().get("rollout") == state, f"the state is {state}")

    def end_of(self, outcome, phase):
        return next(e for e in outcome.events if e["event"] == "phase" and (e["phase"], e["state"]) == (phase, "end"))

    def assert_in_hand(self, generation, pid=None):
        """One clean generation that serves, and everything works."""
        self.wait_for_generations({generation: "serving"})
        status = self.box.status()
        self.assertNotIn("operation", status)
        if pid:
            self.assertEqual(self.pid_of(generation), pid)
        self.assertEqual(self.get().generation, str(generation))
        self.upgrade(services.V2, *self.listen)
        self.assertEqual(self.generations(), {generation + 1: "serving"})
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()


class IdleTest(TakeoverCase):
    def test_servers_go_on_and_are_taken_over(self):
        self.start()
        pid, inodes = self.pid_of(1), self.listener_inodes()
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            self.kill_supervisor()
            load.answers(50)
            self.take_over()
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(self.listener_inodes(), inodes)
        self.assert_in_hand(1, pid)

    def test_what_is_said_meanwhile(self):
        self.start()
        harness.wait_until(lambda: self.state().get("serving") == 1, "the state is on disk")
        server, supervisor = self.pid_of(1), self.kill_supervisor()
        for words in (("status",), ("upgrade", services.V2), ("stop",), ("abort",)):
            outcome = self.assert_code(self.box.rpctl(*words, json_output=False), 5)
            self.assertIn(f"the supervisor of default (pid {supervisor}) is gone; its servers go on (pid {server}); bring it "
                          f"back with: rpctl start {services.V1}", outcome.err)
        self.take_over()
        self.stop()
        self.assertNotIn("is gone", self.box.rpctl("status", json_output=False).err)

    def test_another_binary_is_not_launched(self):
        self.start()
        self.kill_supervisor()
        outcome = self.take_over(binary=services.V2)
        warnings = [e["text"] for e in outcome.events if e["event"] == "warning"]
        self.assertTrue(any(f"{services.V1} goes on; to change to {services.V2}" in text for text in warnings), outcome)
        self.assertEqual(self.get().version, "v1")
        self.stop()

    def test_again_and_again(self):
        self.start("--instances", "2")
        pids = [i[0] for i in self.instances(1)]
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            for _ in range(4):
                self.kill_supervisor()
                self.take_over()
                load.answers(20)
            self.assert_spotless(load)
        self.assertEqual([i[0] for i in self.instances(1)], pids)
        self.assertEqual(self.generation(1)["listeners"], 4)
        self.stop()

    def test_in_the_foreground(self):
        self.start()
        pid = self.pid_of(1)
        self.kill_supervisor()
        run = self.box.spawn(*self.box.rpctl_command(["run", services.V1, *self.listen], json_output=False))
        harness.wait_until(self.is_in_hand, "it is taken over")
        self.assertEqual(self.pid_of(1), pid)
        self.stop_child(run)
        self.assertIn("taken over in", run.log_path.read_text())

    def is_in_hand(self):
        status = self.box.status()
        return status and "operation" not in status and self.generations() == {1: "serving"}

    def test_a_process_of_it_ends_later(self):
        """Not our child: seen by its pidfd, launched again with its listeners."""
        self.start()
        harness.wait_until(lambda: self.state().get("serving") == 1, "the state says that it hands them over itself")
        pid = self.pid_of(1)
        self.kill_supervisor()
        self.take_over()
        inodes = self.listener_inodes()
        os.kill(pid, signal.SIGKILL)
        self.wait_for_restarts(1, [1])
        self.assertEqual(self.listener_inodes(), inodes)
        self.assert_in_hand(1)

    def test_the_server_has_died_meanwhile(self):
        self.start()
        pid = self.pid_of(1)
        self.kill_supervisor()
        os.kill(pid, signal.SIGKILL)
        harness.wait_gone(pid)
        outcome = self.start()  # nothing is left to be taken over
        self.assertEqual(outcome.events[0]["operation"], "start")
        self.assert_in_hand(1)

    def test_one_of_two_has_died_meanwhile(self):
        self.start("--instances", "2")
        dead, alive = (i[0] for i in self.instances(1))
        self.kill_supervisor()
        os.kill(dead, signal.SIGKILL)
        harness.wait_gone(dead)
        self.take_over("--instances", "2")
        harness.wait_until(lambda: [i[1] for i in self.instances(1)] == ["ready", "ready"], "both are there")
        self.assertEqual(self.pid_of(1, 2), alive)
        self.stop()

    def test_a_foreign_server(self):
        self.start(binary=FOREIGN)
        pid = self.pid_of(1)
        with self.load(fresh=CLIENTS) as load:
            load.answers(50)
            self.kill_supervisor()
            load.answers(50)
            self.take_over(binary=FOREIGN)
            load.answers(50)
            self.assert_spotless(load)
        self.assert_in_hand(1, pid)


class UnderWayTest(TakeoverCase):
    """Killed in a phase of an upgrade: before the shift new is stopped, after it old is retired."""

    def setUp(self):
        super().setUp()
        self.start("--bake", "1h", "--quiesce-timeout", "1h")

    def killed_in(self, phase, *words, serving, before_kill=None):
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            upgrade = self.box.operation("upgrade", *words)
            upgrade.until_phase(phase)
            if before_kill:
                before_kill()
            self.kill_supervisor()
            self.assert_code(upgrade.finish(), 70)
            load.answers(50)
            outcome = self.take_over()
            self.assertEqual(outcome.result["generation"], serving)
            load.answers(50)
            self.assert_spotless(load)
        self.wait_for_generations({serving: "serving"})
        self.assertEqual(self.get().generation, str(serving))
        self.upgrade("--quiesce-timeout", "3s", services.V2, *self.listen)
        self.assertEqual(self.generations(), {3: "serving"}, "no number is given twice")
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()

    def test_ready(self):
        self.killed_in("ready", services.V2, *self.listen, "--start-delay", "3600000", serving=1)

    def test_one_that_is_starting(self):
        """Told to stop before it listens, it hands its listeners over when they seem to be gone."""
        preload = ("--env", f"LD_PRELOAD={harness.BIN_DIR / 'stop-at-listen.so'}", "--env", "STOP_AT_LISTEN=1",
                   "--env", "ASAN_OPTIONS=verify_asan_link_order=0")
        upgrade = self.box.operation("upgrade", *preload, services.V2, *self.listen)
        [pid] = upgrade.until_phase("launch", state="end")["pid"]
        harness.wait_until(lambda: services.process_state(pid) == "T", "the new one stands still before it listens")
        self.kill_supervisor()
        self.assert_code(upgrade.finish(), 70)
        takeover = self.box.operation("start", services.V1, *self.listen)
        takeover.until_phase("drain")
        log = self.box.rpctl_dir / "default/log/supervisor.log"
        harness.wait_until(lambda: "next=UNLISTENED" in log.read_text(), "it has no listener that is known")
        os.kill(pid, signal.SIGCONT)
        self.assert_code(takeover.finish(), 0)
        self.wait_for_generations({1: "serving"})
        self.assertEqual(len(self.listener_inodes()), 2)
        self.upgrade("--quiesce-timeout", "3s", services.V2, *self.listen)
        self.stop()

    def test_health(self):
        self.killed_in("health", "--ready-timeout", "1h", services.V2, *self.listen, "--fail-health", serving=1)

    def test_health_and_again_in_the_takeover(self):
        """The second finds what the first has left, though the newest release listens too: old serves."""
        upgrade = self.box.operation("upgrade", "--ready-timeout", "1h", services.V2, *self.listen, "--fail-health")
        upgrade.until_phase("health")
        self.wait_for_rollout("PROVING")
        self.kill_supervisor()
        self.assert_code(upgrade.finish(), 70)
        with self.stranger():
            takeover = self.box.operation("start", services.V1, *self.listen)
            takeover.until_phase("listeners")
            harness.wait_until(lambda: [g["listeners"] for g in self.box.status()["generations"]] == [2, 2],
                               "it has all listeners but the stranger's")
            self.kill_supervisor()
            takeover.finish()
        self.assertEqual(self.take_over().result["generation"], 1)
        self.wait_for_generations({1: "serving"})
        self.assertEqual(self.get().generation, "1")
        self.stop()

    def stranger(self):
        """A listener in the group that is nobody's: a takeover waits for whose it is."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        return listener

    def test_bake(self):
        """From the moment that the disk knows of the shift."""
        self.killed_in("bake", services.V2, *self.listen, serving=2, before_kill=lambda: self.wait_for_rollout("BAKING"))

    def test_bake_of_a_release_that_has_fallen_ill(self):
        """Before old is told to go new has to answer once more: else all goes back."""
        upgrade = self.box.operation("upgrade", "--health-count", "1", services.V2, *self.listen)
        upgrade.until_phase("bake")
        self.wait_for_rollout("BAKING")
        self.kill_supervisor()
        self.assert_code(upgrade.finish(), 70)
        with services.stopped(self.pid_from_state(2)):
            takeover = self.box.operation("start", services.V1, *self.listen)
            warning = takeover.until(lambda e: e["event"] == "warning")
            self.assertIn("generation 2 is unhealthy: all goes back to generation 1", warning["text"])
            takeover.until_phase("drain")
            self.assertEqual(self.get().generation, "1")
        outcome = self.assert_code(takeover.finish(), 0)
        self.assertIn("no answer in 2.00 s", self.end_of(outcome, "health")["detail"])
        self.wait_for_generations({1: "serving"})
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def pid_from_state(self, generation):
        (found,) = [g for g in self.state()["generations"] if g["generation"] == generation]
        return found["instances"][0]["process"]["pid"]

    def test_quiesce(self):
        """A connection in an old queue holds it; it is answered in the end."""
        with services.stopped(self.pid_of(1)):
            client = self.request()
            self.wait_for_connections(1)
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V2, *self.listen)
            upgrade.until_phase("quiesce")
            self.wait_for_rollout("QUIESCING")
            self.kill_supervisor()
            self.assert_code(upgrade.finish(), 70)
        outcome = self.take_over()
        self.assertEqual(outcome.result["generation"], 2)
        self.assertEqual(services.answer(client).generation, "1")
        self.wait_for_generations({2: "serving"})
        self.stop()

    def test_drain(self):
        """The old one was told to stop, and has a download to finish: it does, under the next supervisor."""
        with self.download() as download, self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V2, *self.listen)
            upgrade.until_phase("drain")
            self.kill_supervisor()
            self.assert_code(upgrade.finish(), 70)
            load.answers(50)
            takeover = self.box.operation("start", services.V1, *self.listen)
            takeover.until_phase("steer", state="end")
            self.assertEqual(self.generations(), {2: "serving", 1: "draining"})
            self.assertTrue(download.is_whole())
            self.assert_spotless(load)
        self.assert_code(takeover.finish(), 0)
        self.assert_in_hand(2)

    def forget_who_was_told(self):
        """As if the supervisor had died in the middle of telling them."""
        state = self.state()
        for generation in state["generations"]:
            for instance in generation["instances"]:
                instance["state"] = "ready"
        self.state_path().write_text(json.dumps(state) + "\n")

    def test_told_by_halves(self):
        """Only who was not told to stop yet is told: a second signal would cut connections."""
        self.stop()
        self.start("--instances", "2", "--quiesce-timeout", "50ms")
        pids = {i[0] for i in self.instances(1)}
        with self.download() as download:
            first = services.server_of(download.sock, pids)
            (other,) = pids - {first}
            with services.stopped(other):
                upgrade = self.box.operation("upgrade", "--bake", "0", services.V2, *self.listen)
                upgrade.until_phase("drain")
                harness.wait_until(lambda: self.state_of(first) == "stopping", "one of them drains")
                self.kill_supervisor()
                self.assert_code(upgrade.finish(), 70)
                self.forget_who_was_told()
                takeover = self.box.operation("start", services.V1, *self.listen)
                takeover.until_phase("steer", state="end")
                harness.wait_until(lambda: self.state_of(other) == "stopping", "the other one is told")
            self.assertTrue(download.is_whole())
        self.assert_code(takeover.finish(), 0)
        self.assert_in_hand(2)

    def state_of(self, pid):
        return next(state for found, state, _ in self.instances(1) if found == pid)

    def test_first_start(self):
        """Never proven, but there is nobody else: what runs is taken."""
        self.stop()
        start = self.box.operation("start", services.V1, *self.listen, "--fail-health")
        start.until_phase("health")
        self.kill_supervisor()
        start.finish()
        self.take_over()
        self.wait_for_generations({1: "serving"})
        self.stop()


class OutOfSightTest(TakeoverCase):
    """What the former supervisor had taken out of sight, before the new release ended, leaves and never serves."""

    def take_over_while_it_ends(self, recorded):
        self.start()
        pid = self.pid_of(1)
        with self.load(fresh=CLIENTS) as load:
            upgrade = self.box.operation("upgrade", "--ready-timeout", "1h", "--drain-timeout", "1s", FOREIGN, *self.listen,
                                         "--notify", "--unready", "--deaf")
            self.wait_for_line("listening on")
            self.wait_for_rollout("WAITING")
            self.assert_code(self.box.rpctl("abort"), 0)
            self.wait_for_line("SIGTERM, 0 of 2 listeners in sight")
            self.kill_supervisor()
            upgrade.finish()
            if not recorded:
                self.state_path().unlink()
            takeover = self.take_over("--drain-timeout", "1s")
            self.assertEqual(takeover.result["generation"], 1)
            self.wait_for_generations({1: "serving"})
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(self.pid_of(1), pid)
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def wait_for_line(self, line):
        log = self.box.rpctl_dir / "default/log/generation-2.log"
        harness.wait_until(lambda: log.exists() and line in log.read_text(), f"generation 2 writes {line!r}")

    def test_with_a_record(self):
        self.take_over_while_it_ends(recorded=True)

    def test_without_a_record(self):
        """Nobody knows who served; the newest cannot, so it is not asked."""
        self.take_over_while_it_ends(recorded=False)


class StateTest(TakeoverCase):
    """The state on disk is torn, foreign, old or not there: set aside, and what runs is found all the same."""

    def spoil(self, text):
        self.start()
        self.upgrade(services.V2)
        pid = self.pid_of(2)
        harness.wait_until(lambda: self.state().get("serving") == 2, "the state is on disk")
        self.kill_supervisor()
        if callable(text):
            text = text(self.state_path().read_text())
        if text is None:
            self.state_path().unlink()
        else:
            self.state_path().write_text(text)
        outcome = self.take_over()
        self.assert_in_hand(2, pid)
        return [e["text"] for e in outcome.events if e["event"] == "warning"]

    def assert_set_aside(self, warnings, reason):
        self.assertTrue(any("set aside as state.bad" in text and reason in text for text in warnings), warnings)

    def test_torn(self):
        self.assert_set_aside(self.spoil(lambda text: text[:len(text) // 2]), "only a part of one")
        self.assertTrue(self.state_path().with_name("state.bad").exists())

    def test_foreign(self):
        self.assert_set_aside(self.spoil("pid=1\n"), "no JSON object")

    def test_another_version(self):
        self.assert_set_aside(self.spoil(lambda text: text.replace('"v":2', '"v":3', 1)), "version 3")

    def test_another_service(self):
        self.assert_set_aside(self.spoil(lambda text: text.replace('"service":"default"', '"service":"other"')), "named other")

    def test_none(self):
        self.spoil(None)

    def test_it_cannot_be_written(self):
        """Which is told in the log; the service is none the worse for it."""
        self.box.rpctl_dir.mkdir(mode=0o700)
        (self.box.rpctl_dir / "default").mkdir(mode=0o700)
        self.state_path().with_name("state.new").mkdir()
        self.start()
        self.upgrade(services.V2)
        self.assertIn("state=not-written", (self.box.rpctl_dir / "default/log/supervisor.log").read_text())
        self.stop()

    def kill_while_an_ill_one_is_proven(self):
        upgrade = self.box.operation("upgrade", "--ready-timeout", "1h", services.V2, *self.listen, "--fail-health")
        upgrade.until_phase("health")
        self.wait_for_rollout("PROVING")
        self.kill_supervisor()
        upgrade.finish()

    def assert_goes_back(self, old):
        """Nobody knows that the newest was being proven, so it has to answer, and the other one serves."""
        outcome = self.take_over("--health-count", "1")
        warnings = [e["text"] for e in outcome.events if e["event"] == "warning"]
        self.assertIn(f"generation {old + 1} is unhealthy: all goes back to generation {old}", warnings)
        self.assertIn("nobody on record can serve", self.end_of(outcome, "steer")["detail"])
        self.wait_for_generations({old: "serving"})
        self.assertEqual(self.get().generation, str(old))
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def test_of_long_ago_and_the_one_it_names_drains(self):
        """It was told by the former supervisor; a second signal would end it, and its connections."""
        self.start("--drain-timeout", "1h")
        harness.wait_until(lambda: self.state().get("serving") == 1, "the state is on disk")
        old = self.state_path().read_text()
        with self.download() as download:
            self.upgrade("--wait", "shifted", services.V2, *self.listen)
            harness.wait_until(lambda: self.instances(1)[0][1] == "stopping", "1 drains")
            self.kill_while_an_ill_one_is_proven()
            self.state_path().write_text(old)
            takeover = self.box.operation("start", "--health-count", "1", services.V1, *self.listen)
            takeover.until_phase("drain")
            self.wait_for_generations({1: "draining", 2: "serving"})
            self.assertTrue(download.is_whole())
            self.assertEqual(self.assert_code(takeover.finish(), 0).result["generation"], 2)
        self.wait_for_generations({2: "serving"})
        self.assertNotIn("second_signal", (self.box.rpctl_dir / "default/log/generation-1.log").read_text())
        self.stop()

    def test_none_and_the_newest_is_ill(self):
        self.start()
        self.kill_while_an_ill_one_is_proven()
        self.state_path().unlink()
        self.assert_goes_back(1)

    def test_none_and_nobody_says_how_to_ask(self):
        """They are asked for a connection."""
        self.start("--bake", "1h", binary=FOREIGN)
        with self.load(fresh=CLIENTS) as load:
            upgrade = self.box.operation("upgrade", FOREIGN, *self.listen)
            upgrade.until_phase("bake")
            self.wait_for_rollout("BAKING")
            self.kill_supervisor()
            upgrade.finish()
            self.state_path().unlink()
            outcome = self.take_over(binary=FOREIGN)
            self.assertEqual(outcome.result["generation"], 2)
            self.assertIn("health", [e["phase"] for e in outcome.events if e["event"] == "phase"])
            load.answers(50)
            self.assert_spotless(load)
        self.wait_for_generations({2: "serving"})
        self.stop()

    def test_of_long_ago_and_the_newest_is_ill(self):
        """As where the disk has been full for a while: whom the state names is gone."""
        self.start()
        harness.wait_until(lambda: self.state().get("serving") == 1, "the state is on disk")
        old = self.state_path().read_text()
        self.upgrade(services.V2, *self.listen)
        self.wait_for_generations({2: "serving"})
        self.kill_while_an_ill_one_is_proven()
        self.state_path().write_text(old)
        self.assert_goes_back(2)


class SlowDiskTest(TakeoverCase):
    """The state is not on disk before the test lets it."""

    def setUp(self):
        super().setUp()
        self.lock = self.enterContext(open(self.box.dir / "hold-fsync", "w"))
        self.box.env.update(LD_PRELOAD=str(harness.BIN_DIR / "hold-fsync.so"), HOLD_FSYNC=self.lock.name,
                            ASAN_OPTIONS=f"{self.box.env.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0")

    def hold(self):
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def go(self):
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def upgrade_that_waits(self, *words):
        """Nothing is launched for as long as a launch takes, and more."""
        self.hold()
        self.start()
        upgrade = self.box.operation("upgrade", "--bake", "0", *words)
        harness.wait_until(lambda: self.generations() == {1: "serving", 2: "starting"}, "it is under way")
        harness.let_pass(LONGER_THAN_A_LAUNCH)
        self.assertEqual(self.pid_of(2), 0)
        self.assertEqual(self.get().generation, "1")
        return upgrade

    def test_a_launch_waits_for_it(self):
        upgrade = self.upgrade_that_waits(services.V2, *self.listen)
        self.go()
        self.assert_code(upgrade.finish(), 0)
        self.wait_for_generations({2: "serving"})
        self.stop()

    def test_killed_before_it_is_there(self):
        """Nobody has written that 1 serves. Had the new one been launched, the next supervisor would not know which."""
        upgrade = self.upgrade_that_waits(services.V2, *self.listen, "--fail-health")
        self.kill_supervisor()
        upgrade.finish()
        self.go()
        self.assertEqual(self.take_over().result["generation"], 1)
        self.assert_in_hand(1)

    def test_the_launch_is_called_off(self):
        upgrade = self.upgrade_that_waits(services.V2, *self.listen)
        self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 1)
        self.go()
        self.wait_for_generations({1: "serving"})
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def test_it_comes_too_late(self):
        upgrade = self.upgrade_that_waits("--ready-timeout", "1s", services.V2, *self.listen)
        outcome = self.assert_code(upgrade.finish(), 1)
        self.assertRegex(outcome.result["reason"], r"state was not on disk within 1 s, and nothing was launched; .* the disk of /")
        self.assertEqual(self.generations(), {1: "serving"})
        self.go()
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def test_it_is_slow_all_the_time(self):
        """There is always something to be written; whoever waits does not wait for all of it."""
        self.box.env["SLOW_FSYNC_MS"] = "100"
        self.start("--drain-timeout", "1h", binary=FOREIGN, more=("--deaf",))
        self.upgrade("--wait", "shifted", services.V2, *self.listen)
        self.assertEqual(self.generations(), {1: "draining", 2: "serving"})
        self.upgrade("--drain-timeout", "5s", services.V1, *self.listen)
        self.wait_for_generations({1: "draining", 3: "serving"})
        os.kill(self.pid_of(1), signal.SIGKILL)
        self.wait_for_generations({3: "serving"})
        self.stop()

    def test_it_is_stuck_and_the_server_dies(self):
        """Nobody serves any more, and nobody can be mistaken: the launch does not wait."""
        self.start("--bake", "0", binary=FOREIGN)
        self.hold()
        upgrade = self.box.operation("upgrade", "--bake", "0", "--ready-timeout", "1h", services.V2, *self.listen)
        harness.wait_until(lambda: self.generations() == {1: "serving", 2: "starting"}, "it is under way")
        harness.let_pass(LONGER_THAN_A_LAUNCH)
        os.kill(self.pid_of(1), signal.SIGKILL)
        harness.wait_until(lambda: self.get_generation() == "2", "the new one answers")
        self.go()
        upgrade.finish()
        self.wait_for_generations({2: "serving"})
        self.stop()

    def get_generation(self):
        with contextlib.suppress(OSError):
            return self.get().generation
        return None

    def test_the_deadline_of_a_drain_begins_when_it_is_told(self):
        self.start()
        pid = self.pid_of(1)
        with self.download() as download:
            upgrade = self.box.operation("upgrade", "--bake", "1h", "--drain-timeout", DRAIN_TIMEOUT, services.V2, *self.listen)
            upgrade.until_phase("bake")
            self.wait_for_rollout("BAKING")
            new = self.pid_of(2)
            with self.download() as other:
                self.hold()
                self.assert_code(self.box.rpctl("abort"), 0)
                harness.wait_until(lambda: "gen=2 drain=QUIESCING event=LOOK_EMPTY next=DRAINING" in self.log(), "it drains")
                harness.let_pass(LONGER_THAN_THE_DRAIN)
                self.assertTrue(harness.process_exists(new), "nobody has told it to go")
                self.assertNotIn("draining", self.log(2))
                self.go()
                self.assertTrue(other.is_whole())
            self.assert_code(upgrade.finish(), 3)
            self.assertTrue(download.is_whole())
        self.assertEqual(self.pid_of(1), pid)
        self.stop()

    def log(self, generation=None):
        name = f"generation-{generation}.log" if generation else "supervisor.log"
        return (self.box.rpctl_dir / "default/log" / name).read_text()


class StrangersTest(TakeoverCase):
    """Pids in the state, or in the supervisor's memory, that are other processes by now: nobody signals them."""

    def stranger(self):
        """With a child in its session; a stranger that is signalled, stopped or killed is seen by `assert_unharmed`."""
        stranger = self.box.spawn("/bin/sh", "-c", "tail -f /dev/null & wait", start_new_session=True)
        harness.wait_until(lambda: len(harness.descendants(stranger.pid)) == 1, "it has a child")
        stranger.family = [stranger.pid, *harness.descendants(stranger.pid)]
        return stranger

    def stranger_with_pid(self, pid):
        """The kernel gives the next process the number behind the last one, unless somebody is faster."""
        strangers = []
        while not strangers or strangers[-1].pid != pid:
            self.assertFalse(harness.process_exists(pid), "the pid is free")
            pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
            strangers.append(self.stranger())
        self.end(*strangers[:-1])
        return strangers[-1]

    def assert_unharmed(self, *strangers):
        for stranger in strangers:
            self.assertIsNone(stranger.poll())
            self.assertEqual([pid for pid in stranger.family if harness.process_exists(pid)], stranger.family)
        self.end(*strangers)

    def end(self, *strangers):
        for stranger in strangers:
            os.killpg(stranger.pid, signal.SIGKILL)
            stranger.wait()

    def kill_all(self, pid):
        """Supervisor and server; where this is the init of a namespace the pid is free afterwards."""
        self.kill_supervisor()
        os.kill(pid, signal.SIGKILL)
        harness.wait_gone(pid)
        self.reap(pid)

    def reap(self, pid):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def plant(self, change, strangers=1):
        """A state as a former supervisor has left it, with strangers' pids in it."""
        self.start("--instances", strangers)
        pids = [i[0] for i in self.instances(1)]
        harness.wait_until(lambda: self.state().get("serving") == 1, "the state is on disk")
        text = self.state()
        self.kill_supervisor()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            harness.wait_gone(pid)
        found = [self.stranger() for _ in range(strangers)]
        change(text, [i["process"] for i in text["generations"][0]["instances"]], found)
        self.state_path().write_text(json.dumps(text))
        self.assertNotIn("go on", self.assert_code(self.box.rpctl("status", json_output=False), 5).err)
        outcome = self.start()
        self.assertEqual(outcome.events[0]["operation"], "start", "nothing was found")
        self.upgrade(services.V2)
        self.stop()
        self.assert_unharmed(*found)
        return outcome

    def test_the_pid_was_used_again(self):
        def change(_, processes, strangers):
            processes[0]["pid"] = strangers[0].pid

        self.plant(change)

    def test_the_machine_was_started_anew(self):
        """Even where the start time fits."""

        def change(state, processes, strangers):
            processes[0].update(pid=strangers[0].pid, start=start_time(strangers[0].pid))
            state["boot"] = "00000000-0000-0000-0000-000000000000"

        self.plant(change)
        self.assertFalse(self.state_path().with_name("state.bad").exists(), "that is nothing to be looked into")

    def test_several_ways_at_once(self):
        """Started a moment earlier or later than recorded; pids that no process can have; the first process of all."""

        def change(_, processes, strangers):
            for process, stranger, ticks in zip(processes, strangers, (-1, 1, 1 << 40)):
                process.update(pid=stranger.pid, start=start_time(stranger.pid) + ticks)
            processes[3]["pid"] = 1
            processes[4]["pid"] = 0

        self.plant(change, strangers=5)

    def test_while_it_stops(self):
        """What a drain that was under way has left: told to stop, with a deadline long ago, and a stranger's pid."""

        def change(state, processes, strangers):
            processes[0]["pid"] = strangers[0].pid
            state["generations"][0].update(drain="DRAINING", drain_deadline_ms=1)
            state["generations"][0]["instances"][0]["state"] = "stopping"

        self.plant(change)

    @harness.needs_namespace
    def test_the_same_pid_indeed(self):
        """Nothing is forged: the kernel gives a stranger the pid of the server that has died."""
        self.start()
        pid = self.pid_of(1)
        harness.wait_until(lambda: self.state().get("serving") == 1, "the state is on disk")
        self.kill_all(pid)
        stranger = self.stranger_with_pid(pid)
        outcome = self.start()
        self.assertEqual(outcome.events[0]["operation"], "start", "nothing was found")
        self.stop()
        self.assert_unharmed(stranger)

    @harness.needs_namespace
    def test_a_session_of_that_pid(self):
        """One of two old processes has ended, the other one drains on. A stranger gets its pid, and makes a session:
        whoever is in that is not what the old generation has left behind."""
        self.start("--instances", "2", "--drain-timeout", "1h")
        self.kill_supervisor()
        self.take_over("--instances", "2")
        downloads = self.downloads_of_both()
        self.upgrade("--instances", "1", "--wait", "shifted", "--drain-timeout", "1h", services.V2, *self.listen)
        first, second = (i[0] for i in self.instances(1))
        downloads[first].read_to_the_end()
        harness.wait_gone(first)
        self.reap(first)
        harness.wait_until(lambda: [i[1] for i in self.instances(1)] == ["exited", "stopping"], "its end is known")
        self.wait_for_a_tick()
        stranger = self.stranger_with_pid(first)
        downloads[second].read_to_the_end()
        self.wait_for_generations({2: "serving"})
        self.stop()
        self.assert_unharmed(stranger)

    def downloads_of_both(self):
        """{pid: Download}"""
        downloads = {}
        while len(downloads) < 2:
            download = self.download()
            pid = services.server_of(download.sock, [i[0] for i in self.instances(1)])
            if pid in downloads:
                download.sock.close()
            else:
                downloads[pid] = download
        return downloads

    def wait_for_a_tick(self):
        now = clock()
        harness.wait_until(lambda: clock() > now, "the clock of start times goes on")


def start_time(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])


def clock():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


class TwoTest(TakeoverCase):
    def test_two_supervisors(self):
        """The second is told who is there, and does no harm."""
        self.start()
        supervisor = self.supervisor()
        with self.load(fresh=CLIENTS) as load:
            outcome = self.box.rpctl("start", services.V2, *self.listen)
            self.assert_code(outcome, 4)
            self.assertIn(str(supervisor), outcome.out + outcome.err)
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def test_two_services_of_one_name_in_two_directories(self):
        """A process is found by its environment, and that names the directory too."""
        self.start()
        other = self.box.port("127.0.0.1")
        elsewhere = {"RPCTL_DIR": str(self.box.dir / "elsewhere")}
        self.assert_code(self.box.rpctl("start", services.V1, "--listen", f"127.0.0.1:{other}", env=elsewhere), 0)
        pid = self.pid_of(1)
        self.kill_supervisor()
        self.state_path().unlink()
        outcome = self.take_over()
        self.assertEqual(self.end_of(outcome, "find")["processes"], 1)
        self.assertEqual(self.pid_of(1), pid)
        self.assert_code(self.box.rpctl("stop", env=elsewhere), 0)
        self.stop()


if __name__ == "__main__":
    harness.main()
