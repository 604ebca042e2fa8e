"""Processes that are killed: what they had accepted is lost, everything else is served by the one that comes next."""

import os
import signal

import control
import harness
import services

CLIENTS = 4  # of each kind: a light load
QUEUED = 8
ENDED_BY_THE_KERNEL = ("eof_sent", "reset_sent")


class CrashCase(services.ServiceCase):
    def kill(self, *pids):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def crash_under_load(self, crash, survivors_after):
        """Runs crash() and survivors_after() beside clients; returns how many requests failed, all of them reset."""
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(100)
            crash()
            survivors_after()
            load.mark("after")
            load.answers(100)
            total = load.stop()["total"]
        self.assertEqual(load.window("after")["failed"], 0, load.details())
        return total

    def assert_only_what_was_accepted(self, total, per_client=1):
        """A client has one request under way; the kernel ends the connections that a dead process had accepted."""
        self.assertLessEqual(total["failed"], 2 * CLIENTS * per_client, total["failures"])
        unexpected = {k: n for k, n in total["failures"].items() if n and k not in ENDED_BY_THE_KERNEL}
        self.assertEqual(unexpected, {})


class ServingProcessTest(CrashCase):
    def test_it_is_launched_again_with_its_listeners(self):
        self.start()
        first, inodes = self.pid_of(1), self.listener_inodes()
        self.assertEqual(self.instances(1), [(first, "ready", 0)])
        total = self.crash_under_load(lambda: self.kill(first), lambda: self.wait_for_restarts(1, [1]))
        self.assert_only_what_was_accepted(total)
        second = self.pid_of(1)
        self.assertNotEqual(second, first)
        self.assertEqual(self.listener_inodes(), inodes)
        self.assertEqual(services.environment(second)["LISTEN_FDS"], "2")
        self.assertEqual(set(total["generations"]), {"1"})
        self.assertEqual(set(total["pids"]), {str(first), str(second)})
        self.upgrade(services.V2)
        self.stop()

    def test_its_accept_queue_is_served(self):
        self.start()
        pid = self.pid_of(1)
        with services.stopped(pid):
            clients = [self.request() for _ in range(QUEUED)]
            self.wait_for_connections(QUEUED)
            self.kill(pid)
        answers = [services.answer(client) for client in clients]
        self.assertEqual([a.status for a in answers], [200] * QUEUED)
        self.assertEqual({a.pid for a in answers}, set(self.wait_for_restarts(1, [1])))
        self.stop()

    def test_again_and_again(self):
        self.start()
        for restarts in (1, 2, 3):
            self.kill(self.pid_of(1))
            self.wait_for_restarts(1, [restarts])
        self.assertEqual(self.get().status, 200)
        self.stop()

    def test_the_status_text_shows_it(self):
        self.start()
        self.kill(self.pid_of(1))
        self.wait_for_restarts(1, [1])
        self.assertIn("restart", self.box.rpctl("status", json_output=False).out)
        self.stop()

    def test_status_knows_it_at_once(self):
        """The question and the news of the death come to the supervisor in the same turn of its loop."""
        self.start()
        status = self.box.status()
        pid = self.pid_of(1)
        with control.connect(self.box) as client:
            self.box.status()  # was accepted later, so that one is accepted too
            with services.stopped(status["supervisor"]["pid"]):
                self.kill(pid)
                harness.wait_gone(pid)
                client.sendall(b'{"v":1,"command":"status"}\n')
            (answer,) = control.read(client)
        instance = answer["generations"][0]["instances"][0]
        self.assertNotEqual((instance["pid"], instance["state"]), (pid, "ready"))
        self.wait_for_restarts(1, [1])
        self.stop()


class InstancesTest(CrashCase):
    def test_one_of_three(self):
        self.start("--instances", "3")
        before = [i[0] for i in self.instances(1)]
        total = self.crash_under_load(lambda: self.kill(before[1]), lambda: self.wait_for_restarts(1, [0, 1, 0]))
        self.assert_only_what_was_accepted(total)
        after = [i[0] for i in self.instances(1)]
        self.assertEqual((after[0], after[2]), (before[0], before[2]))
        self.assertEqual(len(self.listener_inodes()), 6)
        self.stop()

    def test_all_at_once(self):
        """Their ends are seen at the same time, so that all are to be launched again at the same time."""
        self.start("--instances", "3")
        supervisor = self.box.status()["supervisor"]["pid"]
        pids = [i[0] for i in self.instances(1)]
        with services.stopped(supervisor):
            self.kill(*pids)
            for pid in pids:
                harness.wait_until(lambda pid=pid: not harness.process_exists(pid), "it is dead")
            clients = [self.request() for _ in range(3 * QUEUED)]
        self.assertEqual({services.answer(client).status for client in clients}, {200})
        self.wait_for_restarts(1, [1, 1, 1])
        self.upgrade(services.V2)
        self.stop()


class UpgradeTest(CrashCase):
    def setUp(self):
        super().setUp()
        self.start("--bake", "60s")
        self.old = self.pid_of(1)

    def begin(self, phase, *words, more=()):
        upgrade = self.box.operation("upgrade", *words, services.V2, *self.listen, *more)
        upgrade.until_phase(phase)
        return upgrade

    def test_killed_in_the_bake(self):
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(100)
            upgrade = self.begin("bake")
            load.answers(100)
            self.kill(self.pid_of(2))
            outcome = self.assert_code(upgrade.finish(), 3)
            load.mark("after")
            load.answers(100)
            total = load.stop()["total"]
        self.assertIn("SIGKILL", outcome.result["reason"])
        # … and one that stood in its queue: nobody else of its kind is there to serve that.
        self.assert_only_what_was_accepted(total, per_client=2)
        self.assertEqual(load.window("after")["failed"], 0, load.details())
        self.assertEqual(set(load.window("after")["pids"]), {str(self.old)})
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def test_one_of_two_killed_in_the_bake(self):
        """Nobody accepts from its queue any more: the way back does not wait for that."""
        upgrade = self.begin("bake", "--instances", "2", "--health", "none", "--quiesce-timeout", "1h")
        pids = [i[0] for i in self.instances(2)]
        with services.stopped(pids[0]), services.stopped(pids[1]):
            clients = [self.request() for _ in range(4 * QUEUED)]  # stand in the queues of both
            self.wait_for_connections(4 * QUEUED)
            self.kill(pids[1])
        self.assert_code(upgrade.finish(), 3)
        self.assertEqual({status for status in map(self.outcome_of, clients)}, {200, "reset"})
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def outcome_of(self, client):
        try:
            return services.answer(client).status
        except ConnectionResetError:
            return "reset"

    def test_killed_while_it_is_proven(self):
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            upgrade = self.begin("health", "--ready-timeout", "1h", more=("--fail-health",))
            self.kill(self.pid_of(2))
            outcome = self.assert_code(upgrade.finish(), 1)
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertIn("SIGKILL", outcome.result["reason"])
        self.assertEqual(set(total["pids"]), {str(self.old)})
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def test_old_is_killed_while_new_is_proven(self):
        """It is launched again to serve meanwhile, and the upgrade goes on."""

        def begin_and_crash():
            # The witness sees the crash too, and says so, which is not what is tested here.
            self.running = self.begin("health", "--bake", "0", "--health-count", "1000", "--witness", "off")
            self.kill(self.old)

        total = self.crash_under_load(begin_and_crash, lambda: self.wait_for_answer_from_a_new_pid())
        self.assert_only_what_was_accepted(total)
        self.assert_code(self.running.finish(), 0)
        self.assertEqual(self.generations(), {2: "serving"})
        self.stop()

    def wait_for_answer_from_a_new_pid(self):
        harness.wait_until(lambda: self.get().pid != self.old, "another process answers")

    def test_old_is_killed_while_new_cannot_be_proven(self):
        upgrade = self.begin("health", "--ready-timeout", "1h", more=("--fail-health",))
        total = self.crash_under_load(lambda: self.kill(self.old), lambda: self.wait_for_restarts(1, [1]))
        self.assert_only_what_was_accepted(total)
        self.assertEqual(set(total["generations"]), {"1"})
        self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 1)
        self.stop()

    def test_old_is_killed_in_the_bake(self):
        """Nobody is connected to it but those who were; it is launched again, for it may be wanted."""
        upgrade = self.begin("bake")
        self.kill(self.old)
        (again,) = self.wait_for_restarts(1, [1])
        with self.load(fresh=CLIENTS) as load:
            load.answers(100)
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            load.answers(100)
            self.assert_spotless(load)
        self.assertEqual(self.get().pid, again)
        self.stop()


class RollbackTest(CrashCase):
    def test_one_that_died_in_the_quiesce_is_there_again(self):
        """Old is called back after one of its processes has died: it is launched again, and its queue is served."""
        self.start("--instances", "2", "--quiesce-timeout", "60s")
        pids = [i[0] for i in self.instances(1)]
        with services.stopped(pids[0]), services.stopped(pids[1]):
            clients = [self.request() for _ in range(4 * QUEUED)]  # stand in the queues of both
            self.wait_for_connections(4 * QUEUED)
            upgrade = self.box.operation("upgrade", "--bake", "0", services.V2, *self.listen)
            upgrade.until_phase("quiesce")
            self.kill(pids[1])
            harness.wait_until(lambda: self.instances(1)[1][1] == "exited", "its end is known")
            self.assert_code(self.box.rpctl("abort"), 0)
            self.wait_for_instance(2, restarts=1)
        self.assert_code(upgrade.finish(), 3)
        self.assertEqual({services.answer(client).status for client in clients}, {200})
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def wait_for_instance(self, number, restarts):
        harness.wait_until(lambda: self.instances(1)[number - 1][1:] == ("ready", restarts), "it is there again")


if __name__ == "__main__":
    harness.main()
