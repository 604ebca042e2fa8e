"""The long form of test_random_upgrades.py, started by tests/long.sh: a table with one row per kind of release."""

import os
import random

import harness
import random_upgrades

COUNT = int(os.environ.get("RP_LONG_RANDOM", "500"))
CLIENTS = 32  # of each kind
SEED = os.environ.get("RP_RANDOM_SEED") or str(random.SystemRandom().randrange(1 << 32))


class LongRandomTest(harness.Case):
    def run_shape(self, shape):
        print(f"RP_RANDOM_SEED={SEED}", flush=True)
        service = random_upgrades.Service(self, shape, CLIENTS)
        service.start()
        result = service.run(random_upgrades.plan(SEED, shape, COUNT))
        print(f"{shape.name}: {random_upgrades.summary(service, result)}\n{random_upgrades.table(service.records)}", flush=True)
        service.check_complaints()
        service.check_memory()
        service.stop()


def add_tests():
    for shape in random_upgrades.SHAPES:
        def test(self, shape=shape):
            self.run_shape(shape)

        setattr(LongRandomTest, f"test_{shape.name}", test)


if __name__ == "__main__":
    add_tests()
    harness.main()
