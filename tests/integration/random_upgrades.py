"""Upgrades in a row of which a random third are bad, under load, with `status` asked all the time.

For the suite (test_random_upgrades.py) and for the long form (long_random_upgrades.py). The seed decides
everything that is chosen: which upgrades are bad and how, the phases in which an operator or a signal comes between,
workers and instances of the good ones. Requests that begin while an upgrade runs are booked on the window
"u<number>", all others on "g<generation that serves>+<generations that drain>".
"""

import collections
import contextlib
import dataclasses
import itertools
import os
import random
import re
import time

import bad_releases
import control
import harness
import services
import status_truth

BAD_PART = 1 / 3
CALM_ANSWERS = 60  # between two upgrades
ENDED_BY_THE_KERNEL = {"eof_sent", "reset_sent", "reset_connect"}
SETTLED_AFTER = 10  # upgrades, until the supervisor's buffers have their size
MEMORY_SLACK_KIB = 1024
FAST = ("--bake", "0", "--health-interval", "10ms", "--drain-timeout", "10m")
HELD_MAX = 2  # at the same time; one less than --max-draining
COMPLAINTS_SHOWN = 20
LOGS_KEPT = 11  # of the generations: ten and the newest; the supervisor has one too
FIRST = (bad_releases.WORKERS, 1)  # workers and instances of the first release, and of the last


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    hosts: tuple


SHAPES = (Shape("one address", ("127.0.0.1",)), Shape("two addresses", ("127.0.0.1", "::1")))


@dataclasses.dataclass
class Step:
    """One upgrade of the plan: `bad` is None for a good one, which has so many workers and instances. The generation
    before it drains for `hold` further upgrades, 0: until its result."""

    bad: object
    random: object
    workers: int = FIRST[0]
    instances: int = FIRST[1]
    hold: int = 0


@dataclasses.dataclass
class Held:
    """A generation that drains, because a download from it has not been read. Its listeners leave at once."""

    generation: int
    pids: list
    download: services.Download
    upgrades: int  # to come

    def descriptors(self):
        """That the supervisor has of it: its log, and a pidfd and the link of each process."""
        return 1 + 2 * sum(map(harness.process_exists, self.pids))


def plan(seed, shape, count):
    """The last one is good and of the first one's size, so that what it leaves can be compared."""
    dice = random.Random(f"{seed} {shape.name}")
    kinds = [bad for bad in bad_releases.CATALOGUE if bad.addresses <= len(shape.hosts)]
    bag = []
    for _ in range(count - 1):
        if dice.random() >= BAD_PART:
            yield Step(None, None, dice.choice((1, 2, 2, 3)), dice.choice((1, 1, 1, 2)), dice.choice((0, 0, 0, 1, 3)))
            continue
        if not bag:
            bag = dice.sample(kinds, len(kinds))
        yield Step(bag.pop(), random.Random(dice.random()))
    yield Step(None, None)


class Run:
    """One upgrade under way; what `while_under_way` of a bad release may use."""

    def __init__(self, service, operation, step, episode):
        self.box, self.operation, self.random, self.episode = service.box, operation, step.random, episode
        self.poke = service.watcher.poke
        self.pids = []
        self.aborted = None  # whether the supervisor has accepted it
        self.client_killed = False

    def next_event(self):
        event = self.operation.next_event()
        if event is not None:
            self.see(event)
        return event

    def see(self, event):
        now = time.monotonic()
        self.poke()
        if event["event"] == "operation":
            self.episode.announced, self.episode.to = now, event["to"]
        elif event["event"] == "result":
            self.episode.result, self.episode.result_read = event, now
        elif event["event"] == "phase" and event["state"] == "end":
            if event["phase"] == "launch":
                self.pids = event["pid"]
            if event["phase"] == "shift":
                self.episode.shifted = now

    def until_phase(self, phase):
        while True:
            event = self.next_event()
            if event is None or event["event"] == "result":
                raise AssertionError(f"it ended before the phase {phase}: {self.operation.finish()}")
            if event["event"] == "phase" and (event["phase"], event["state"]) == (phase, "begin"):
                return

    def abort(self):
        self.aborted = control.answer(self.box, "abort")["exit"] == 0

    def kill_client(self):
        self.operation.child.kill()
        self.operation.child.wait()
        self.client_killed = True
        for event in control.events(self.box, "follow"):
            self.see(event)

    def finish(self):
        """To the result; returns the exit status of rpctl, or None where it was killed."""
        while not self.client_killed and self.next_event() is not None:
            pass
        with self.operation.child.stdout:
            code = self.operation.child.wait(harness.DEADLINE)
        if self.episode.result is None:
            raise AssertionError(f"no result: exit {code}\n{self.operation.child.log_path.read_text()}")
        return None if self.client_killed else code


@dataclasses.dataclass
class Record:
    """What became of one upgrade."""

    number: int
    kind: str
    may_lose: bool
    code: int
    seconds: float
    may_answer: set  # generations
    strangers: set = dataclasses.field(default_factory=set)  # those that answered and may not
    lost: int = 0
    failures: dict = dataclasses.field(default_factory=dict)
    slowest_us: int = 0
    memory_kib: int = 0


class Service:
    """One service of one shape in a box, upgraded at random."""

    def __init__(self, case, shape, clients, program="rpctl", options=()):
        self.case, self.box, self.shape, self.clients = case, case.box, shape, clients
        self.program, self.options = program, options
        self.port, other = self.box.port(*shape.hosts), self.box.port(*shape.hosts)
        self.addresses = [harness.format_address(host, self.port) for host in shape.hosts]
        self.place = bad_releases.Place(self.box, self.addresses, harness.format_address(shape.hosts[0], other))
        self.serving, self.size = 1, FIRST
        self.binaries = itertools.cycle((services.V2, services.V1))
        self.pids = []
        self.held = []
        self.records = []
        self.untrue = []
        self.earlier = self.watcher = None

    # ---- commands ----

    def good(self, step):
        wait = ["--wait", "shifted"] if self.holds(step) else []
        return [*wait, "--instances", step.instances, next(self.binaries), "--workers", step.workers,
                *self.place.listen()]

    def words(self, step):
        return ["upgrade", *FAST, *self.options, *(step.bad.words(self.place) if step.bad else self.good(step))]

    def start(self):
        words = ["start", *FAST, *self.options, "--instances", FIRST[1], services.V1, "--workers", FIRST[0],
                 *self.place.listen()]
        self.case.assert_code(self.box.rpctl(*words, program=self.program), 0)
        status = self.box.status()
        self.supervisor = status["supervisor"]["pid"]
        self.pids = [i["pid"] for i in status["generations"][0]["instances"]]

    def holds(self, step):
        return step.hold > 0 and len(self.held) < HELD_MAX

    def hold(self, step):
        """The download from the generation that serves, begun before the upgrade."""
        if not self.holds(step):
            return None
        held = Held(self.serving, self.pids, services.Download(self.port), step.hold)
        self.case.assertEqual(held.download.generation, self.serving)
        return held

    def release(self, everything=False):
        """Those whose time is over drain to the end; returns their generations."""
        over = [held for held in self.held if everything or held.upgrades == 0]
        for held in over:
            with held.download:
                self.case.assertTrue(held.download.is_whole(), f"generation {held.generation} has sent all it had to")
        self.held = [held for held in self.held if held not in over]
        gone = frozenset(held.generation for held in over)
        harness.wait_until(lambda: not gone & {g["generation"] for g in control.answer(self.box, "status")["generations"]},
                           f"generations {gone} have drained")
        for held in self.held:
            held.upgrades -= 1
        return gone

    def upgrade(self, number, step):
        gone = self.release()
        held = self.hold(step)
        episode = status_truth.Episode(time.monotonic(), self.serving, gone=gone, keeps_old=held is not None,
                                       drain=frozenset(held.generation for held in self.held))
        operation = self.box.operation(*self.words(step), program=self.program)
        run = Run(self, operation, step, episode)
        if step.bad and step.bad.while_under_way:
            step.bad.while_under_way(run)
        code = run.finish()
        kind, may_lose = (step.bad.name, step.bad.may_lose) if step.bad else ("good", False)
        may_answer = {*episode.ways(), *episode.drain, *gone}
        self.records.append(Record(number, kind, may_lose and episode.code == 3, episode.code,
                                   episode.result_read - episode.commanded, may_answer))
        self.check_result(step, run, code)
        self.note_serving(step, run)
        self.held += [held] if held else []
        return episode

    # ---- after each upgrade ----

    def check_result(self, step, run, code):
        case, result = self.case, run.episode.result
        what = f"{self.records[-1]}: {result}"
        if code is not None:
            case.assertEqual(code, result["exit"], what)
        case.assertIn(result["exit"], step.bad.codes if step.bad else (0,), what)
        if result["exit"] == 0:
            case.assertEqual(result["generation"], run.episode.to, what)
        else:
            case.assertEqual(result["generation"], self.serving, what)
            case.assertRegex(result["reason"], step.bad.reason, what)
        if run.aborted is not None:
            case.assertEqual(result["exit"] in (1, 3), run.aborted, what)

    def note_serving(self, step, run):
        if run.episode.code != 0:
            return
        self.serving = run.episode.to
        self.size = (step.workers, step.instances)
        self.pids = run.pids or self.pids_by_status()

    def pids_by_status(self):
        """For an upgrade whose client was killed before it could say."""
        return [i["pid"] for i in control.answer(self.box, "status")["generations"][0]["instances"]]

    def judge_status(self, episode):
        answers, untrue = self.watcher.take()
        self.untrue += untrue + list(status_truth.judge(answers, self.earlier, episode))

    def listeners(self):
        workers, instances = self.size
        return max(2, workers) * instances * len(self.addresses)  # librp opens two on each address at least

    def servers(self):
        """The pids of all generations that are not kept draining: of those some processes may be ending."""
        drain = {None, *(str(held.generation) for held in self.held)}
        ours = harness.processes_with(f"RPCTL_DIR={self.box.rpctl_dir}")
        return [pid for pid in ours if status_truth.generation_of(pid) not in drain]

    def check_remains(self):
        """The processes and listeners of the one that serves, and of those that are kept draining, are all there is."""
        servers = sorted(self.servers())
        what = f"{self.records[-1]}: {[harness.command_line(pid) for pid in servers]}"
        self.case.assertEqual(servers, sorted(self.pids), what)
        harness.wait_until(lambda: len(services.listener_inodes(self.port)) == self.listeners(), f"{what}: the old listeners leave")
        told = next(g for g in control.answer(self.box, "status")["generations"] if g["generation"] == self.serving)
        self.case.assertEqual(sorted(i["pid"] for i in told["instances"]), servers, what)
        self.case.assertEqual((told["listeners"], sorted(told["addresses"])), (self.listeners(), sorted(self.addresses)), what)
        harness.wait_until(lambda: not zombies(self.supervisor), "the supervisor has reaped its children")

    def descriptors(self):
        """Of the supervisor, but for those that belong to what serves, a pidfd and the link of each process and a
        duplicate of each listener, and to what drains."""
        with self.watcher.lock:
            drain = sum(held.descriptors() for held in self.held)
            return harness.descriptor_count(self.supervisor) - 2 * self.size[1] - self.listeners() - drain

    def check_descriptors(self):
        """A client that is gone may still be on its way out."""
        self.base = getattr(self, "base", None) or self.descriptors()
        harness.wait_until(lambda: self.descriptors() <= self.base,
                           f"{self.records[-1]}: the supervisor is back at {self.base} descriptors")

    # ---- the whole ----

    def run(self, steps):
        with self.box.load(*self.addresses, fresh=self.clients, keep_alive=self.clients) as load, \
                status_truth.Watcher(self.box) as self.watcher:
            for number, step in enumerate(steps, 1):
                self.one(load, number, step)
            self.release(everything=True)
            self.check_remains()
            self.check_descriptors()
            result = load.stop()
        self.assign_losses(load)
        self.details = load.details()
        return result

    def one(self, load, number, step):
        self.mark_calm(load)
        load.answers(CALM_ANSWERS)
        load.mark(f"u{number}")
        episode = self.upgrade(number, step)
        self.mark_calm(load)
        self.check_remains()
        self.check_descriptors()
        self.records[-1].memory_kib = harness.memory_kib(self.supervisor)
        self.judge_status(episode)
        self.earlier = episode

    def mark_calm(self, load):
        """What drains serves the connections that it has."""
        load.mark("g" + "+".join(str(number) for number in (self.serving, *(held.generation for held in self.held))))

    def assign_losses(self, load):
        for record in self.records:
            window = load.window(f"u{record.number}")
            record.lost, record.slowest_us = window["failed"], window["latency_us"]["max"]
            record.strangers = {int(number) for number in window["generations"]} - record.may_answer
            record.failures = {kind: count for kind, count in window["failures"].items() if count}
        self.calm = [w for w in load.result["windows"] if w["name"].startswith("g")]

    def complaints(self):
        """What is not as it should be, in words."""
        yield from self.untrue
        yield from (complaint for record in self.records for complaint in self.complaints_about(record))
        for window in self.calm:
            if window["failed"]:
                yield f"{window['failed']} requests failed while nothing was under way: {window['failures']}"
            if set(window["generations"]) - set(window["name"][1:].split("+")):
                yield f"generations {set(window['generations'])} answered, not {window['name'][1:]}"

    def complaints_about(self, record):
        """A client has one request under way in the process that dies; it may send another one to its listeners
        before traffic is steered away from them."""
        bound = 2 * 2 * self.clients if record.may_lose else 0
        if record.lost > bound:
            yield f"{record.lost} requests failed, {bound} may: {record}"
        if record.strangers:
            yield f"generations {record.strangers} answered: {record}"
        if set(record.failures) - ENDED_BY_THE_KERNEL:
            yield f"failures of another kind than a dying process makes: {record}"

    def check_complaints(self):
        found = list(self.complaints())
        self.case.assertEqual(len(found), 0, "\n".join([*found[:COMPLAINTS_SHOWN], self.details]))

    def check_memory(self):
        early, late = self.records[min(SETTLED_AFTER, len(self.records)) - 1].memory_kib, self.records[-1].memory_kib
        if not harness.SANITIZED:  # freed memory is kept in quarantine there
            self.case.assertLessEqual(late, early + MEMORY_SLACK_KIB, "memory of the supervisor grows")
        return early, late

    def stop(self):
        self.case.assert_code(self.box.rpctl("stop"), 0)
        harness.wait_gone(self.supervisor)
        left = [path for path in self.box.rpctl_dir.rglob("*") if not path.is_dir()]
        self.case.assertEqual([path.name for path in left if path.suffix != ".log"], ["lock"], "files are left")
        self.case.assertLessEqual(len(left), LOGS_KEPT + 2)
        self.case.assertEqual(len(services.listener_inodes(self.port)), 0)


def zombies(parent):
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, NotADirectoryError):
            if entry.isdigit() and is_zombie_of(entry, parent):
                found.append(int(entry))
    return found


def is_zombie_of(pid, parent):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = re.sub(r".*\)", "", file.read()).split()
    return fields[0] == "Z" and int(fields[1]) == parent


# ---- what it came to ----


def summary(service, result):
    """In one line."""
    records, watcher, total = service.records, service.watcher, result["total"]
    bad = sum(record.kind != "good" for record in records)
    lost = sum(record.lost for record in records if record.may_lose)
    early, late = records[min(SETTLED_AFTER, len(records)) - 1].memory_kib, records[-1].memory_kib
    return (f"{len(records)} upgrades, {bad} bad; {total['answers']} answers, {total['failed']} failed, {lost} of them with "
            f"dying processes; status asked {watcher.asked} times, slowest {watcher.slowest * 1000:.1f} ms; supervisor "
            f"{service.base} descriptors beside the serving ones, {early} KiB early and {late} KiB late; rp-load frozen "
            f"{result['frozen_ms']} ms")


HEADINGS = ("kind", "count", "exit codes", "lost", "lost at most", "longest", "slowest answer")


def table(records):
    """One row for each kind, the good ones first."""
    kinds = collections.defaultdict(list)
    for record in sorted(records, key=lambda r: (r.kind != "good", r.kind)):
        kinds[record.kind].append(record)
    rows = [HEADINGS, *(row(kind, found) for kind, found in kinds.items()), row("all", records)]
    widths = [max(len(line[i]) for line in rows) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))) for line in rows)


def row(kind, records):
    codes = collections.Counter(record.code for record in records)
    return (kind, str(len(records)), ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())),
            str(sum(record.lost for record in records)), str(max(record.lost for record in records)),
            f"{max(record.seconds for record in records):.2f} s",
            harness.milliseconds(max(record.slowest_us for record in records)))
