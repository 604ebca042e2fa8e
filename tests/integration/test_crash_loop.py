"""A process that dies again and again: the living serve meanwhile, it is launched with back-off, and given up in the end."""

import os
import pathlib
import shutil
import signal

import harness
import services

FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
CLIENTS = 8
QUEUED = 8
PATIENT = ("--timeout", "60s")
SMALL_US = 1e6  # an answer that waits for a launch in the back-off takes longer
KILLED = ("eof_sent", "reset_sent")  # what the kernel does to the connections of a process that is killed

# Writes each of its launches down, and dies at once while BROKEN exists.
RELEASE = """#!/bin/sh
echo "$RP_GENERATION $RP_INSTANCE" >>{starts}
if [ -e {broken} ]; then echo "broken, launch $(wc -l <{starts})"; exit 9; fi
exec {server} "$@"
"""


class LoopCase(services.ServiceCase):
    server = services.V1

    def setUp(self):
        super().setUp()
        self.starts, self.broken = self.box.dir / "starts", self.box.dir / "broken"
        text = RELEASE.format(starts=self.starts, broken=self.broken, server=self.server)
        self.release = services.script(self.box, "release.sh", text)

    def start_release(self, *options):
        self.start(*options, binary=self.release)

    def launches(self, generation=1, instance=1):
        return self.starts.read_text().splitlines().count(f"{generation} {instance}")

    def break_and_kill(self, *instances):
        self.broken.touch()
        for pid in [self.pid_of(1, instance) for instance in instances]:
            os.kill(pid, signal.SIGKILL)

    def repair(self):
        self.broken.unlink()

    def instance(self, number, generation=1):
        return self.generation(generation)["instances"][number - 1]

    def wait_for_failures(self, count, instance=1):
        """It has been launched count - 1 times in vain."""
        harness.wait_until(lambda: self.instance(instance).get("failures", 0) >= count, f"{count} failures")

    def wait_for_state(self, state, instance=1):
        harness.wait_until(lambda: self.instance(instance)["state"] == state, f"instance {instance} is {state}")

    def wait_for_service(self, state):
        harness.wait_until(lambda: self.box.status()["state"] == state, f"the service is {state}")

    def assert_refused_abort(self):
        refused = self.assert_code(self.box.rpctl("abort"), 1)
        self.assertIn("cannot abort: generation 1 has died, and generation 2 serves; the upgrade goes on", refused.out + refused.err)

    def supervisor_log(self):
        return (self.box.rpctl_dir / "default/log/supervisor.log").read_text()

    def assert_answered(self, clients):
        answers = [services.answer(client) for client in clients]
        self.assertEqual({a.status for a in answers}, {200})
        return {a.pid for a in answers}

    def assert_only_what_was_accepted(self, total):
        """A client has one request under way, and a process that is killed takes with it what it had accepted."""
        self.assertLessEqual(total["failed"], CLIENTS, total["failures"])
        self.assertEqual({k: n for k, n in total["failures"].items() if n and k not in KILLED}, {})


class OneOfThreeTest(LoopCase):
    def setUp(self):
        super().setUp()
        self.start_release("--instances", "3", "--max-restarts", "0")
        self.living = {self.pid_of(1, 1), self.pid_of(1, 3)}

    def test_new_connections_go_to_the_living(self):
        with self.load(fresh=CLIENTS, options=PATIENT) as load:
            load.answers(100)
            self.break_and_kill(2)
            self.wait_for_failures(5, 2)
            around = self.load_around_the_dead()
            self.assertEqual(self.instance(2)["state"], "exited")
            self.repair()
            self.wait_for_state("ready", 2)
            load.mark("all")
            load.answers(500)
            total = load.stop()["total"]
        self.assert_only_what_was_accepted(total)
        everybody = load.window("all")
        self.assertEqual(everybody["failed"], 0, load.details())
        self.assertEqual(self.pids(around), self.living)
        self.assertEqual(self.pids(everybody), self.living | {self.pid_of(1, 2)})
        self.assertLess(around["latency_us"]["max"], SMALL_US)
        self.stop()

    def load_around_the_dead(self):
        """Those who came in the moment before the steering wait in its queue; these come after it."""
        with self.load(fresh=CLIENTS) as load:
            load.answers(500)
            return self.assert_spotless(load)["total"]

    def pids(self, window):
        return {int(pid) for pid in window["pids"]}

    def test_what_stands_in_its_queue_is_served_later(self):
        pids = [i[0] for i in self.instances(1)]
        with services.stopped(pids[0]), services.stopped(pids[1]), services.stopped(pids[2]):
            clients = [self.request() for _ in range(4 * QUEUED)]  # stand in the queues of all
            self.wait_for_connections(4 * QUEUED)
            self.break_and_kill(2)
            self.wait_for_failures(2, 2)
        self.repair()
        self.wait_for_state("ready", 2)
        self.assertEqual(self.assert_answered(clients), self.living | {self.pid_of(1, 2)})
        self.stop()

    def test_all_are_killed(self):
        """Nobody is refused: connections wait in the queues."""
        self.break_and_kill(1, 2, 3)
        for instance in (1, 2, 3):
            self.wait_for_failures(2, instance)
        clients = [self.request() for _ in range(4 * QUEUED)]
        self.repair()
        self.assert_answered(clients)
        for instance in (1, 2, 3):
            self.wait_for_state("ready", instance)
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def test_an_upgrade_meanwhile(self):
        self.break_and_kill(2)
        self.wait_for_failures(3, 2)
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            self.upgrade("--instances", "3", services.V2, *self.listen)
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["generations"]), {"1", "2"})
        self.assertEqual(len(self.listener_inodes()), 6)
        self.stop()

    def test_an_upgrade_that_fails_meanwhile(self):
        """Probes and the way back are steered around the dead one too."""
        self.break_and_kill(2)
        self.wait_for_failures(3, 2)
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            self.upgrade("--ready-timeout", "500ms", services.V2, *self.listen, "--fail-health", code=1)
            upgrade = self.box.operation("upgrade", "--bake", "1h", services.V2, *self.listen)
            upgrade.until_phase("bake")
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            load.mark("after")
            load.answers(300)
            self.assert_spotless(load)
        self.assertEqual(self.pids(load.window("after")), self.living)
        self.repair()
        self.wait_for_state("ready", 2)
        self.stop()

    def test_one_that_is_told_to_stop_by_somebody(self):
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(100)
            os.kill(self.pid_of(1, 2), signal.SIGTERM)
            self.wait_for_restarts(1, [0, 1, 0])
            load.answers(100)
            self.assert_spotless(load)
        self.stop()

    def test_one_that_was_told_to_stop_and_drains(self):
        """It does not accept any more, and the process that comes in its place is not there yet."""
        while (download := self.download()) and self.instance(2)["connections"] == 0:
            download.sock.close()
        os.kill(self.pid_of(1, 2), signal.SIGTERM)
        self.wait_for_state("stopping", 2)
        self.assertEqual(self.pids(self.load_around_the_dead()), self.living)
        self.assertEqual(self.instance(2)["state"], "stopping")
        self.assertTrue(download.is_whole())
        self.wait_for_state("ready", 2)
        self.stop()

    def test_the_supervisor_is_killed_meanwhile(self):
        self.break_and_kill(2)
        self.wait_for_failures(4, 2)
        harness.wait_until(self.state_knows_the_end, "the state is on disk")
        supervisor = self.box.status()["supervisor"]["pid"]
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            os.kill(supervisor, signal.SIGKILL)
            harness.wait_gone(supervisor)
            load.answers(100)
            outcome = self.assert_code(self.box.rpctl("start", "--instances", "3", self.release, *self.listen), 0)
            self.assertEqual(outcome.events[0]["operation"], "takeover")
            self.assertGreaterEqual(self.box.status()["crash"]["count"], 4)
            # Each failure takes twice as long as the one before: it goes on with what is known of them.
            self.assertGreaterEqual(self.instance(2)["failures"], 4)
            load.answers(100)
            self.repair()
            self.wait_for_state("ready", 2)
            load.mark("after")
            load.answers(300)
            self.assert_spotless(load)
        self.assertEqual(self.pids(load.window("after")), self.living | {self.pid_of(1, 2)})
        self.upgrade("--instances", "3", services.V2, *self.listen)
        self.stop()

    def state_knows_the_end(self):
        text = (self.box.rpctl_dir / "default/state").read_text()
        return '"state":"exited"' in text


class AloneTest(LoopCase):
    def test_nobody_is_refused_during_the_back_off(self):
        self.start_release("--max-restarts", "0")
        self.break_and_kill(1)
        self.wait_for_failures(4)
        clients = [self.request() for _ in range(QUEUED)]
        self.repair()
        self.assertEqual(len(self.assert_answered(clients)), 1)
        self.stop()

    def test_the_binary_is_gone(self):
        """A launch that fails is one that did not last: with back-off, and not for ever."""
        copy = self.box.dir / "server"
        shutil.copy2(services.V1, copy)
        self.start("--max-restarts", "3", binary=copy)
        copy.unlink()
        os.kill(self.pid_of(1), signal.SIGKILL)
        self.wait_for_service("failed")
        self.assertEqual(self.supervisor_log().count("relaunch=failed"), 3)
        self.assertEqual(self.instance(1)["restarts"], 0)
        self.stop()


class GiveUpTest(LoopCase):
    def give_up(self, *options):
        self.start_release("--max-restarts", "3", *options)
        self.break_and_kill(1)
        self.wait_for_service("failed")
        self.assertEqual(self.listener_inodes(), set())

    def test_after_so_many(self):
        self.give_up()
        self.assertEqual(self.launches(), 4)
        status = self.box.status()
        instance = self.instance(1)
        self.assertEqual((instance["state"], instance["restarts"], instance["ended"]), ("failed", 3, "exit status 9"))
        self.assertNotIn("next_try", instance)
        self.assertEqual((self.generation(1)["state"], self.generation(1)["share"]), ("failed", 0))
        crash = status["crash"]
        self.assertEqual({k: crash[k] for k in ("count", "generation", "instance", "ended", "failures", "given_up")},
                         {"count": 4, "generation": 1, "instance": 1, "ended": "exit status 9", "failures": 4,
                          "given_up": True})
        self.assertEqual(self.supervisor_log().count(" crash="), 4)
        with self.assertRaises(ConnectionRefusedError):
            self.get()
        text = self.box.rpctl("status", json_output=False).out
        self.assertIn("service     default (failed): ", text)
        self.assertIn("instance 1: exit status 9, 3 restarts, given up\n", text)
        self.assertIn("nobody serves, clients are refused; why: rpctl logs; launch again: rpctl restart", text)
        self.assertIn("broken, launch 4", self.box.rpctl("logs", json_output=False).out)
        self.stop()

    def test_an_upgrade_brings_it_back(self):
        self.give_up()
        failed = self.assert_code(self.box.rpctl("upgrade", services.V2, *self.listen, "--exit-after", "0"), 1)
        self.assertEqual(failed.result["generation"], 0)
        self.wait_for_generations({1: "failed"})
        self.assertEqual(self.box.status()["state"], "failed")
        self.upgrade(services.V2)  # with the arguments that the service has
        self.assertEqual((self.generations(), self.box.status()["state"]), ({3: "serving"}, "running"))
        self.assertEqual(self.get().generation, "3")
        with self.load(fresh=CLIENTS) as load:
            load.answers(50)
            self.upgrade(services.V1)
            load.answers(50)
            self.assert_spotless(load)
        self.stop()

    def test_a_restart_brings_it_back(self):
        self.give_up("--instances", "1")
        self.repair()
        self.assert_code(self.box.rpctl("restart"), 0)
        self.assertEqual(self.generations(), {2: "serving"})
        self.assertEqual(self.get().generation, "2")
        self.stop()

    def test_one_of_three(self):
        """The others serve, and its listeners leave: what stands in their queues is counted."""
        self.start_release("--instances", "3", "--max-restarts", "2")
        pids = [i[0] for i in self.instances(1)]
        with services.stopped(pids[0]), services.stopped(pids[1]), services.stopped(pids[2]):
            clients = [self.request() for _ in range(4 * QUEUED)]
            self.wait_for_connections(4 * QUEUED)
            self.break_and_kill(2)
            self.wait_for_state("failed", 2)
            harness.wait_until(lambda: len(self.listener_inodes()) == 4, "its listeners are closed")
        lost = sum(self.is_lost(client) for client in clients)
        self.assertGreater(lost, 0)
        self.assertIn(f"given-up=closed listeners=2 queued={lost}\n", self.supervisor_log())
        self.assertEqual((self.generations(), self.box.status()["state"]), ({1: "serving"}, "running"))
        self.assertEqual(self.generation(1)["listeners"], 4)
        self.assertIn("the others serve; why: rpctl logs", self.box.rpctl("status", json_output=False).out)
        with self.load(fresh=CLIENTS) as load:
            load.answers(200)
            self.upgrade("--instances", "3", services.V2, *self.listen)
            load.answers(200)
            self.assert_spotless(load)
        self.assertEqual(len(self.listener_inodes()), 6)
        self.stop()

    def is_lost(self, client):
        try:
            return services.answer(client).status != 200
        except ConnectionResetError:
            return True

    def test_one_of_three_under_load(self):
        self.start_release("--instances", "3", "--max-restarts", "2")
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            self.break_and_kill(2)
            self.wait_for_failures(2, 2)
            load.mark("close")
            self.wait_for_state("failed", 2)
            harness.wait_until(lambda: len(self.listener_inodes()) == 4, "its listeners are closed")
            load.answers(300)
            total = load.stop()["total"]
        self.assert_only_what_was_accepted(total)
        self.assertEqual(load.window("close")["failed"], 0, load.details())
        self.stop()

    def test_all_of_three_one_after_the_other(self):
        self.start_release("--instances", "3", "--max-restarts", "1")
        self.break_and_kill(2)
        self.wait_for_state("failed", 2)
        self.break_and_kill(1)
        self.wait_for_state("failed", 1)
        self.assertEqual(self.get().pid, self.pid_of(1, 3))
        self.break_and_kill(3)
        self.wait_for_service("failed")
        self.assertEqual(self.listener_inodes(), set())
        self.upgrade(services.V2, *self.listen)
        self.assertEqual(self.get().generation, "2")
        self.stop()

    def test_while_an_older_generation_drains(self):
        """Alone in the group, the older one would get connections that it does not accept."""
        self.start("--max-restarts", "2", binary=services.V2)
        download = self.download()
        self.assert_code(self.box.rpctl("upgrade", "--bake", "0", "--wait", "shifted", "--max-restarts", "2",
                                        "--drain-timeout", "1h", self.release, *self.listen), 0)
        self.wait_for_generations({1: "draining", 2: "serving"})
        self.broken.touch()
        os.kill(self.pid_of(2), signal.SIGKILL)
        self.wait_for_service("failed")
        self.assertEqual(self.listener_inodes(), set())
        self.upgrade(services.V2)
        self.assertTrue(download.is_whole())
        self.wait_for_generations({3: "serving"})
        self.stop()

    def test_during_an_upgrade(self):
        """What is being proven is waited for, and takes its place."""
        self.start_release("--max-restarts", "1")
        upgrade = self.box.operation("upgrade", "--bake", "0", "--witness", "off", "--ready-timeout", "1h", services.V2,
                                     *self.listen, "--fail-health")
        upgrade.until_phase("health")
        self.break_and_kill(1)
        self.wait_for_state("failed")
        client = self.request()
        self.assertEqual(self.box.status()["state"], "running")
        self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 1)
        self.wait_for_service("failed")
        self.assertTrue(self.is_lost(client))
        self.upgrade(services.V2, *self.listen)
        self.stop()


    def test_in_the_bake(self):
        """There is no way back any more: the upgrade goes on to its end."""
        self.start_release("--max-restarts", "1")
        upgrade = self.box.operation("upgrade", "--bake", "1500ms", "--witness", "off", services.V2, *self.listen)
        upgrade.until_phase("bake")
        self.break_and_kill(1)
        self.wait_for_state("failed")
        self.assert_refused_abort()
        self.assertEqual(self.get().generation, "2")
        self.assert_code(upgrade.finish(), 0)
        self.wait_for_generations({2: "serving"})
        self.stop()


class NoWayBackTest(LoopCase):
    """The old generation dies after the shift: traffic does not come back before somebody is there to take it."""

    def setUp(self):
        super().setUp()
        self.start_release("--health-count", "2", "--health-interval", "20ms")

    def upgrade_to_bake(self, bake, *more):
        upgrade = self.box.operation("upgrade", "--bake", bake, "--witness", "off", services.V2, *self.listen, *more)
        upgrade.until_phase("bake")
        self.break_and_kill(1)
        self.wait_for_failures(2)
        return upgrade

    def come_back(self):
        self.repair()
        self.wait_for_state("ready")

    def test_an_abort(self):
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            upgrade = self.upgrade_to_bake("1h")
            load.mark("alone")
            self.assert_refused_abort()
            load.answers(100)
            self.come_back()
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            load.mark("after")
            load.answers(100)
            load.stop()
        self.assertEqual(load.window("alone")["failed"], 0, load.details())
        self.assertEqual(set(load.window("after")["generations"]), {"1"})
        self.stop()

    def sicken(self, *bake):
        """Up to its warning that it stays all the same."""
        upgrade = self.upgrade_to_bake(*bake, "--fail-health-after", "300")
        event = upgrade.until(lambda e: e["event"] == "warning")
        self.assertIn("GET /healthz 500; generation 2 serves on, for generation 1 has died", event["text"])
        self.assertEqual(self.get().generation, "2")
        return upgrade

    def test_a_release_that_sickens_is_rolled_back_when_the_old_one_is_back(self):
        upgrade = self.sicken("1h")
        self.come_back()
        outcome = self.assert_code(upgrade.finish(), 3)
        self.assertIn("unhealthy", outcome.result["reason"])
        self.assertEqual(self.get().generation, "1")
        self.stop()

    def test_a_release_that_sickens_stays_when_the_old_one_does_not_come_back(self):
        self.box.rpctl("stop")
        self.start_release("--health-count", "2", "--health-interval", "20ms", "--ready-timeout", "2s")
        upgrade = self.sicken("500ms")
        self.assert_code(upgrade.finish(), 0)
        self.wait_for_generations({2: "serving"})
        self.stop()


class ForeignTest(LoopCase):
    """It takes no listeners over: a new generation takes the place of the whole each time."""

    server = FOREIGN

    def test_it_is_given_up(self):
        self.start_release("--max-restarts", "2")
        self.break_and_kill(1)
        self.wait_for_service("failed")
        self.assertEqual([self.launches(generation) for generation in (1, 2, 3, 4)], [1, 1, 1, 0])
        self.repair()
        self.assert_code(self.box.rpctl("restart"), 0)
        self.assertEqual(self.get().status, 200)
        self.stop()

    def test_one_that_comes_up_and_dies_young(self):
        """The generation that takes its place inherits the back-off."""
        self.start_release("--max-restarts", "2")
        for generation in (1, 2, 3):
            self.wait_for_generations({generation: "serving"})
            os.kill(self.pid_of(generation), signal.SIGKILL)
        self.wait_for_service("failed")
        self.assertEqual(self.generations(), {3: "failed"})
        self.assertEqual(self.box.status()["crash"]["failures"], 3)
        self.stop()


if __name__ == "__main__":
    harness.main()
