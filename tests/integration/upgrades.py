"""Upgrades in a row under load, for the suite (test_upgrade.py) and for the long form (long_upgrades.py).

A shape says what old and new look like: workers, and with them listeners, and addresses. Server-v1 and server-v2
take turns. Requests that begin while `rpctl upgrade` runs are booked on the window "upgrade", all others on
"steady".
"""

import dataclasses
import time

import harness

STEADY_ANSWERS = 2000  # before the first upgrade
CALM_ANSWERS = 200  # between two upgrades


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    old_workers: int
    new_workers: int
    listen: tuple = ("127.0.0.1",)
    connect: tuple = ("127.0.0.1",)

    def workers(self, version):
        return self.old_workers if version == "v1" else self.new_workers


SHAPES = (
    Shape("1->1", 1, 1),
    Shape("2->2", 2, 2),
    Shape("4->3", 4, 3),
    Shape("2->1", 2, 1),
    Shape("1->3", 1, 3),
    Shape("dual stack", 2, 2, listen=("::",), connect=("127.0.0.1", "::1")),
    Shape("two addresses", 2, 2, listen=("127.0.0.1", "::1"), connect=("127.0.0.1", "::1")),
)


@dataclasses.dataclass
class Figures:
    """What a run came to; times in microseconds but for `upgrade_ms`.

    "frozen ms" in the table: how long rp-load itself was not run by the machine. Where that is not about 0, the
    machine was too busy for the latencies to mean anything.
    """

    shape: str
    clients: str
    upgrades: int
    upgrade_ms: float  # mean
    result: dict  # of rp-load
    steady: dict
    upgrade: dict

    HEADINGS = ("shape", "clients", "upgrades", "answers", "failed", "idle closes", "ms each", "steady p99", "steady p99.9",
                "upgrade p99", "slowest", "frozen ms")

    def row(self):
        total, steady, upgrade = self.result["total"], self.steady["latency_us"], self.upgrade["latency_us"]
        times = (steady["p99"], steady["p999"], upgrade["p99"], upgrade["max"])
        return (self.shape, self.clients, str(self.upgrades), str(total["answers"]), str(total["failed"]),
                str(total["idle_closes"]), f"{self.upgrade_ms:.0f}", *(harness.milliseconds(value) for value in times),
                str(self.result["frozen_ms"]))


class Upgrades:
    """One service of one shape in a box."""

    def __init__(self, case, shape, program="rpctl", options=("--bake", "0")):
        self.case, self.box, self.shape = case, case.box, shape
        self.program, self.options = program, options
        self.port = self.box.port(*dict.fromkeys(shape.listen + shape.connect))
        self.generation = 0

    def release(self, version):
        words = [harness.BIN_DIR / f"server-{version}", "--workers", self.shape.workers(version)]
        for host in self.shape.listen:
            words += ["--listen", harness.format_address(host, self.port)]
        return words

    def rpctl(self, command, *words):
        return self.box.rpctl(command, *words, program=self.program)

    def start(self):
        self.case.assert_code(self.rpctl("start", *self.options, *self.release("v1")), 0)
        self.generation = 1

    def upgrade(self):
        self.generation += 1
        return self.rpctl("upgrade", *self.options, *self.release("v2" if self.generation % 2 == 0 else "v1"))

    def stop(self):
        self.case.assert_code(self.rpctl("stop"), 0)

    def connects(self):
        return [harness.format_address(host, self.port) for host in self.shape.connect]

    def run(self, count, fresh, keep_alive, after_each=None):
        """`count` upgrades under load, all of which must come to a good end; returns Figures."""
        spent = 0.0
        with self.box.load(*self.connects(), fresh=fresh, keep_alive=keep_alive) as load:
            load.mark("steady")
            load.answers(STEADY_ANSWERS)
            for done in range(1, count + 1):
                load.mark("upgrade")
                begun = time.monotonic()
                outcome = self.upgrade()
                spent += time.monotonic() - begun
                load.mark("steady")
                self.case.assert_code(outcome, 0)
                if after_each:
                    after_each(done)
                load.answers(CALM_ANSWERS)
            result = load.stop()
        self.details = load.details()
        return Figures(self.shape.name, f"{fresh}+{keep_alive}", count, spent * 1000 / count, result,
                       load.window("steady"), load.window("upgrade"))


def serving_instance(status):
    """The pid of the first process of the generation that serves."""
    serving = [g for g in status["generations"] if g["state"] == "serving"]
    return serving[-1]["instances"][0]["pid"]
