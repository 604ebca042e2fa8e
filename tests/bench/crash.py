"""What it costs that a server is killed; started by tests/bench/crash.sh.

A kill: SIGKILL to one process (or to all) of the generation that serves, under 64 clients that connect anew for every
request. Its time is that from just before the signal to the last byte of the first answer of the process that is
launched in its place, by the clock of the client that got it. Each kill has a service of its own, so that every process
is launched again without a pause.

What was killed had accepted some requests: those are lost with it. No connection may be refused, and none may be left
without an answer.
"""

import os
import pathlib
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import figures  # noqa: E402
import harness  # noqa: E402
import machine  # noqa: E402
import services  # noqa: E402

KILLS = int(os.environ.get("RP_BENCH_KILLS", "30"))
CLIENTS = 64
KILLED = ("eof_sent", "reset_sent")  # the requests that a killed process had accepted
HEADINGS = ("killed", "kills", "median", "p90", "slowest", "requests", "lost", "of them refused", "slowest answer")


class Benchmark(services.ServiceCase):
    def pids(self):
        return {i[0] for i in self.instances(1)}

    def is_whole(self, count):
        found = self.instances(1)
        return len(found) == count and all(i[1] == "ready" for i in found) and found

    def kill(self, load, instances, victims):
        """Milliseconds to the first answer of a process that was launched in the place of one of the victims."""
        before = [i[0] for i in self.instances(1)]
        begun = time.monotonic_ns()
        for pid in before[:victims]:
            os.kill(pid, signal.SIGKILL)
        _, at = load.first_answer(*self.known)
        harness.wait_until(lambda: self.is_whole(instances), "all are ready again")
        self.known |= self.pids()
        return (at - begun) / 1e6

    def round(self, instances, victims):
        self.start("--instances", str(instances))
        self.known = self.pids()
        with self.load(fresh=CLIENTS) as load:
            load.answers(1000)
            spent = self.kill(load, instances, victims)
            load.answers(1000)
            total = load.stop()["total"]
        self.stop()
        return spent, total

    def measure(self, name, instances, victims):
        before = machine.times()
        spent, totals = zip(*(self.round(instances, victims) for _ in range(KILLS)))
        use = machine.use(before, machine.times())
        failures = {kind: sum(total["failures"][kind] for total in totals) for kind in totals[0]["failures"]}
        row = (name, KILLS, *(f"{value:.1f} ms" for value in (figures.median(spent), figures.quantile(spent, 0.9), max(spent))),
               sum(total["answers"] + total["failed"] for total in totals), sum(failures.values()), failures["refused"],
               harness.milliseconds(max(total["latency_us"]["max"] for total in totals)))
        print(f"\n### {name}\n", figures.table(HEADINGS, [row]), "",
              f"Lost, by kind: {', '.join(f'{kind} {count}' for kind, count in failures.items() if count) or 'none'}. "
              f"Machine {use.idle:.0%} idle; other programs used {use.disturbed:.0%} of it.", sep="\n", flush=True)
        self.assertEqual({kind: count for kind, count in failures.items() if count and kind not in KILLED}, {})
        self.assertLessEqual(sum(failures.values()), KILLS * CLIENTS)

    def test_1_alone(self):
        self.measure("the only process", 1, 1)

    def test_2_one_of_three(self):
        self.measure("one of three", 3, 1)

    def test_3_all_of_three(self):
        self.measure("all of three", 3, 3)


if __name__ == "__main__":
    harness.main(machine.program())
