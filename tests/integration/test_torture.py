"""Whatever allocation or system call of the supervisor fails, the outcome is one of the documented ones, and it is true;
and whichever is the last it makes, the next supervisor has all in hand.

Each run takes others of the many; which, is printed. tests/torture.sh takes all of them.
"""

import os
import random
import signal

import harness
import torture

RARE = 2  # calls of one function in an operation: each of them fails
# Between two that fail.
MEMORY_STEP = 83 if harness.SANITIZED else 41
FOREIGN_STEP = 701 if harness.SANITIZED else 401
CRASH_STEP = 31 if harness.SANITIZED else 11
START_STEP = 97 if harness.SANITIZED else 59
TAKEOVER_STEP = 149 if harness.SANITIZED else 79
STOP_STEP = 61 if harness.SANITIZED else 31
SWEEP_CALLS = {"opendir", "readdir", "closedir", "open", "read", "close", "getsid", "pidfd_open", "pidfd_send_signal"}


class TortureTest(harness.Case):
    def setUp(self):
        super().setUp()
        seed = random.SystemRandom().randrange(1 << 32)
        self.random = random.Random(seed)
        print(f"seed {seed}", flush=True)

    def offset(self, step):
        first = self.random.randrange(step) + 1
        print(f"every {step}th from {first}", flush=True)
        return first

    def choose(self, count):
        """Which of the calls of one function fail."""
        every = range(1, count + 1)
        return every if count <= RARE else [self.random.choice(every)]

    def under_load(self, scenario, kind, work):
        run, what = torture.new(self, scenario)
        run.start()
        with run.load() as load:
            work(run, what, kind)
            run.upgrade()
            total = self.assert_spotless(load)["total"]
        run.figure(scenario, kind, f"; {total['answers']} answers, {total['failed']} requests failed")
        run.stop()

    def test_memory(self):
        self.under_load("upgrade", "memory", lambda run, *what: run.every(*what, self.offset(MEMORY_STEP), MEMORY_STEP))

    def test_calls(self):
        self.under_load("upgrade", "call", lambda run, *what: run.of_each_call(*what, self.choose))

    def test_foreign(self):
        for kind in torture.KINDS:
            self.under_load("foreign", kind, lambda run, *what: run.every(*what, self.offset(FOREIGN_STEP), FOREIGN_STEP))

    def test_leaving(self):
        self.under_load("leaving", "call", lambda run, *what: run.of_each_call(*what, self.choose, SWEEP_CALLS))

    def test_killed(self):
        """The supervisor, instead of one call of each function."""
        self.under_load("killed", "call", lambda run, *what: run.of_each_call(*what, self.choose))

    def test_killed_before_the_stop_signal(self):
        """The state says that the old generation drains, but it was not told: the next supervisor tells it."""
        run = torture.Torture(self)
        run.start()
        run.fail("killed", "call", 1, "pidfd_send_signal")
        log = self.box.rpctl_dir / f"default/log/generation-{run.generation - 1}.log"
        self.assertIn("event=drained", log.read_text())
        run.stop()

    def test_killed_in_a_takeover(self):
        self.under_load("takeover", "call", lambda run, *what: run.every(*what, self.offset(TAKEOVER_STEP), TAKEOVER_STEP))

    def every(self, scenario, step):
        run, what = torture.new(self, scenario)
        if what != "start":
            run.start()
        for kind in torture.KINDS:
            run.every(what, kind, self.offset(step), step)
            run.figure(scenario, kind)
        if what != "start":
            run.stop()

    def test_crash(self):
        self.every("crash", CRASH_STEP)

    def test_start(self):
        self.every("start", START_STEP)

    def test_stop(self):
        self.every("stop", STOP_STEP)

    def test_signals(self):
        """A process that could not be told to stop is told again: it drains, and is not killed at the deadline."""
        run = torture.Torture(self)
        run.start()
        for scenario in ("upgrade", "stop"):
            run.fail(scenario, "call", 1, "pidfd_send_signal")
        self.assertEqual([met.code for met in run.met], [0, 0])
        run.stop()

    def test_kill(self):
        """At the deadline it is killed, if need be in a second try."""
        run = torture.Torture(self)
        run.start()
        os.kill(run.instance()["pid"], signal.SIGSTOP)
        run.fail("stop", "call", 2, "pidfd_send_signal")
        self.assertEqual([met.code for met in run.met], [7])
        run.stop()

    def test_lost_listeners(self):
        """No room for the descriptors that the new release sends: that is no service with a listener too few."""
        run = torture.Torture(self)
        run.start()
        run.fail("upgrade", "call", 1, "recvmsg (descriptors)")
        [met] = run.met
        self.assertEqual(met.code, 1)
        self.assertRegex(met.reason, "descriptors sent by process .* were lost: too many open files")
        run.stop()


if __name__ == "__main__":
    harness.main()
