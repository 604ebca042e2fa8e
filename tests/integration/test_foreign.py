"""Servers that know nothing of rpctl: ready when they listen, healthy when they take a connection."""

import os
import pathlib
import signal

import harness
import services

FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
CLIENTS = 4 if harness.SANITIZED else 16


class ForeignTest(services.ServiceCase):
    def setUp(self):
        super().setUp()
        self.port = self.box.port("127.0.0.1", "0.0.0.0")
        self.address = f"127.0.0.1:{self.port}"
        self.listen = ("--listen", self.address, "--workers", "2")

    def start_foreign(self, *more, options=(), **rest):
        return self.start("--bake", "0", *options, binary=FOREIGN, more=more, **rest)

    def end_of(self, outcome, phase):
        return next(e for e in outcome.events if e["event"] == "phase" and (e["phase"], e["state"]) == (phase, "end"))

    def test_ready_and_healthy(self):
        started = self.start_foreign()
        ready = self.end_of(started, "ready")
        self.assertEqual((ready["listeners"], ready["addresses"]), (2, [self.address]))
        self.assertRegex(self.end_of(started, "health")["detail"], r"(?i)tcp|connect")
        self.assertEqual([i[1] for i in self.instances(1)], ["ready"])
        self.assertEqual(self.get().version, "foreign")
        self.stop()

    def test_upgrade_to_itself(self):
        self.start_foreign()
        with self.load(fresh=CLIENTS) as load:
            for generation in (2, 3, 4):
                load.answers(100)
                outcome = self.upgrade(FOREIGN)
                self.assertEqual(outcome.result["generation"], generation)
                self.assertEqual(outcome.result["witness"]["failed"], 0)
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["generations"]), {"1", "2", "3", "4"})
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()

    def test_to_ours_and_back(self):
        self.start_foreign()
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            self.upgrade(services.V2, *self.listen)
            load.answers(100)
            self.upgrade(FOREIGN)
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["versions"]), {"foreign", "v2"})
        self.assertEqual(set(total["generations"]), {"1", "2", "3"})
        self.stop()

    def test_one_listener_each(self):
        """1 -> 1 and 1 -> 2 have no window; 2 -> 1 has one and is refused, with the way out."""
        self.start_foreign("--listeners", "1")
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            self.upgrade(FOREIGN, *self.listen, "--listeners", "1")
            load.answers(100)
            self.upgrade(FOREIGN, *self.listen, "--listeners", "2")
            load.answers(100)
            outcome = self.upgrade(FOREIGN, *self.listen, "--listeners", "1", code=1)
            self.assertIn("at least two listeners per address", outcome.result["reason"])
            self.assertIn(self.address, outcome.result["reason"])
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["generations"]), {"1", "2", "3"})
        self.assertEqual(self.generations(), {3: "serving"})
        self.stop()

    def test_another_address(self):
        """127.0.0.1 comes before 0.0.0.0: seen as soon as it listens, long before the ready timeout."""
        self.listen = ("--listen", f"0.0.0.0:{self.port}")
        self.start_foreign()
        outcome = self.upgrade("--ready-timeout", "1h", FOREIGN, "--listen", self.address, code=1)
        self.assertIn(f"0.0.0.0:{self.port}", outcome.result["reason"])
        self.assertIn(self.address, outcome.result["reason"])
        self.assertEqual(self.generations(), {1: "serving"})
        self.assertEqual(self.get().generation, "1")
        self.stop()

    def test_another_port(self):
        other = self.box.port("127.0.0.1")
        self.start_foreign()
        with self.load(fresh=CLIENTS) as load:
            outcome = self.upgrade("--ready-timeout", "2s", FOREIGN, "--listen", f"127.0.0.1:{other}", code=1)
            self.assertIn(f"does not listen on {self.address}", outcome.result["reason"])
            load.answers(100)
            self.assert_spotless(load)
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def test_without_reuseport(self):
        outcome = self.box.rpctl("start", "--ready-timeout", "2s", FOREIGN, "--listen", "127.0.0.1:0",
                                 "--without-reuseport")
        self.assert_code(outcome, 1)
        self.assertIn("SO_REUSEPORT", outcome.result["reason"])
        self.assert_code(self.box.rpctl("status"), 5)

    def test_nothing_listens(self):
        outcome = self.box.rpctl("start", "--ready-timeout", "1500ms", "/usr/bin/tail", "-f", "/dev/null")
        self.assert_code(outcome, 1)
        self.assertIn("does not listen", outcome.result["reason"])

    def test_one_that_says_it_is_ready(self):
        """Many servers speak to a service manager but send no listeners: these are looked up."""
        self.start_foreign("--notify")
        self.assertEqual(self.generation(1)["listeners"], 2)
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            self.upgrade(FOREIGN)
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["generations"]), {"1", "2"})
        self.stop()

    def test_it_hands_over_too_many_listeners(self):
        self.start_foreign()
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            outcome = self.upgrade(FOREIGN, *self.listen, "--listeners", "251", "--hand-over", code=1)
            self.assertRegex(outcome.result["reason"], "hands over 251 listeners at a time, at most 250 are taken")
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["generations"]), {"1"})
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def check_replaced(self, old):
        """Another process serves, and no listener of the dead one is left to swallow connections."""
        harness.wait_until(lambda: self.answers_from_another(old), "another process answers")
        harness.wait_until(lambda: [s for s in self.generations().values()] == ["serving"], "one generation is left")
        self.assertEqual(len(self.listener_inodes()), 2)
        with self.load(fresh=CLIENTS) as load:
            load.answers(200)
            self.assert_spotless(load)

    def answers_from_another(self, old):
        try:
            return harness.get("127.0.0.1", self.port, timeout=1).pid not in (old, None)
        except OSError:
            return False

    def test_it_is_killed(self):
        """It cannot take listeners over, so that a new generation takes its place."""
        for more in ((), ("--notify",)):
            self.start_foreign(*more)
            old = self.pid_of(1)
            os.kill(old, signal.SIGKILL)
            self.check_replaced(old)
            self.upgrade(FOREIGN)
            self.stop()

    def test_one_of_two_is_killed(self):
        self.start_foreign(options=("--instances", "2"))
        old = self.pid_of(1)
        os.kill(old, signal.SIGKILL)
        harness.wait_until(lambda: self.generations() == {2: "serving"}, "a new generation serves")
        self.assertEqual([i[1] for i in self.instances(2)], ["ready"] * 2)
        self.assertEqual(len(self.listener_inodes()), 4)
        with self.load(fresh=CLIENTS) as load:
            load.answers(200)
            self.assert_spotless(load)
        self.stop()

    def test_it_is_killed_during_an_upgrade(self):
        """The upgrade goes on; should it fail, the dead one is replaced after it."""
        for words, code in ((("--ready-timeout", "2s", services.V2, *self.listen, "--fail-health"), 1),
                            (("--bake", "300ms", services.V2, *self.listen), 0)):
            self.start_foreign()
            old = self.pid_of(1)
            upgrade = self.box.operation("upgrade", "--witness", "off", *words)
            upgrade.until_phase("health" if code else "bake")
            os.kill(old, signal.SIGKILL)
            self.assert_code(upgrade.finish(), code)
            self.check_replaced(old)
            self.stop()

    def test_it_is_killed_again_and_again(self):
        self.start_foreign()
        for _ in range(3):
            old = self.get().pid
            os.kill(old, signal.SIGKILL)
            self.check_replaced(old)
        self.stop()

    def test_it_dies_while_it_is_looked_at(self):
        self.start_foreign()
        program = services.script(self.box, "dies", "#!/bin/sh\nread line < /dev/null\nexit 3\n")
        outcome = self.upgrade(program, code=1)
        self.assertIn("exit status 3", outcome.result["reason"])
        self.stop()


if __name__ == "__main__":
    harness.main()
