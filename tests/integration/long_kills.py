"""The long form of test_kills.py, started by tests/long.sh: a line for each kill, and a table with one row per victim."""

import os
import random

import harness
import kills

COUNT = int(os.environ.get("RP_LONG_KILLS", "200"))  # at random instants, of each victim
CLIENTS = int(os.environ.get("RP_LONG_KILLS_CLIENTS", "64"))  # of each kind
SEED = os.environ.get("RP_KILLS_SEED") or str(random.SystemRandom().randrange(1 << 32))


def show(record):
    print(f"{record.number}: {record.kill.victim} {record.kill.when}, bake {record.kill.bake}"
          f"{', held' if record.kill.holds else ''}{'' if record.hit else ', missed'}: exit {record.code}, {record.seconds:.2f} s", flush=True)


class LongKillsTest(harness.Case):
    def run_shape(self, shape):
        print(f"RP_KILLS_SEED={SEED}", flush=True)
        dice = random.Random(f"{SEED} {shape.name}")
        service = kills.Service(self, shape, CLIENTS)
        service.start()
        total = service.run(kills.at_boundaries(shape) + kills.at_random(dice, shape, COUNT), dice, show)["total"]
        print(f"{shape.name}: {total['answers']} answers, {total['failed']} failed\n{kills.table(service.records)}", flush=True)
        service.check_complaints()
        service.stop()


def add_tests():
    for shape in kills.SHAPES:
        def test(self, shape=shape):
            self.run_shape(shape)

        setattr(LongKillsTest, f"test_{shape.name}", test)


if __name__ == "__main__":
    add_tests()
    harness.main()
