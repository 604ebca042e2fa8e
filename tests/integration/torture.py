"""One allocation or one system call of the supervisor fails, or is its last, for the suite (test_torture.py) and for the long form
(long_torture.py).

rpctl-faulty (tests/tools/faulty) is rpctl with a counter in front of every allocation and system call of its own; the
n-th is made to fail. Whatever fails, an upgrade must end with an exit status that is true, with the service serving,
nothing left behind and no request lost; a release that has crashed must come back; a start must succeed or leave
nothing; a stop must come to its end. And wherever in an upgrade, or in a takeover, the supervisor is killed, the next
one has one generation serving, and no request is lost.
"""

import collections
import dataclasses
import mmap
import os
import pathlib
import signal
import struct
import subprocess

import harness
import services

PROGRAM = "rpctl-faulty"
KINDS = ("memory", "call")
SCENARIOS = ("upgrade", "foreign", "leaving", "crash", "start", "stop", "killed", "takeover")
ALLOCATORS = {"malloc", "calloc", "realloc", "reallocarray", "strdup", "strndup", "asprintf", "__sched_cpualloc"}
NEXT_SUPERVISOR = -1
FAULTY_FUNCTIONS = {"note", "note_frames", "strikes", "strikes_syscall", "rpctl_fault_strikes", "lose_descriptors",
                    "after_closing"}
FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
# Short where waiting is the way out of a fault, but room for a busy machine: an upgrade without one must succeed.
OPTIONS = ("--bake", "20ms", "--health-interval", "20ms", "--ready-timeout", "10s", "--drain-timeout", "5s")
UPGRADED, AS_BEFORE = (0, 7), (1, 3, 4, 6, 70)  # the outcomes that are documented
NOT_STARTED, STOPPED, NOT_STOPPED = (1, 4, 6, 70), (0, 7), (1, 70)
PLAIN_EVERY = 10  # faults, then one upgrade without any
TIMEOUT = 30.0  # seconds, for what ends in half of that at the latest


class Faults:
    """The state that the supervisor has mapped too; the offsets are those of tests/tools/faulty/faults.h."""

    BYTES = 8192
    PID, KIND, NTH, ONLY, SEEN, FAILED, CALL, FRAMES, COUNTS, KILLS = 0, 4, 8, 16, 48, 64, 72, 104, 232, 5356
    FRAME_COUNT, COUNT_MAX, COUNT_BYTES = 16, 128, 40

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(self.BYTES))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), self.BYTES)

    def arm(self, pid, kind, nth, only="", kills=False):
        """From now on the nth of the kind fails in that process, or the nth of the one call; 0: they are counted."""
        self.map[:] = bytes(self.BYTES)
        struct.pack_into("i", self.map, self.KILLS, kills)
        struct.pack_into("=iq32s", self.map, self.KIND, KINDS.index(kind), nth, only.encode())
        struct.pack_into("i", self.map, self.PID, pid)

    def disarm(self):
        struct.pack_into("i", self.map, self.PID, 0)

    def seen(self, kind):
        return struct.unpack_from("q", self.map, self.SEEN + 8 * KINDS.index(kind))[0]

    def counts(self, kind):
        """{name of the function: how often it was called}"""
        places = [struct.unpack_from("32sq", self.map, self.COUNTS + i * self.COUNT_BYTES) for i in range(self.COUNT_MAX)]
        found = {name.split(b"\0")[0].decode(): count for name, count in places if count}
        return {name: count for name, count in found.items() if (name in ALLOCATORS) == (kind == "memory")}

    @property
    def failed(self):
        return struct.unpack_from("i", self.map, self.FAILED)[0] == 1

    @property
    def call(self):
        return struct.unpack_from("32s", self.map, self.CALL)[0].split(b"\0")[0].decode()

    def where(self, shown=5):
        """The function that failed and who called it, innermost first."""
        frames = struct.unpack_from(f"{self.FRAME_COUNT}Q", self.map, self.FRAMES)
        names = function_names([hex(frame) for frame in frames if frame])
        return " < ".join([self.call, *[name for name in names if name not in FAULTY_FUNCTIONS][:shown]])


def function_names(addresses):
    """Of rpctl-faulty; the addresses themselves where there is no addr2line."""
    command = ["addr2line", "-s", "-f", "-p", "-e", harness.BIN_DIR / PROGRAM, *addresses]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return addresses
    return [line.split(" at ")[0] for line in done.stdout.splitlines()]


@dataclasses.dataclass
class Met:
    """A fault and what came of it."""

    kind: str
    where: str
    code: int  # None for a crash: there is no command
    reason: str


class Torture:
    """A service with two addresses, two listeners on each."""

    hosts = ("127.0.0.1", "::1")
    clients = {"fresh": 1, "keep_alive": 1}

    def __init__(self, case, shown=False):
        self.case, self.box, self.shown = case, case.box, shown
        self.faults = Faults(self.box.dir / "faults")
        self.box.env["RP_FAULTS"] = str(self.faults.path)
        self.port = self.box.port(*self.hosts)
        self.addresses = [harness.format_address(host, self.port) for host in self.hosts]
        self.generation = 0
        self.supervisor = self.descriptors = None
        self.mark = lambda name: None  # told of each fault before it is tried
        self.met = []
        self.seen = collections.Counter()  # of each kind, where no fault was met

    def rpctl(self, command, *words):
        return self.box.rpctl(command, *words, program=PROGRAM, timeout=TIMEOUT)

    def release(self, generation):
        words = [services.V1 if generation % 2 else services.V2, "--workers", "2"]
        for address in self.addresses:
            words += ["--listen", address]
        return words

    def start(self):
        self.case.assert_code(self.rpctl("start", *OPTIONS, *self.release(1)), 0)
        self.generation = 1
        self.supervisor = self.status()["supervisor"]["pid"]
        self.upgrade()
        self.descriptors = harness.idle_descriptor_count(self.supervisor)

    def stop(self):
        self.case.assert_code(self.rpctl("stop"), 0)

    def load(self):
        return self.box.load(*self.addresses, **self.clients)

    def status(self):
        return self.case.assert_code(self.rpctl("status"), 0).events[0]

    def upgrade(self):
        """One without a fault."""
        outcome = self.case.assert_code(self.rpctl("upgrade", *OPTIONS, *self.release(self.generation + 1)), 0)
        self.generation = outcome.result["generation"]
        return outcome

    # ---- many faults ----

    def every(self, scenario, kind, first=1, step=1):
        """Faults first, first + step, … of the kind, until one is not met any more."""
        nth = first
        while self.fail(scenario, kind, nth):
            nth += step
        return nth

    def of_each_call(self, scenario, kind, choose, only=None):
        """Of each function that is called (or is among `only`) the faults that choose(count) names."""
        self.fail(scenario, kind, 0)
        counts = self.faults.counts(kind)
        for name in sorted(counts.keys() & (only or counts.keys())):
            for nth in choose(counts[name]):
                self.fail(scenario, kind, nth, name)

    # ---- one fault ----

    def fail(self, scenario, kind, nth, only=""):
        """True when the fault was met."""
        self.victim = self.instance()["pid"] if scenario == "crash" else None
        pid = NEXT_SUPERVISOR if scenario in ("start", "takeover") else self.supervisor
        self.mark(f"{scenario}, {kind} {only or 'number'} {nth}")
        self.faults.arm(pid, kind, nth, only, kills=scenario in ("killed", "takeover"))
        try:
            outcome = getattr(self, f"try_{scenario}")()
        except (subprocess.TimeoutExpired, TimeoutError) as error:
            self.case.fail(f"{scenario}, {kind} {only} {nth}: it has no end: {self.faults.where(12)}: {error}")
        finally:
            self.faults.disarm()
        met = self.faults.failed
        where = self.faults.where() if met else "no fault"
        with self.case.subTest(scenario=scenario, kind=kind, call=only, nth=nth, where=where):
            getattr(self, f"judge_{scenario}")(outcome, met)
        self.note(kind, nth, where, outcome, met)
        return met

    def note(self, kind, nth, where, outcome, met):
        code = outcome.code if outcome else None
        reason = (outcome.result or {}).get("reason", outcome.err.strip()) if outcome else ""
        if self.shown:
            print(f"{kind} {nth}: {'' if code is None else f'exit {code}: '}{where}{': ' + reason if reason else ''}", flush=True)
        if not met:
            self.seen[kind] = self.faults.seen(kind)
            return
        self.met.append(Met(kind, where, code, reason))

    # ---- an upgrade ----

    def try_upgrade(self):
        return self.rpctl("upgrade", *OPTIONS, *self.release(self.generation + 1))

    def judge_upgrade(self, outcome, met):
        """What the exit status says is what is found."""
        status = self.status()
        serving = [g["generation"] for g in status["generations"] if g["state"] == "serving"]
        before, self.generation = self.generation, serving[-1] if serving else self.generation
        if not met:
            self.case.assert_code(outcome, 0)
        self.case.assertIn(outcome.code, UPGRADED + AS_BEFORE, str(outcome))
        self.case.assertEqual(len(serving), 1, str(outcome))
        self.case.assertNotIn("operation", status, f"it is over\n{outcome}")
        if outcome.code in UPGRADED:
            self.case.assertGreater(self.generation, before, str(outcome))
        else:
            self.case.assertEqual(self.generation, before, str(outcome))
        self.case.assertEqual(outcome.result.get("generation", self.generation), self.generation, str(outcome))
        self.case.assertTrue(outcome.code == 0 or outcome.result["reason"], "it says why")
        self.settle()
        self.ask()
        if len(self.met) % PLAIN_EVERY == 0 or outcome.code == 6:
            self.upgrade()
            self.settle()
            self.ask()

    def settle(self):
        """Waits until one generation is all there is, with its processes and descriptors, and nothing else."""
        try:
            harness.wait_until(self.is_settled, "nothing is left of the other generations", TIMEOUT)
        except harness.Timeout as timeout:
            raise AssertionError(f"{timeout}: {self.found()}, {self.descriptors} descriptors before") from None

    def found(self):
        """How many generations, whether an operation is under way, children that are not theirs, descriptors."""
        status = self.status()
        pids = {instance["pid"] for instance in status["generations"][-1]["instances"]}
        return (len(status["generations"]), "operation" in status, children(self.supervisor) - pids,
                harness.descriptor_count(self.supervisor))

    def is_settled(self):
        generations, operating, strangers, descriptors = self.found()
        return generations == 1 and not operating and not strangers and descriptors <= self.descriptors

    def ask(self):
        """Each address is served, and by the one generation."""
        for host in self.hosts:
            answer = harness.get(host, self.port, timeout=TIMEOUT)
            self.case.assertEqual((answer.status, answer.generation), (200, str(self.generation)))

    # ---- the end of the supervisor ----

    def kill_supervisor(self):
        os.kill(self.supervisor, signal.SIGKILL)
        harness.wait_gone(self.supervisor)
        self.reap_orphans()

    def take_over(self):
        """One command, and one generation serves."""
        self.case.assert_code(self.rpctl("start", *OPTIONS, *self.release(1)), 0)
        status = self.status()
        self.supervisor = status["supervisor"]["pid"]
        self.generation = status["generations"][-1]["generation"]
        self.settle()
        self.ask()

    def try_killed(self):
        return self.try_upgrade()

    def judge_killed(self, outcome, met):
        if met:
            harness.wait_gone(self.supervisor)
            self.reap_orphans()
            self.case.assertIn(outcome.code, (0, 5, 70), str(outcome))  # 5: before it was asked
            self.take_over()
        else:
            self.judge_upgrade(outcome, met)

    def try_takeover(self):
        """Of an upgrade whose supervisor is gone with the new release proven; the next one is killed too."""
        upgrade = self.box.operation("upgrade", *OPTIONS, *self.release(self.generation + 1), program=PROGRAM)
        upgrade.until_phase("shift", state="end")
        self.kill_supervisor()
        upgrade.finish()
        return self.rpctl("start", *OPTIONS, *self.release(1))

    def judge_takeover(self, outcome, met):
        self.case.assertIn(outcome.code, (0, 4, 5, 70) if met else (0,), str(outcome))  # 5: before it was asked
        if met:
            harness.wait_until(lambda: self.box.status() is None, "the second supervisor is gone too", TIMEOUT)
            self.reap_orphans()
            self.take_over()
        else:
            self.supervisor = self.status()["supervisor"]["pid"]
            self.generation = self.status()["generations"][-1]["generation"]
            self.settle()
            self.ask()

    # ---- a crash ----

    def instance(self):
        return self.status()["generations"][0]["instances"][0]

    def try_crash(self):
        """Connections wait in the queues, of which the supervisor has duplicates, until somebody is there again."""
        os.kill(self.victim, signal.SIGKILL)
        harness.wait_gone(self.victim)
        self.ask()

    def judge_crash(self, _, __):
        harness.wait_until(lambda: self.instance()["state"] == "ready", "the release is ready again", TIMEOUT)
        self.settle()
        self.ask()
        self.upgrade()  # the next crash is the first of its generation, without a pause before the launch
        self.settle()

    # ---- a start ----

    def try_start(self):
        return self.rpctl("start", *OPTIONS, *self.release(1))

    def judge_start(self, outcome, met):
        if not met:
            self.case.assert_code(outcome, 0)
        if outcome.code == 0:
            self.generation = 1
            self.ask()
            self.stop()
        else:
            self.case.assertIn(outcome.code, NOT_STARTED, str(outcome))
            self.case.assertTrue((outcome.result or {}).get("reason") or outcome.err, "it says why")
        self.wait_for_nothing()
        self.case.assert_code(self.rpctl("status"), 5)

    # ---- a stop ----

    def try_stop(self):
        return self.rpctl("stop")

    def judge_stop(self, outcome, met):
        if not met:
            self.case.assert_code(outcome, 0)
        if outcome.code in STOPPED:
            harness.wait_gone(self.supervisor, TIMEOUT)
        else:
            self.case.assertIn(outcome.code, NOT_STOPPED, str(outcome))
            self.case.assertTrue(outcome.result["reason"], "it says why")
            self.ask()
            self.stop()
        self.wait_for_nothing()
        self.start()

    def wait_for_nothing(self):
        harness.wait_until(lambda: not self.box.left_over(), "nothing is left of it", TIMEOUT)
        self.reap_orphans()

    def reap_orphans(self):
        """In a PID namespace this process is the parent of a supervisor in the background. Each dead one would be one
        more process that the next supervisor looks at, so that its calls would never come to an end."""
        for pid in children(os.getpid()) - {child.pid for child in self.box.children}:
            os.waitpid(pid, os.WNOHANG)

    # ---- what it came to ----

    def figure(self, scenario, kind, more=""):
        met = [met for met in self.met if met.kind == kind]
        codes = collections.Counter(met.code for met in met)
        outcomes = ", ".join("came back" if code is None else f"{count} x exit {code}" for code, count in sorted(codes.items()))
        harness.figure(f"{scenario}, {kind}: {len(met)} of {self.seen[kind]} failed, one at a time: {outcomes}{more}")


class ForeignTorture(Torture):
    """A server that knows nothing of rpctl: what it listens on is looked up."""

    hosts = ("127.0.0.1",)
    clients = {"fresh": 1}

    def release(self, generation):
        return [FOREIGN, "--listen", *self.addresses]


class LeavingTorture(Torture):
    """Each generation leaves a process behind, which the supervisor has to end."""

    def __init__(self, case, **options):
        super().__init__(case, **options)
        self.leaver = services.script(self.box, "leaver", f"#!/bin/sh\nsleep 1000 &\nexec {services.V1} \"$@\"\n")

    def release(self, generation):
        return [self.leaver, *super().release(generation)[1:]]


def new(case, scenario, **options):
    """What a scenario is tried on, and under which name."""
    upgraded = {"foreign": ForeignTorture, "leaving": LeavingTorture}.get(scenario)
    return (upgraded(case, **options), "upgrade") if upgraded else (Torture(case, **options), scenario)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return {int(word) for word in file.read().split()}
