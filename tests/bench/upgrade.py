"""What an upgrade costs, in time and to those who are being served; started by tests/bench/upgrade.sh.

Phases: the milliseconds of each phase as the supervisor reports them, without traffic.

Latency: rounds of two seconds under one unbroken load, first a steady one, then one in which an upgrade takes place.
A round's ratio is the p99 of the requests begun in the second by that of those begun in the first. Two steady
seconds that follow each other give the same figure for no upgrade at all: that much is noise.

By phase: the same load, requests booked on the phase in which they began, all upgrades together.

Measurements during which others used the machine are made again, up to a limit; see machine.py.
"""

import dataclasses
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import figures  # noqa: E402
import harness  # noqa: E402
import machine  # noqa: E402
import upgrades  # noqa: E402

UPGRADES = int(os.environ.get("RP_BENCH_UPGRADES", "60"))  # without traffic, of each shape
ROUNDS = int(os.environ.get("RP_BENCH_ROUNDS", "30"))  # under each load
BATCH = 10  # upgrades between two looks at the processors, whose clock is coarse
SECOND = 1.0
CALM = 0.05  # of the machine: more than this used by others, and the measurement is made again
CALM_LOOK = 0.5  # seconds
PATIENCE = float(os.environ.get("RP_BENCH_PATIENCE", "300"))  # seconds for one table or load, waiting for calm included

PHASES = ("pin", "launch", "ready", "health", "shift", "bake", "quiesce", "drain", "close")
OPTIONS = ("--bake", "0", "--health-count", "1")
LOADED_SHAPE = upgrades.Shape("2->2", 2, 2)
THINK = "10-30ms"

# Requests in the upgrade second are booked on these, by the phase events as they arrive.
STRETCHES = {("phase", "quiesce", "begin"): "quiesce", ("phase", "drain", "begin"): "drain",
             ("phase", "close", "begin"): "close", ("result", None, None): "rest of the second"}
FIRST_STRETCH = "pin to shift"
STEADY = "steady second before"


@dataclasses.dataclass(frozen=True)
class Clients:
    name: str
    fresh: int
    keep_alive: int


BOTH = Clients("both", 1, 32)

@dataclasses.dataclass(frozen=True)
class Gathered:
    results: list
    disturbed: int  # of them; not 0 only when there were too few others
    left_out: int

    def describe(self, what):
        if self.disturbed:
            return f"{len(self.results)} {what}, {self.disturbed} of them DISTURBED by other programs: repeat it."
        return f"{len(self.results)} {what}, none disturbed by other programs ({self.left_out} others left out)."


def wait_for_calm(end):
    """Returns when others leave the machine alone, or at `end`."""
    while time.monotonic() < end:
        before = machine.times()
        harness.let_pass(CALM_LOOK)
        if machine.use(before, machine.times()).disturbed <= CALM:
            return


def gather(measure, wanted):
    """Calls measure() -> (result, part of the machine that others used) until `wanted` were calm.

    When patience is at an end and there are fewer, disturbed ones fill up.
    """
    calm, others = [], []
    end = time.monotonic() + PATIENCE
    while len(calm) < wanted and (time.monotonic() < end or len(calm) + len(others) < wanted):
        wait_for_calm(end)
        result, disturbed = measure()
        (calm if disturbed <= CALM else others).append(result)
    fill = others[len(others) - (wanted - len(calm)):] if len(calm) < wanted else []
    return Gathered(calm + fill, len(fill), len(others) - len(fill))


class PhaseTimes:
    """The upgrades of one shape without traffic."""

    def __init__(self, case, shape):
        self.case = case
        self.service = upgrades.Upgrades(case, shape, options=OPTIONS)

    def _one(self):
        begun = time.monotonic()
        outcome = self.service.upgrade()
        wall_ms = (time.monotonic() - begun) * 1000
        self.case.assert_code(outcome, 0)
        found = {e["phase"]: e["ms"] for e in outcome.events if e["event"] == "phase" and e["state"] == "end"}
        return {**found, "sum": sum(found.values()), "operation": outcome.result["ms"], "command": wall_ms}

    def _batch(self):
        before = machine.times()
        batch = [self._one() for _ in range(BATCH)]
        return batch, machine.use(before, machine.times()).disturbed

    def measure(self):
        self.service.start()
        gathered = gather(self._batch, -(-UPGRADES // BATCH))
        self.service.stop()
        return gathered


def phase_table(samples):
    rows = []
    for name in (*PHASES, "sum", "operation", "command"):
        values = [sample[name] for sample in samples]
        rows.append((name, *(f"{value:.2f}" for value in (figures.median(values), figures.quantile(values, 0.9),
                                                          max(values)))))
    return figures.table(("phase, ms", "median", "p90", "max"), rows)


class Rounds:
    """Steady seconds and upgrade seconds in turn under one load."""

    def __init__(self, service, clients):
        self.service, self.case, self.clients = service, service.case, clients
        self.uses = []
        self.count = 0
        self.load = None

    def __enter__(self):
        self.load = self.case.box.load(*self.service.connects(), fresh=self.clients.fresh,
                                       keep_alive=self.clients.keep_alive, options=("--think", THINK))
        self.load.__enter__()
        return self

    def __exit__(self, *problem):
        self.load.__exit__(*problem)

    def steady(self, name):
        before = machine.times()
        self.load.mark(name)
        harness.let_pass(SECOND)
        return machine.use(before, machine.times())

    def upgrade(self, name):
        """Returns how long the upgrade itself took; the second is filled up."""
        self.load.mark(name)
        begun = time.monotonic()
        self.case.assert_code(self.service.upgrade(), 0)
        spent = time.monotonic() - begun
        harness.let_pass(max(0.0, SECOND - spent))
        return spent

    def round(self):
        """The number of the round, and how much of it belonged to others."""
        self.count += 1
        before = machine.times()
        steady = self.steady(f"steady {self.count}")
        spent = self.upgrade(f"upgrade {self.count}")
        self.steady(f"after {self.count}")
        disturbed = machine.use(before, machine.times()).disturbed
        return (self.count, steady, spent), disturbed

    def latency(self, kind, number):
        return self.load.window(f"{kind} {number}")["latency_us"]

    def ratio(self, kind, number, figure):
        return self.latency(kind, number)[figure] / max(self.latency("steady", number)[figure], 1)


def ratio_rows(rounds, numbers):
    """One row for each figure: both seconds, the ratio, and the ratio of two steady seconds."""
    rows = []
    for figure, name in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9"), ("max", "slowest")):
        times = [harness.milliseconds(figures.median([rounds.latency(kind, n)[figure] for n in numbers]))
                 for kind in ("steady", "upgrade")]
        ratios = [figures.spread([rounds.ratio(kind, n, figure) for n in numbers]) for kind in ("upgrade", "after")]
        rows.append((name, *times, *ratios[0], *ratios[1]))
    return rows


RATIO_HEADINGS = ("figure", "steady", "upgrade", "ratio", "p10 – p90", "ratio without upgrade", "p10 – p90")


class ByPhase:
    """Upgrades under a load with the requests booked by phase."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.names = [STEADY, FIRST_STRETCH, *STRETCHES.values()]

    def _key(self, event):
        return event["event"], event.get("phase"), event.get("state")

    def _upgrade(self):
        service, load = self.rounds.service, self.rounds.load
        load.mark(FIRST_STRETCH)
        begun = time.monotonic()
        service.generation += 1
        release = service.release("v2" if service.generation % 2 == 0 else "v1")
        operation = service.box.operation("upgrade", *service.options, *release)
        while (event := operation.next_event()) is not None:
            if self._key(event) in STRETCHES:
                load.mark(STRETCHES[self._key(event)])
        self.rounds.case.assert_code(operation.finish(), 0)
        harness.let_pass(max(0.0, SECOND - (time.monotonic() - begun)))

    def measure(self, count):
        """Returns the use of the machine in the upgrade seconds."""
        uses = []
        end = time.monotonic() + PATIENCE
        for _ in range(count):
            wait_for_calm(end)
            self.rounds.steady(STEADY)
            before = machine.times()
            self._upgrade()
            uses.append(machine.use(before, machine.times()))
            self.rounds.load.mark("unused")
        return machine.mean_use(uses)

    def rows(self, count):
        rows = []
        for name in self.names:
            window = self.rounds.load.window(name)
            latency = window["latency_us"]
            rows.append((name, f"{window['open_ms'] / count:.1f}", window["answers"],
                         *(harness.milliseconds(latency[figure]) for figure in ("p50", "p99", "p999", "max"))))
        return rows


PHASE_HEADINGS = ("begun in", "ms each", "requests", "p50", "p99", "p99.9", "slowest")


class Benchmark(harness.Case):
    def tell(self, *lines):
        print(*lines, sep="\n", flush=True)

    def measure_phases(self, shape):
        gathered = PhaseTimes(self, shape).measure()
        samples = [sample for batch in gathered.results for sample in batch]
        self.tell(f"\n### Phases without traffic, workers {shape.name}\n", phase_table(samples), "",
                  gathered.describe(f"batches of {BATCH} upgrades"))

    def test_1_phases_1(self):
        self.measure_phases(upgrades.Shape("1->1", 1, 1))

    def test_1_phases_2(self):
        self.measure_phases(upgrades.Shape("2->2", 2, 2))

    def test_1_phases_4(self):
        self.measure_phases(upgrades.Shape("4->4", 4, 4))

    def measure_load(self, clients):
        service = upgrades.Upgrades(self, LOADED_SHAPE, options=OPTIONS)
        service.start()
        with Rounds(service, clients) as rounds:
            gathered = gather(rounds.round, ROUNDS)
            total = rounds.load.stop()["total"]
        service.stop()
        numbers, uses, spent = zip(*gathered.results)
        answers = figures.median([rounds.load.window(f"steady {number}")["answers"] for number in numbers])
        self.tell(f"\n### Requests in the second of the upgrade, workers {LOADED_SHAPE.name}, clients: {clients.name}\n",
                  figures.table(RATIO_HEADINGS, ratio_rows(rounds, numbers)), "",
                  f"{clients.fresh} fresh and {clients.keep_alive} keep-alive clients (thinking {THINK}), {answers:.0f} "
                  f"requests in a steady second, machine {machine.mean_use(uses).idle:.0%} idle in it. "
                  f"`rpctl upgrade` took {figures.median(spent) * 1000:.0f} ms (median). "
                  f"{total['answers']} requests in all, {total['failed']} failed. {gathered.describe('rounds')}")
        self.assert_spotless(rounds.load)

    def test_2_latency_fresh(self):
        self.measure_load(Clients("connecting anew", 1, 0))

    def test_2_latency_keep_alive(self):
        self.measure_load(Clients("keep-alive", 0, 32))

    def test_2_latency_both(self):
        self.measure_load(BOTH)

    def test_3_where_slow(self):
        service = upgrades.Upgrades(self, LOADED_SHAPE, options=OPTIONS)
        service.start()
        with Rounds(service, BOTH) as rounds:
            phases = ByPhase(rounds)
            use = phases.measure(ROUNDS)
            rounds.load.stop()
        service.stop()
        self.tell(f"\n### Where the slow requests begin, clients: {BOTH.name}, {ROUNDS} upgrades\n",
                  figures.table(PHASE_HEADINGS, phases.rows(ROUNDS)), "",
                  f"Machine {use.idle:.0%} idle in the upgrade seconds; other programs used {use.disturbed:.0%} of it.")
        self.assert_spotless(rounds.load)


if __name__ == "__main__":
    harness.main(machine.program())
