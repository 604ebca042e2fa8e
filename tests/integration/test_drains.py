"""Old generations that drain side by side, while further upgrades begin, succeed and fail; and the drain's deadline."""

import contextlib
import os
import pathlib
import signal
import socket

import harness
import services

FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
PATIENT = ("--drain-timeout", "60s", "--wait", "shifted")
CLIENTS = 4 if harness.SANITIZED else 16  # of each kind


class DrainCase(services.ServiceCase):
    @contextlib.contextmanager
    def under_load(self, **clients):
        """Spotless at the end; downloads are counted by themselves."""
        with self.load(**clients or {"fresh": CLIENTS, "keep_alive": CLIENTS}) as load:
            load.answers(100)
            yield load
            load.answers(100)
            self.assert_spotless(load)

    def start_with_a_drain(self, *options):
        """Generation 1 drains a download, generation 2 serves."""
        self.start("--bake", "0", *PATIENT, *options)
        download = self.download()
        self.upgrade(services.V2)
        self.assertEqual(self.generations(), {1: "draining", 2: "serving"})
        return download


class ListenersTest(DrainCase):
    """They leave the group as soon as no process holds them any more, however long the drain goes on."""

    def wait_for_listeners(self, count):
        harness.wait_until(lambda: len(self.listener_inodes()) == count, f"{count} listeners")

    def assert_drains_without(self):
        self.wait_for_listeners(2)
        self.assertEqual(self.generations(), {1: "draining", 2: "serving"})
        harness.wait_until(lambda: self.generation(1)["listeners"] == 0, "status says so")

    def test_of_a_librp_server(self):
        """It says that it has closed them."""
        download = self.start_with_a_drain()
        with self.under_load():
            self.assert_drains_without()
            self.assertTrue(download.is_whole())
            self.wait_for_generations({2: "serving"})
        self.stop()

    def test_of_two_instances(self):
        download = self.start_with_a_drain("--instances", "2")
        self.wait_for_listeners(4)
        self.assertTrue(download.is_whole())
        self.wait_for_generations({2: "serving"})
        self.stop()

    def test_of_one_that_says_nothing(self):
        """It is looked at: here half a request keeps it."""
        self.start("--bake", "0", *PATIENT, binary=FOREIGN)
        with self.under_load(fresh=CLIENTS), socket.create_connection(("127.0.0.1", self.port)) as half:
            half.sendall(b"GET / HTTP/1.1\r\n")
            self.upgrade(services.V2, *self.listen)
            self.assert_drains_without()
            log = (self.box.rpctl_dir / "default/log/generation-1.log").read_text()
            self.assertIn("SIGTERM, 0 of 2 listeners in sight", log)
            half.sendall(b"\r\n")
            self.assertEqual(services.answer(half).version, "foreign")
            self.wait_for_generations({2: "serving"})
        self.stop()

    def test_of_one_that_keeps_them(self):
        """They are closed when it is gone, not before."""
        self.start("--bake", "0", "--drain-timeout", "1s", binary=FOREIGN, more=("--deaf",))
        with self.under_load(fresh=CLIENTS):
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V2, *self.listen)
            upgrade.until_phase("drain")
            upgrade.until(lambda event: event["event"] == "phase" and event["phase"] == "drain" and event.get("done", 0) > 300)
            self.assertEqual(len(self.listener_inodes()), 4)
            self.assert_code(upgrade.finish(), 7)
        self.wait_for_listeners(2)
        self.stop()


class OverlapTest(DrainCase):
    def test_three_at_once(self):
        """They end in another order than they began, so that their listeners do not leave as they came."""
        self.start("--bake", "0", *PATIENT)
        with self.under_load():
            downloads = []
            for binary in (services.V2, services.V1, services.V2):
                downloads.append(self.download())
                self.upgrade(binary)
            self.assertEqual([d.generation for d in downloads], [1, 2, 3])
            draining = {1: "draining", 2: "draining", 3: "draining", 4: "serving"}
            self.assertEqual(self.generations(), draining)
            for number in (2, 1, 3):
                self.assertTrue(downloads[number - 1].is_whole())
                del draining[number]
                self.wait_for_generations(draining)
        self.assertEqual(len(self.listener_inodes()), 2)
        self.stop()

    def test_one_ends_while_the_next_is_proven(self):
        """The close of old listeners takes the probes out of the program: who answers then is not the new one."""
        download = self.start_with_a_drain()
        with self.under_load() as load:
            upgrade = self.box.operation("upgrade", "--health-count", "1", "--health-interval", "1ms",
                                         "--ready-timeout", "1h", services.V1, *self.listen, "--fail-health")
            upgrade.until_phase("health")
            self.assertTrue(download.is_whole())
            self.wait_for_generations({2: "serving", 3: "proving"})
            load.answers(100)
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 1)
        self.assertEqual(set(load.result["total"]["generations"]), {"2"})
        self.stop()

    def test_one_ends_in_the_bake_of_the_next(self):
        download = self.start_with_a_drain()
        with self.under_load() as load:
            upgrade = self.box.operation("upgrade", "--bake", "60s", services.V1)
            upgrade.until_phase("bake")
            self.assertTrue(download.is_whole())
            self.wait_for_generations({2: "standby", 3: "serving"})
            load.answers(100)
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            self.wait_for_generations({2: "serving"})
        self.stop()

    def test_two_waiting_clients(self):
        """Each `upgrade --wait drained` hears of its own old generation."""
        self.start("--bake", "0", "--drain-timeout", "60s")
        with self.under_load():
            first, second = self.download(), None
            one = self.box.operation("upgrade", services.V2)
            one.until_phase("drain")
            second = self.download()
            two = self.box.operation("upgrade", services.V1)
            two.until_phase("drain")
            self.assertTrue(second.is_whole())
            done = self.assert_code(two.finish(), 0)
            self.assertEqual((done.result["generation"], done.result["cut"]), (3, 0))
            self.assertGreaterEqual(done.result["finished"], 1)
            self.assertEqual(self.generations(), {1: "draining", 3: "serving"})
            self.assertTrue(first.is_whole())
            done = self.assert_code(one.finish(), 0)
            self.assertEqual(done.result["cut"], 0)
        self.wait_for_generations({3: "serving"})
        self.stop()

    def test_too_many(self):
        download = self.start_with_a_drain("--max-draining", "1")
        with self.under_load():
            outcome = self.upgrade(services.V1, code=4)
            self.assertIn("--max-draining 1", outcome.result["reason"])
            self.assertEqual(self.generations(), {1: "draining", 2: "serving"})
            self.assertTrue(download.is_whole())
            self.wait_for_generations({2: "serving"})
            self.upgrade(services.V1)
        self.wait_for_generations({3: "serving"})
        self.stop()

    def test_stop_ends_them_all(self):
        download = self.start_with_a_drain()
        stop = self.box.operation("stop")
        stop.until_phase("drain")
        self.assertTrue(download.is_whole())
        self.assert_code(stop.finish(), 0)


class FailureBesideADrainTest(DrainCase):
    def check(self, download, *words, code):
        with self.under_load() as load:
            self.upgrade(*words, code=code)
            self.assertEqual(self.generations(), {1: "draining", 2: "serving"})
            load.answers(100)
        self.assertEqual(set(load.result["total"]["generations"]), {"2"})
        self.assertTrue(download.is_whole())
        self.wait_for_generations({2: "serving"})
        self.assertEqual(len(self.listener_inodes()), 2)
        self.upgrade(services.V1)  # and the way is free
        self.stop()

    def test_it_exits(self):
        self.check(self.start_with_a_drain(), "/bin/false", code=1)

    def test_it_is_unhealthy(self):
        self.check(self.start_with_a_drain(), "--ready-timeout", "500ms", services.V1, *self.listen, "--fail-health", code=1)

    def test_it_is_rolled_back(self):
        download = self.start_with_a_drain()
        with self.under_load() as load:
            upgrade = self.box.operation("upgrade", "--bake", "60s", services.V1)
            upgrade.until_phase("bake")
            load.answers(100)
            self.assertEqual(self.generations(), {1: "draining", 2: "standby", 3: "serving"})
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            self.assertEqual(self.generations(), {1: "draining", 2: "serving"})
        self.assertTrue(download.is_whole())
        self.wait_for_generations({2: "serving"})
        self.stop()


class DeadlineTest(DrainCase):
    def test_the_server_cuts(self):
        """A second before the supervisor would: what it reports is what the result says."""
        self.start("--bake", "0", "--drain-timeout", "2s", "--idle-grace", "50ms")
        cut = self.download()
        with self.under_load(fresh=CLIENTS):
            outcome = self.upgrade(services.V2, code=7)
        self.assertEqual(outcome.result["outcome"], "not spotless")
        self.assertEqual(outcome.result["cut"], 1)
        self.assertIn("1 connection", outcome.result["reason"])
        self.assertEqual(outcome.result["generation"], 2)
        self.assertFalse(cut.is_whole())
        self.assertEqual(self.generations(), {2: "serving"})
        self.stop()

    def test_one_that_does_not_stop_is_killed(self):
        self.start("--bake", "0", "--drain-timeout", "300ms", more=("--ignore-term",))
        old = self.pid_of(1)
        cut = [self.download(), self.download()]
        with self.under_load(fresh=CLIENTS):
            outcome = self.upgrade(services.V2, *self.listen, code=7)
        harness.wait_gone(old)
        self.assertEqual(outcome.result["cut"], 2)
        self.assertIn("2 connections", outcome.result["reason"])
        for download in cut:
            self.assertFalse(download.is_whole())
        self.stop()

    def test_one_that_does_not_stop_and_holds_nothing(self):
        self.start("--bake", "0", "--drain-timeout", "300ms", more=("--ignore-term",))
        with self.under_load(fresh=CLIENTS):
            outcome = self.upgrade(services.V2, *self.listen, code=7)
        self.assertEqual(outcome.result["cut"], 0)
        self.assertIn("killed", outcome.result["reason"])
        self.stop()

    def test_the_deadline_of_the_upgrade_counts(self):
        """… also when nobody waits for the drain."""
        self.start("--bake", "0", "--drain-timeout", "1h")
        for wait, code in (("shifted", 0), ("drained", 7)):
            download = self.download()
            old = download.generation
            self.upgrade("--drain-timeout", "300ms", "--wait", wait, services.V2, code=code)
            self.wait_for_generations({old + 1: "serving"})
            self.assertFalse(download.is_whole())
        self.stop()

    def test_one_that_dies_in_its_drain(self):
        """What it was serving is lost, and the exit status says so."""
        self.start("--bake", "0", "--drain-timeout", "60s")
        download = self.download()
        old = self.pid_of(1)
        with self.under_load(fresh=CLIENTS):
            upgrade = self.box.operation("upgrade", services.V2)
            upgrade.until_phase("drain")
            os.kill(old, signal.SIGKILL)
            outcome = self.assert_code(upgrade.finish(), 7)
        self.assertIn("SIGKILL", outcome.result["reason"])
        self.assertFalse(download.is_whole())
        self.stop()

    def test_killed_at_the_deadline_of_a_stop(self):
        self.start("--drain-timeout", "300ms", more=("--ignore-term",))
        download = self.download()
        outcome = self.stop(code=7)
        self.assertIn("killed", outcome.result["reason"])
        self.assertFalse(download.is_whole())


class NoTimeTest(services.ServiceCase):
    def test_no_time_to_quiesce(self):
        """What stands in the queue is counted, and old is told to stop at once: it empties its queue itself."""
        self.start()
        with services.stopped(self.pid_of(1)):
            client = self.request()
            self.wait_for_connections(1)
            upgrade = self.box.operation("upgrade", "--bake", "0", "--witness", "off", "--quiesce-timeout", "0", services.V2,
                                         *self.listen)
            end = upgrade.until_phase("quiesce", state="end")
            upgrade.until_phase("drain")
        self.assertEqual(end["left"], 1)
        self.assert_code(upgrade.finish(), 0)
        self.assertEqual(services.answer(client).generation, "1")
        self.stop()


if __name__ == "__main__":
    harness.main()
