"""Is what `status` says true? A `Watcher` asks all the time; `judge` holds the answers against what the driver knows.

The driver writes a ledger: one `Episode` for each upgrade, with the moments at which it did and saw things. An
answer belongs to the time between its question and its last byte, and every claim is judged only where that time
lies wholly inside what is known, so that no tolerance is needed:

  the result of an episode was not sent before (moment of the command) + (`ms` of the result),
  and what the driver has read was true from before that moment on.

What the kernel knows is looked up by the watcher itself: it has a pidfd of every process it was ever told of, and
a process that was dead before the question must not be called alive in the answer.
"""

import dataclasses
import os
import select
import threading
import time

import control
import harness
import services

ASK_STEP = 0.002  # seconds between two questions, unless something has just happened
ALIVE = ("starting", "ready", "stopping")
PHASES = ("", "pin", "launch", "ready", "health", "shift", "bake", "quiesce", "drain", "close", "undo")


@dataclasses.dataclass
class Answer:
    asked: float
    got: float
    status: dict

    @property
    def operation(self):
        return self.status.get("operation")

    @property
    def generations(self):
        return {g["generation"]: g for g in self.status["generations"]}

    def __str__(self):
        shown = self.operation
        words = [f"{g['generation']} {g['state']} " + "+".join(f"{i['pid']} {i['state']}" for i in g["instances"])
                 for g in self.status["generations"]]
        if shown:
            words.append(f"{shown['operation']} {shown['from']} -> {shown['to']} ({shown['phase']})")
        return "; ".join(words)

    def serving(self):
        return [g["generation"] for g in self.status["generations"] if g["state"] == "serving"]


@dataclasses.dataclass
class Episode:
    """One operation as the driver saw it; moments are those of time.monotonic()."""

    commanded: float
    before: int  # the generation that served
    announced: float = None  # its first event was read
    to: int = None
    shifted: float = None  # the end of the phase was read
    result: dict = None
    result_read: float = None
    drain: frozenset = frozenset()  # generations that drain from before the command until after the result
    gone: frozenset = frozenset()  # … that have drained until shortly before the command
    keeps_old: bool = False  # what served before drains after the result

    def drain_at(self, answer):
        """Which generations must be draining."""
        is_over = self.result_read is not None and answer.asked > self.result_read
        return self.drain | ({self.before} if self.keeps_old and is_over else set())

    def runs_during(self, answer):
        """It may be under way in some part of that time."""
        return answer.got > self.commanded and (self.result_read is None or answer.asked < self.result_read)

    def must_be_shown(self, answer):
        if self.announced is None or answer.asked < self.announced:
            return False
        return answer.got < self.commanded + self.result["ms"] / 1000

    @property
    def code(self):
        return self.result["exit"]

    @property
    def after(self):
        return self.result["generation"]

    def ways(self):
        """Who may serve, one after the other."""
        return {0: [self.before, self.to], 3: [self.before, self.to, self.before]}.get(self.code, [self.before])


# ---- what the kernel knows ----


class Processes:
    """A pidfd of every process that was ever named."""

    def __init__(self):
        self.pidfds = {}
        self.dead = set()
        self.poll = select.poll()

    def note_deaths(self):
        by_fd = {fd: pid for pid, fd in self.pidfds.items()}
        for fd, _ in self.poll.poll(0):
            self.poll.unregister(fd)
            os.close(fd)
            self.dead.add(by_fd[fd])
            del self.pidfds[by_fd[fd]]

    def meet(self, pid, generation):
        """A complaint, or None. A process that has died since it was named is none; it is dead from now on."""
        if pid in self.pidfds or pid in self.dead:
            return None
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.dead.add(pid)
            return None
        self.pidfds[pid] = fd
        self.poll.register(fd, select.POLLIN)
        claims = generation_of(pid)
        return None if claims in (None, str(generation)) else f"pid {pid} is of generation {claims}, not {generation}"

    def close(self):
        for fd in self.pidfds.values():
            os.close(fd)


def claims_about_processes(answer, processes):
    """Complaints about one answer, whose question came after processes.note_deaths()."""
    for number, generation in answer.generations.items():
        for instance in generation["instances"]:
            pid, alive = instance["pid"], instance["state"] in ALIVE
            if pid == 0:  # to be launched: nothing is claimed yet
                continue
            if alive and pid in processes.dead:
                yield f"pid {pid} of generation {number} is called {instance['state']} and was dead before"
            if alive:
                complaint = processes.meet(pid, number)
                if complaint:
                    yield complaint
            elif pid in processes.pidfds and not is_dead(processes.pidfds[pid]):
                yield f"pid {pid} of generation {number} is called {instance['state']} and lives"


def generation_of(pid):
    """None where that cannot be seen: a process that is about to end has no environment any more."""
    try:
        return services.environment(pid).get("RP_GENERATION")
    except (ProcessLookupError, FileNotFoundError):
        return None


def is_dead(pidfd):
    return bool(select.select([pidfd], [], [], 0)[0])


# ---- one answer by itself ----


def claims_of_form(answer):
    serving = answer.serving()
    if len(serving) != 1:
        yield f"{len(serving)} generations serve"
    for number, generation in answer.generations.items():
        if generation["share"] != (100 if generation["state"] == "serving" else 0):
            yield f"generation {number} is {generation['state']} with a share of {generation['share']}"
    if answer.operation and answer.operation["phase"] not in PHASES:
        yield f"the phase is {answer.operation['phase']!r}"


class Watcher:
    """Asks in a thread of its own from `with` to the end of the block."""

    def __init__(self, box):
        self.box = box
        self.processes = Processes()
        self.answers, self.untrue = [], []  # taken by the driver, under the lock
        self.asked, self.slowest = 0, 0.0
        self.failure = None
        self.lock = threading.Lock()
        self.wake_read, self.wake_write = os.pipe()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.wake_write)
        self.thread.join(harness.DEADLINE)
        os.close(self.wake_read)
        self.processes.close()

    def poke(self):
        """Something has happened: ask at once."""
        os.write(self.wake_write, b".")

    def _run(self):
        try:
            while True:
                ready = select.select([self.wake_read], [], [], ASK_STEP)[0]
                if ready and not os.read(self.wake_read, 4096):
                    return
                with self.lock:
                    self._ask()
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure  # for the driver, whose thread it concerns

    def _ask(self):
        self.processes.note_deaths()
        asked = time.monotonic()
        status = control.answer(self.box, "status")
        answer = Answer(asked, time.monotonic(), status)
        self.asked += 1
        self.slowest = max(self.slowest, answer.got - asked)
        for complaint in (*claims_of_form(answer), *claims_about_processes(answer, self.processes)):
            self.untrue.append(f"{complaint}: {answer}")
        self.answers.append(answer)

    def take(self):
        """What was found since the last call: answers, and complaints in words."""
        with self.lock:
            if self.failure:
                raise AssertionError(f"status was not answered: {self.failure!r}") from self.failure
            answers, untrue = self.answers, self.untrue
            self.answers, self.untrue = [], []
        return answers, untrue


# ---- answers beside the ledger ----


def judge(answers, earlier, episode):
    """Complaints about `answers`, none of which was asked after the end of `episode`'s aftermath.

    `earlier` is the episode before (or None); nothing has gone on between the two.
    """
    served = []
    for answer in answers:
        yield from (f"{text}: {answer}" for text in judge_one(answer, earlier, episode))
        number = answer.serving()[0] if answer.serving() else None
        if episode.runs_during(answer) and not (earlier and earlier.runs_during(answer)) and served[-1:] != [number]:
            served.append(number)
    if not is_part_in_order(served, episode.ways()):
        yield f"generations {served} served, not {episode.ways()}"


def judge_one(answer, earlier, episode):
    running = [e for e in (earlier, episode) if e and e.runs_during(answer)]
    shown = answer.operation
    if shown and (shown["from"], shown["to"]) not in [(e.before, e.to) for e in running]:
        yield f"{shown['operation']} {shown['from']} -> {shown['to']} is shown and not under way"
    if not shown and any(e.must_be_shown(answer) for e in running):
        yield "no operation is shown, and one is under way"
    known = {number for e in running for number in (e.before, e.to)}
    draining = episode.drain_at(answer)
    if not running:
        known = {episode.after if answer.asked > episode.commanded else episode.before}
        yield from judge_quiet(answer, draining | episode.gone)
    if set(answer.generations) - known - draining - episode.gone:
        yield f"generations {set(answer.generations)} are shown, not {known | draining}"
    for number in draining:
        if answer.generations.get(number, {}).get("state") != "draining":
            yield f"generation {number} is not shown, or not as draining"
    if not set(answer.serving()) & known:
        yield f"generation {answer.serving()} is said to serve, not {known}"
    if episode.shifted and episode.code == 0 and answer.asked > episode.shifted and answer.serving() != [episode.to]:
        yield f"generation {answer.serving()} is said to serve after the shift to {episode.to}"


def judge_quiet(answer, draining):
    for number, generation in answer.generations.items():
        states = {i["state"] for i in generation["instances"]}
        if number not in draining and (generation["state"] != "serving" or states != {"ready"}):
            yield f"nothing is under way, and generation {number} is {generation['state']} with {states}"


def is_part_in_order(part, whole):
    rest = iter(whole)
    return all(number in rest for number in part)
