"""Whoever is killed in an upgrade under load, at a phase boundary or at any instant: no request is lost but those that a
killed server had, and one command brings back a clean service. RP_KILLS_SEED repeats a run."""

import os
import random

import harness
import kills

SEED = os.environ.get("RP_KILLS_SEED") or str(random.SystemRandom().randrange(1 << 32))
COUNT = 2 if harness.SANITIZED else 6  # at random instants, of each victim
CLIENTS = 4 if harness.SANITIZED else 8  # of each kind


class KillsTest(harness.Case):
    def check(self, shape, planned):
        service = kills.Service(self, shape, CLIENTS)
        service.start()
        result = service.run(planned)
        total = result["total"]
        harness.figure(f"kills, {shape.name}: {len(planned)}; {total['answers']} answers, {total['failed']} failed\n"
                       f"{kills.table(service.records)}")
        service.check_complaints()
        service.stop()

    def at_boundaries(self, shape):
        """Under sanitizers a part of them, another one each time."""
        planned = kills.at_boundaries(shape)
        self.check(shape, random.sample(planned, len(planned) // 4) if harness.SANITIZED else planned)

    def at_random(self, shape):
        print(f"RP_KILLS_SEED={SEED}", flush=True)
        self.check(shape, kills.at_random(SEED, shape, COUNT))

    def test_at_boundaries_of_two_instances(self):
        self.at_boundaries(kills.SHAPES[0])

    def test_at_boundaries_on_two_addresses(self):
        self.at_boundaries(kills.SHAPES[1])

    def test_at_random_of_two_instances(self):
        self.at_random(kills.SHAPES[0])

    def test_at_random_on_two_addresses(self):
        self.at_random(kills.SHAPES[1])


if __name__ == "__main__":
    harness.main()
