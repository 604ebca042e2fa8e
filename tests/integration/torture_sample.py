"""A sample of the places at which a call of the supervisor can fail, another one in each run, or that of RP_TORTURE_SEED.

A request that is lost is told with the fault that was tried when it was begun.
"""

import os
import random

import harness
import torture

RARE = 2  # calls of one function in an operation: each of them fails


class SampleCase(harness.Case):
    """Which of the many, is printed."""

    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("RP_TORTURE_SEED") or random.SystemRandom().randrange(1 << 32))
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
            run.mark = load.mark
            work(run, what, kind)
            run.upgrade()
            total = self.assert_spotless(load)["total"]
        run.figure(scenario, kind, f"; {total['answers']} answers, {total['failed']} requests failed")
        run.stop()
