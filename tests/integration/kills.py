"""Upgrades under load in each of which one of those who take part is killed: at a phase boundary, or at any instant.

For the suite (test_kills.py) and for the long form (long_kills.py). Victims are the client; the supervisor; a process
of the new generation; one of several processes of the serving one; the only process of the old one. Whoever it was, at
most one command later one clean generation serves. Where client or supervisor were killed no request is lost; else
those that the process had. The seed decides what is chosen. Requests that begin between the start of an upgrade and
its end are booked on the window "k<number>", all others on "calm".
"""

import collections
import contextlib
import dataclasses
import itertools
import os
import random
import signal
import statistics
import time

import control
import harness
import random_upgrades
import services
import torture

PHASES = ("launch", "ready", "health", "shift", "bake", "quiesce", "drain")
MEASURED = 5  # upgrades, for their length
CALM_ANSWERS = 60
WORKERS = 2
FAST = ("--health-interval", "10ms")
BAKES = ("0", "60ms")
HOLD_PART = 1 / 4  # of the upgrades: the old generation has a download to finish, and drains until after the kill
NO_SERVER = ("client", "supervisor")  # killing one of these loses nothing


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    hosts: tuple
    instances: int
    victims: tuple


SHAPES = (Shape("one address, two instances", ("127.0.0.1",), 2, (*NO_SERVER, "new", "worker")),
          Shape("two addresses, one instance", ("127.0.0.1", "::1"), 1, (*NO_SERVER, "new", "old")))


@dataclasses.dataclass(frozen=True)
class Kill:
    """Of whom, and when: at the begin of a phase, or after a part of an upgrade's length."""

    victim: str
    phase: str = ""
    part: float = 0.0
    bake: str = BAKES[0]
    holds: bool = False

    @property
    def when(self):
        return self.phase or f"at {self.part:.3f}"


def at_boundaries(shape):
    return [Kill(victim, phase=phase, bake=BAKES[phase == "bake"]) for victim in shape.victims for phase in PHASES]


def at_random(seed, shape, count):
    """So many of each victim over all shapes that have it."""
    dice = random.Random(f"{seed} {shape.name}")
    shares = collections.Counter(victim for other in SHAPES for victim in other.victims)
    kills = [Kill(victim, part=dice.random(), bake=dice.choice(BAKES), holds=dice.random() < HOLD_PART)
             for victim in shape.victims for _ in range(count // shares[victim])]
    dice.shuffle(kills)
    return kills


@dataclasses.dataclass
class Record:
    number: int
    kill: Kill
    code: int = None
    command: str = ""  # that was needed
    lost: int = 0
    failures: dict = dataclasses.field(default_factory=dict)
    slowest_us: int = 0
    seconds: float = 0.0


class Service:
    """One service of one shape in a box, upgraded again and again."""

    def __init__(self, case, shape, clients):
        self.case, self.box, self.shape, self.clients = case, case.box, shape, clients
        self.port = self.box.port(*shape.hosts)
        self.addresses = [harness.format_address(host, self.port) for host in shape.hosts]
        self.binaries = itertools.cycle((services.V2, services.V1))
        self.records = []
        self.lengths = {}

    # ---- commands ----

    def words(self, command, bake, binary):
        words = [command, "--bake", bake, *FAST, "--instances", self.shape.instances, binary, "--workers", WORKERS]
        for address in self.addresses:
            words += ["--listen", address]
        return words

    def start(self):
        self.case.assert_code(self.box.rpctl(*self.words("start", BAKES[0], services.V1)), 0)
        self.supervisor = self.status()["supervisor"]["pid"]
        self.descriptors = harness.descriptor_count(self.supervisor)

    def stop(self):
        self.case.assert_code(self.box.rpctl("stop"), 0)
        harness.wait_gone(self.supervisor)
        self.reap_orphans()
        self.case.assertEqual(len(services.listener_inodes(self.port)), 0)

    def status(self):
        return control.answer(self.box, "status")

    def pids(self):
        return [i["pid"] for i in self.status()["generations"][0]["instances"]]

    def measure(self):
        """How long an upgrade takes of which nobody is killed."""
        for bake in BAKES:
            times = []
            for _ in range(MEASURED):
                begun = time.monotonic()
                self.case.assert_code(self.box.rpctl(*self.words("upgrade", bake, next(self.binaries))), 0)
                times.append(time.monotonic() - begun)
            self.lengths[bake] = statistics.mean(times)

    # ---- one kill ----

    def one(self, number, kill):
        record = Record(number, kill)
        self.records.append(record)
        old = self.pids()
        begun = time.monotonic()
        with self.download(kill) as download:
            operation = self.box.operation(*self.words("upgrade", kill.bake, next(self.binaries)))
            run = Run(operation, begun + kill.part * self.lengths[kill.bake])
            run.until(kill)
            self.strike(kill, run, old)
            if download and kill.victim != "old" and kill.victim != "worker":
                self.case.assertTrue(download.is_whole(), f"{record}: the download was cut")
        record.code = run.finish()
        if kill.victim == "client":
            collections.deque(control.events(self.box, "follow"), 0)
        self.recover(record)
        record.seconds = time.monotonic() - begun
        self.check_clean(record)

    def download(self, kill):
        return services.Download(self.port) if kill.holds else contextlib.nullcontext()

    def strike(self, kill, run, old):
        """Who is gone already cannot be killed any more: that is an upgrade like any other then."""
        pid = {"client": run.operation.pid, "supervisor": self.supervisor, "old": old[0], "worker": old[0]}.get(kill.victim)
        if kill.victim == "new":
            run.until_launched()
            pid = run.pids[0] if run.pids else None
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
        if kill.victim == "supervisor":
            harness.wait_gone(self.supervisor)
            self.reap_orphans()

    def recover(self, record):
        """One command at most."""
        if record.kill.victim == "supervisor":
            record.command = "start"
            self.case.assert_code(self.box.rpctl(*self.words("start", BAKES[0], services.V1)), 0)
            self.supervisor = self.status()["supervisor"]["pid"]
        elif not self.comes_to_rest():
            record.command = "upgrade"
            self.case.assert_code(self.box.rpctl(*self.words("upgrade", BAKES[0], next(self.binaries))), 0)

    def comes_to_rest(self):
        with contextlib.suppress(harness.Timeout):
            return harness.wait_until(self.is_at_rest, "it comes to rest by itself")
        return False

    def is_at_rest(self):
        status = self.status()
        return ("operation" not in status and len(status["generations"]) == 1 and status["generations"][0]["state"] == "serving"
                and all(i["state"] == "ready" for i in status["generations"][0]["instances"]))

    # ---- afterwards ----

    def check_clean(self, record):
        """One generation with its processes, listeners and descriptors is all there is, and `status` says so."""
        try:
            harness.wait_until(lambda: not self.dirt(), "all is clean")
        except harness.Timeout as timeout:
            self.case.fail(f"{record}: {timeout}: {self.dirt()}")

    def dirt(self):
        """What is not as it should be; the processes may still be ending."""
        self.reap_orphans()
        status = self.status()
        found = [f"generation {g['generation']} is {g['state']}" for g in status["generations"][1:]]
        serving = status["generations"][0]
        found += [f"an operation {status['operation']}"] if "operation" in status else []
        found += self.compare("processes", sorted(self.servers()), sorted(i["pid"] for i in serving["instances"]))
        found += self.compare("states", {i["state"] for i in serving["instances"]} | {serving["state"]}, {"ready", "serving"})
        found += self.compare("listeners", len(services.listener_inodes(self.port)), self.listeners())
        found += self.compare("listeners by status", serving["listeners"], self.listeners())
        found += self.compare("zombies", random_upgrades.zombies(self.supervisor), [])
        descriptors = harness.descriptor_count(self.supervisor)
        found += [f"{descriptors} descriptors, {self.descriptors} before"] if descriptors > self.descriptors else []
        return found

    @staticmethod
    def compare(what, found, expected):
        return [] if found == expected else [f"{what}: {found}, not {expected}"]

    def listeners(self):
        return WORKERS * self.shape.instances * len(self.addresses)

    def servers(self):
        return [pid for pid in harness.processes_with(f"RPCTL_DIR={self.box.rpctl_dir}")
                if pid != self.supervisor and b"RP_GENERATION=" in environ(pid)]

    def reap_orphans(self):
        """In a PID namespace this process is the parent of those whose supervisor is gone."""
        for pid in torture.children(os.getpid()) - {child.pid for child in self.box.children}:
            os.waitpid(pid, os.WNOHANG)

    # ---- the whole ----

    def run(self, kills, shown=None):
        self.measure()
        with self.box.load(*self.addresses, fresh=self.clients, keep_alive=self.clients) as load:
            for number, kill in enumerate(kills, 1):
                load.mark("calm")
                load.answers(CALM_ANSWERS)
                load.mark(f"k{number}")
                self.one(number, kill)
                if shown:
                    shown(self.records[-1])
            load.mark("calm")
            load.answers(CALM_ANSWERS)
            result = load.stop()
        for record in self.records:
            window = load.window(f"k{record.number}")
            record.lost, record.slowest_us = window["failed"], window["latency_us"]["max"]
            record.failures = {kind: count for kind, count in window["failures"].items() if count}
        self.calm = load.window("calm")
        self.details = load.details()
        return result

    def complaints(self):
        for record in self.records:
            if record.lost > self.bound(record.kill):
                yield f"{record.lost} requests failed, {self.bound(record.kill)} may: {record}"
            if set(record.failures) - random_upgrades.ENDED_BY_THE_KERNEL:
                yield f"failures of another kind than a dying process makes: {record}"
        if self.calm["failed"]:
            yield f"{self.calm['failed']} requests failed while nothing was under way: {self.calm['failures']}"

    def bound(self, kill):
        """A client has one request under way in the process that dies; it may send another one to its listeners
        before traffic is steered away from them."""
        return 0 if kill.victim in NO_SERVER else 2 * 2 * self.clients

    def check_complaints(self):
        found = list(self.complaints())
        self.case.assertEqual(len(found), 0, "\n".join([*found[:random_upgrades.COMPLAINTS_SHOWN], self.details]))


class Run:
    """One upgrade under way, up to the moment of the kill."""

    def __init__(self, operation, instant):
        self.operation, self.instant = operation, instant
        self.pids = []
        self.over = False

    def next_event(self, timeout=harness.DEADLINE):
        event = None if self.over else self.operation.next_event(timeout)
        self.over = event is None
        if event and event["event"] == "phase" and (event["phase"], event["state"]) == ("launch", "end"):
            self.pids = event["pid"]
        return event

    def until(self, kill):
        if not kill.phase:
            self.until_instant()
        while kill.phase and (event := self.next_event()):
            if event["event"] == "phase" and (event["phase"], event["state"]) == (kill.phase, "begin"):
                return

    def until_instant(self):
        with contextlib.suppress(harness.Timeout):
            while (left := self.instant - time.monotonic()) > 0 and self.next_event(left):
                pass

    def until_launched(self):
        while not self.pids and self.next_event():
            pass

    def finish(self):
        while self.next_event():
            pass
        with self.operation.child.stdout:
            return self.operation.child.wait(harness.DEADLINE)


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


# ---- what it came to ----

HEADINGS = ("victim", "kills", "exit codes", "commands", "lost", "lost at most", "kinds", "longest", "slowest answer")


def table(records):
    kinds = collections.defaultdict(list)
    for record in records:
        kinds[record.kill.victim].append(record)
    rows = [HEADINGS, *(row(victim, found) for victim, found in kinds.items())]
    widths = [max(len(line[i]) for line in rows) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in rows)


def tally(values):
    return ", ".join(f"{value}: {count}" for value, count in sorted(collections.Counter(values).items()))


def row(victim, records):
    failures = sum((collections.Counter(record.failures) for record in records), collections.Counter())
    return (victim, str(len(records)), tally(record.code for record in records),
            tally(record.command or "none" for record in records), str(sum(record.lost for record in records)),
            str(max(record.lost for record in records)), ", ".join(f"{k}: {n}" for k, n in sorted(failures.items())) or "-",
            f"{max(record.seconds for record in records):.2f} s",
            harness.milliseconds(max(record.slowest_us for record in records)))
