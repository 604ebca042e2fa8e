"""Several processes per generation: more, fewer, and one that never comes."""

import os
import signal

import harness
import services

STOP_AT_LISTEN = harness.BIN_DIR / "stop-at-listen.so"
PRELOADED = "ASAN_OPTIONS=verify_asan_link_order=0"
LOOKS_SECONDS = 0.5  # time for some ten looks at what a server listens on that says nothing
CLIENTS = 4 if harness.SANITIZED else 32  # of each kind


class InstancesTest(services.ServiceCase):
    def pids(self, number):
        return [i[0] for i in self.instances(number)]

    def test_two_three_one(self):
        self.start("--bake", "0", "--instances", "2")
        seen = self.pids(1)
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(200)
            for generation, (count, binary) in enumerate(((3, services.V2), (1, services.V1), (2, services.V2)), 2):
                outcome = self.upgrade("--instances", str(count), binary)
                self.assertEqual(outcome.result["generation"], generation)
                self.assertEqual(len(self.pids(generation)), count)
                self.assertEqual(len(self.listener_inodes()), 2 * count)
                seen += self.pids(generation)
                load.answers(200)
            total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["generations"]), {"1", "2", "3", "4"})
        self.assertEqual(set(total["pids"]), {str(pid) for pid in seen})
        for pid in seen[:-2]:
            harness.wait_gone(pid)
        self.stop()

    def test_they_know_who_they_are(self):
        self.start("--instances", "3")
        for number, pid in enumerate(self.pids(1), 1):
            environment = services.environment(pid)
            self.assertEqual((environment["RP_SERVICE"], environment["RP_GENERATION"]), ("default", "1"))
            self.assertEqual(environment["RP_INSTANCE"], str(number))
        outcome = self.stop()
        self.assertEqual(outcome.result["cut"], 0)

    def check_one_bad(self, program, words, reason):
        self.start("--bake", "0", "--instances", "2")
        before = self.pids(1)
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            upgrade = self.box.operation("upgrade", "--instances", "3", *words, program, *self.listen)
            launched = upgrade.until_phase("launch", "end")["pid"]
            outcome = self.assert_code(upgrade.finish(), 1)
            load.answers(100)
            total = self.assert_spotless(load)["total"]
        self.assertRegex(outcome.result["reason"], reason)
        self.assertEqual(len(launched), 3)
        for pid in launched:
            harness.wait_gone(pid)
        self.assertEqual(set(total["pids"]), {str(pid) for pid in before})
        self.assertEqual(self.pids(1), before)
        self.assertEqual(len(self.listener_inodes()), 4)
        self.upgrade(services.V2)
        self.stop()

    def test_one_is_never_ready(self):
        program = services.script(self.box, "two-of-three", "#!/bin/sh\n"
                                  '[ "$RP_INSTANCE" = 2 ] && exec tail -f /dev/null\n'
                                  f'exec {services.V2} "$@"\n')
        self.check_one_bad(program, ("--ready-timeout", "2s"), "not ready within 2 s: 2 of 3 processes are")

    def test_one_exits(self):
        """The others are ready by then or not: they go with it."""
        program = services.script(self.box, "one-dies", "#!/bin/sh\n"
                                  '[ "$RP_INSTANCE" = 3 ] && exit 9\n'
                                  f'exec {services.V2} "$@"\n')
        self.check_one_bad(program, (), "exit status 9")

    def test_one_is_unhealthy(self):
        """Every listener is probed, so that one bad process is not hidden by good ones."""
        program = services.script(self.box, "one-is-sick", "#!/bin/sh\n"
                                  '[ "$RP_INSTANCE" = 2 ] && set -- "$@" --fail-health\n'
                                  f'exec {services.V2} "$@"\n')
        self.check_one_bad(program, ("--ready-timeout", "2s"), "500")

    def test_one_that_stands_still_while_it_begins_to_listen(self):
        """It is not taken for a server that says nothing, which is ready when it has listened long enough."""
        self.start("--bake", "0")
        upgrade = self.box.operation("upgrade", "--env", f"LD_PRELOAD={STOP_AT_LISTEN}", "--env", PRELOADED, services.V2)
        (pid,) = upgrade.until_phase("launch", "end")["pid"]
        harness.wait_until(lambda: services.process_state(pid) == "T", "it stands still")
        self.assertEqual(len(self.listener_inodes()), 3)
        harness.let_pass(LOOKS_SECONDS)
        self.assertEqual(self.box.status()["operation"]["phase"], "ready")
        os.kill(pid, signal.SIGCONT)
        self.assert_code(upgrade.finish(), 0)
        self.assertEqual(self.generation(2)["listeners"], 2)
        self.stop()


if __name__ == "__main__":
    harness.main()
