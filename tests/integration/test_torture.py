"""Whatever allocation or system call of the supervisor fails, the outcome is one of the documented ones, and it is true.

Each run takes others of the many; which, is printed. tests/torture.sh takes all of them.
"""

import random

import harness
import torture

RARE = 2  # calls of one function in an operation: each of them fails
PER_CALL = 1 if harness.SANITIZED else 2  # of a function that is called more often
STEP = 61 if harness.SANITIZED else 29  # between two allocations that fail
FOREIGN_STEP = 499 if harness.SANITIZED else 211
CRASH_STEP = 31 if harness.SANITIZED else 7
START_STEP = 97 if harness.SANITIZED else 37
STOP_STEP = 61 if harness.SANITIZED else 23


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
        return every if count <= RARE else sorted(self.random.sample(every, PER_CALL))

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
        self.under_load("upgrade", "memory", lambda run, *what: run.every(*what, self.offset(STEP), STEP))

    def test_calls(self):
        self.under_load("upgrade", "call", lambda run, *what: run.of_each_call(*what, self.choose))

    def test_foreign(self):
        for kind in torture.KINDS:
            self.under_load("foreign", kind, lambda run, *what: run.every(*what, self.offset(FOREIGN_STEP), FOREIGN_STEP))

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
