"""Upgrades under load in each of which one of those who take part is killed: at a phase boundary, or at any instant.

For the suite (test_kills.py) and for the long form (long_kills.py). Victims are the client; the supervisor; a process
of the new generation; one of several processes of the serving one; the only process of the old one. Whoever it was, at
most one command later one clean generation serves. Where client or supervisor were killed no request is lost; else
those that the process had (deaths.py). A kill that comes before the upgrade has begun or when it is over, or whose
victim is gone already, has missed, and is made again. The seed decides what is chosen. Requests that are under way at
some time between the start of an upgrade and its end are booked on the window "k<number>", all others on "calm".
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
import deaths
import harness
import random_upgrades
import services
import torture

PHASES = ("launch", "ready", "health", "shift", "bake", "quiesce", "drain")
MEASURED = 3  # upgrades, for their length
CALM_ANSWERS = 60
WORKERS = 2
FAST = ("--health-interval", "10ms")
BAKES = ("0", "60ms")
HOLD_PART = 1 / 4  # of the upgrades: the old generation has a download to finish, and drains until after the kill
NO_SERVER = ("client", "supervisor")  # killing one of these loses nothing
MISSED_PART = 1 / 2  # of the kills planned: so many may be made again


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


def at_random(dice, shape, count):
    """So many of each victim over all shapes that have it."""
    shares = collections.Counter(victim for other in SHAPES for victim in other.victims)
    kills = [Kill(victim, part=dice.random(), bake=dice.choice(BAKES), holds=dice.random() < HOLD_PART)
             for victim in shape.victims for _ in range(count // shares[victim])]
    dice.shuffle(kills)
    return kills


def again(dice, kill):
    """After a miss; an instant is drawn anew."""
    return kill if kill.phase else dataclasses.replace(kill, part=dice.random())


@dataclasses.dataclass
class Record:
    number: int
    kill: Kill
    code: int = None
    struck: bool = False  # the signal was sent, while the upgrade was under way
    hit: bool = False  # and the victim has died of it, in the upgrade
    death: deaths.Death = None  # where a server was to be killed
    command: str = ""  # that was needed
    lost: int = 0
    losses: list = dataclasses.field(default_factory=list, repr=False)
    failures: dict = dataclasses.field(default_factory=dict)
    slowest_us: int = 0
    seconds: float = 0.0


class Service:
    """One service of one shape in a box, upgraded again and again."""

    def __init__(self, case, shape, clients, options=FAST, path="/"):
        self.case, self.box, self.shape, self.clients = case, case.box, shape, clients
        self.options = (*options, *deaths.marked(self.box))
        self.asked = ("--path", path)
        self.supervisor_log = self.box.rpctl_dir / "default/log/supervisor.log"
        self.port = self.box.port(*shape.hosts)
        self.addresses = [harness.format_address(host, self.port) for host in shape.hosts]
        self.binaries = itertools.cycle((services.V2, services.V1))
        self.records = []
        self.lengths = {}
        self.orphans = {}  # {pid: status} of those that have ended

    # ---- commands ----

    def words(self, command, bake, binary):
        words = [command, "--bake", bake, *self.options, "--instances", self.shape.instances, binary, "--workers", WORKERS]
        for address in self.addresses:
            words += ["--listen", address]
        return words

    def start(self):
        self.case.assert_code(self.box.rpctl(*self.words("start", BAKES[0], services.V1)), 0)
        self.supervisor = self.status()["supervisor"]["pid"]
        self.descriptors = harness.idle_descriptor_count(self.supervisor)

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
        logged = self.supervisor_log.stat().st_size
        begun = time.monotonic()
        with self.download(kill) as download:
            operation = self.box.operation(*self.words("upgrade", kill.bake, next(self.binaries)))
            run = Run(operation, begun + kill.part * self.lengths.get(kill.bake, 0))
            run.until(kill)
            self.strike(record, run, old)
            if download and kill.victim != "old" and kill.victim != "worker":
                self.case.assertTrue(download.is_whole(), f"{record}: the download was cut")
        record.code = run.finish()
        if kill.victim == "client":
            collections.deque(control.events(self.box, "follow"), 0)
        self.recover(record)
        record.seconds = time.monotonic() - begun
        self.check_clean(record)
        self.judge(record, run, self.log_from(logged))

    def download(self, kill):
        return services.Download(self.port) if kill.holds else contextlib.nullcontext()

    def strike(self, record, run, old):
        victim = record.kill.victim
        pid = {"client": run.operation.pid, "supervisor": self.supervisor, "old": old[0], "worker": old[0]}.get(victim)
        if victim == "new":
            run.until_launched()
            pid = run.pids[0] if run.pids else None
        if run.is_over() or not pid:
            return
        if victim not in NO_SERVER:
            record.death = deaths.of_server(pid, victim == "new", old)
        record.struck = send_kill(pid) if victim in NO_SERVER or record.death else False
        if victim != "client":
            harness.wait_gone(pid)
        if record.death:
            record.death.gone_ns = time.monotonic_ns()
        if victim == "supervisor":
            self.reap_orphans()

    def judge(self, record, run, told):
        """Whether the kill has hit: who is ending by itself when the signal comes takes no notice of it. And without a
        client that has asked, or a supervisor that could be asked, there was no upgrade."""
        if record.kill.victim == "client":
            record.hit = record.code == -signal.SIGKILL and " rollout=" in told
        elif record.kill.victim == "supervisor":
            record.hit = record.struck and record.code != 5
        elif record.death:
            record.hit = self.was_killed(record.death.pid, told)
            record.death.follow(run.times, record.code, told)

    def was_killed(self, pid, told):
        """The parent knows: the supervisor, or this process where an earlier supervisor had launched it."""
        return self.orphans[pid] == signal.SIGKILL if pid in self.orphans else f'ended={pid} how="signal 9 ' in told

    def log_from(self, offset):
        with open(self.supervisor_log, "rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")

    def recover(self, record):
        """One command at most."""
        if record.kill.victim == "supervisor" and record.struck:
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
            self.orphans.update([os.waitpid(pid, os.WNOHANG)])

    # ---- the whole ----

    def run(self, kills, dice, shown=None):
        if any(not kill.phase for kill in kills):
            self.measure()
        with self.box.load(*self.addresses, fresh=self.clients, keep_alive=self.clients, options=self.asked) as load:
            self.missed = self.kill_all(load, kills, dice, shown)
            load.mark("calm")
            load.answers(CALM_ANSWERS)
            result = load.stop()
        for record in self.records:
            window = load.window(f"k{record.number}")
            record.lost, record.slowest_us = window["failed"], window["latency_us"]["max"]
            record.losses = window["losses"]
            record.failures = {kind: count for kind, count in window["failures"].items() if count}
        self.calm = load.window("calm")
        self.details = load.details()
        return result

    def kill_all(self, load, kills, dice, shown):
        """Until as many have hit as there are kills; returns those that have not."""
        planned, most = collections.deque(kills), round(len(kills) * (1 + MISSED_PART))
        while planned and len(self.records) < most:
            kill = planned.popleft()
            load.mark("calm")
            load.answers(CALM_ANSWERS)
            load.mark(f"k{len(self.records) + 1}")
            load.settle()
            self.one(len(self.records) + 1, kill)
            if not self.records[-1].hit:
                planned.append(again(dice, kill))
            if shown:
                shown(self.records[-1])
        return planned

    def complaints(self):
        for record in self.records:
            yield from self.complaints_about(record)
        for kill in self.missed:
            yield f"nobody could be killed, however often it was tried: {kill}"
        if self.calm["failed"]:
            yield f"{self.calm['failed']} requests failed while nothing was under way: {self.calm['failures']}"

    def complaints_about(self, record):
        """Of those that are lost with a server each must have been the dead one's.

        And a client can lose two at most: one that the process had, and one that stood in its queue. Who waits there
        sends no other before the queue is closed, and by then traffic has been steered away."""
        bound = 2 * 2 * self.clients if record.hit and record.death else 0
        if record.lost > bound:
            yield f"{record.lost} requests failed, {bound} may: {record}"
        elif record.lost:
            yield from (f"{objection}: {record}" for objection in record.death.objections(record.losses))

    def check_complaints(self):
        found = list(self.complaints())
        self.case.assertEqual(len(found), 0, "\n".join([*found[:random_upgrades.COMPLAINTS_SHOWN], self.details]))


class Run:
    """One upgrade under way, up to the moment of the kill."""

    def __init__(self, operation, instant):
        self.operation, self.instant = operation, instant
        self.pids = []
        self.times = {}  # of what has been told, in ns: {(phase, state)}, and ("result", "end")
        self.over = False

    def next_event(self, timeout=harness.DEADLINE):
        event = None if self.over else self.operation.next_event(timeout)
        self.over = event is None
        if event:
            self.note(event)
        return event

    def note(self, event):
        if event["event"] == "result":
            self.times["result", "end"] = time.monotonic_ns()
        elif event["event"] == "phase":
            self.times[event["phase"], event["state"]] = time.monotonic_ns()
            self.pids = event.get("pid", self.pids)

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

    def is_over(self):
        with contextlib.suppress(harness.Timeout):
            while self.next_event(0):
                pass
        return self.over or ("result", "end") in self.times

    def finish(self):
        while self.next_event():
            pass
        with self.operation.child.stdout:
            return self.operation.child.wait(harness.DEADLINE)


def send_kill(pid):
    """False where nobody has that pid any more."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


# ---- what it came to ----

HEADINGS = ("victim", "kills", "missed", "exit codes", "commands", "lost", "lost at most", "kinds", "longest", "slowest answer")


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
    hits = sum(record.hit for record in records)
    return (victim, str(hits), str(len(records) - hits), tally(record.code for record in records),
            tally(record.command or "none" for record in records), str(sum(record.lost for record in records)),
            str(max(record.lost for record in records)), ", ".join(f"{k}: {n}" for k, n in sorted(failures.items())) or "-",
            f"{max(record.seconds for record in records):.2f} s",
            harness.milliseconds(max(record.slowest_us for record in records)))
