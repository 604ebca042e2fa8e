"""Good and bad upgrades at random, in the short form: nothing is lost but what a dying process had, and `status` is
true. RP_RANDOM_SEED repeats a run."""

import os
import random

import harness
import random_upgrades
import status_truth

SEED = os.environ.get("RP_RANDOM_SEED") or str(random.SystemRandom().randrange(1 << 32))
COUNT = 12 if harness.SANITIZED else 18  # of each shape
UNSTEERED = 10
CLIENTS = 4 if harness.SANITIZED else 8  # of each kind


class RandomTest(harness.Case):
    def check_shape(self, shape):
        print(f"RP_RANDOM_SEED={SEED}", flush=True)
        service = random_upgrades.Service(self, shape, CLIENTS)
        service.start()
        result = service.run(random_upgrades.plan(SEED, shape, COUNT))
        harness.figure(f"random, {shape.name}: {random_upgrades.summary(service, result)}")
        service.check_complaints()
        service.check_memory()
        service.stop()

    def test_one_address(self):
        self.check_shape(random_upgrades.SHAPES[0])

    def test_two_addresses(self):
        self.check_shape(random_upgrades.SHAPES[1])

    def test_without_steering_it_fails(self):
        """The same run of good ones, with an rpctl whose steering does nothing: else a pass would prove nothing."""
        options = ("--health", "none", "--witness", "off", "--quiesce-timeout", "100ms")
        service = random_upgrades.Service(self, random_upgrades.SHAPES[0], 4 * CLIENTS, "rpctl-unsteered", options)
        service.start()
        service.run([random_upgrades.Step(None, None)] * UNSTEERED)
        with self.assertRaisesRegex(AssertionError, "requests failed"):
            service.check_complaints()
        service.stop()


if __name__ == "__main__":
    harness.main()
