"""What a server process that is killed takes with it, and what it does not.

A request that failed is excused when the dead process had it, or when it stood in the queue of one of its listeners. The
load client says of each: who answered last on that connection, when the connection was begun, and the MSS that its
SYN-ACK gave. mark-listeners.so (tests/tools) makes that one a mark of the generation and the instance whose listener it
was, so nothing has to be guessed where no answer came.
"""

import dataclasses
import re

import harness
import random_upgrades
import services

MARKS = harness.BIN_DIR / "mark-listeners.so"
MARK_BASE, MARK_COUNT, INSTANCES_MAX = 2000, 30000, 4  # as in mark_listeners.c
TIMESTAMP_BYTES = 12  # of each segment, which the client's MSS is less


def marked(box):
    """Options of `rpctl start` and `rpctl upgrade` for servers with marked listeners."""
    return ("--env", f"LD_PRELOAD={MARKS}", "--env", f"ASAN_OPTIONS={box.env['ASAN_OPTIONS']}:verify_asan_link_order=0")


def mss_of(generation, instance):
    """That a client has on connections to the listeners of that instance."""
    return MARK_BASE + (generation * INSTANCES_MAX + instance) % MARK_COUNT - TIMESTAMP_BYTES


@dataclasses.dataclass
class Death:
    """Of one process in one upgrade; the times are those at which it was known, in ns of CLOCK_MONOTONIC."""

    pid: int
    mss: int  # of its listeners
    is_new: bool
    old: tuple  # pids of the generation that served before
    gone_ns: int = 0
    shifting: bool = False  # the new generation has had traffic
    draining: bool = False  # the old one has handed connections over
    steered_ns: int = 0  # from then on nothing comes to the dead one's listeners, or what comes is served

    def follow(self, times, code, told):
        """What the upgrade has told, and when: {(phase, state): ns}; its exit status; and what the supervisor has logged.

        Traffic has left the old generation when the shift is over, and a new one that is not promoted when the result
        says so. In the place of one of the generation that serves another process is launched. It gets the listeners,
        so whoever comes after the death stands in a queue that will be served; except in that of an old process for
        which no other one was launched, because the upgrade was over earlier."""
        promoted = code in (0, 7)
        self.shifting = ("shift", "begin") in times
        self.draining = ("drain", "begin") in times
        self.steered_ns = self.gone_ns
        if self.is_new and not promoted:
            self.steered_ns = max(self.gone_ns, times["result", "end"])
        elif not self.is_new and promoted:
            again = re.search(rf" (gen=\d+ instance=\d+) crash={self.pid} [^$]* \1 launched=", told)
            self.steered_ns = min(self.gone_ns, times["shift", "end"]) if again else times["shift", "end"]

    def objections(self, losses):
        """Why those requests cannot have been lost with it."""
        return [f"{why}: {loss}" for loss in losses if (why := self._objection(loss))]

    def _objection(self, loss):
        if loss["failure"] not in random_upgrades.ENDED_BY_THE_KERNEL:
            return "no dying process makes a request fail like that"
        if self.is_new and not self.shifting:
            return f"lost, and process {self.pid} was killed before it had any traffic"
        if loss["pid"]:
            return self._objection_to_answered(loss["pid"])
        if loss["mss"] != self.mss:
            return f"lost, and it came to a listener that was not one of process {self.pid}, which was killed"
        if loss["connect_ns"] > self.steered_ns:
            late_ms = (loss["connect_ns"] - self.steered_ns) / 1e6
            return f"lost, and begun {late_ms:.1f} ms after all that came was to be served"
        return None

    def _objection_to_answered(self, pid):
        """A connection that the old generation has handed over to the dead one has no answer by that one yet."""
        if pid == self.pid or (self.is_new and self.draining and pid in self.old):
            return None
        return f"lost on a connection of process {pid}, and {self.pid} was killed"


def of_server(pid, is_new, old):
    """The death that this process would die now; None where it is gone."""
    try:
        environment = services.environment(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    if "RP_GENERATION" not in environment:  # a zombie
        return None
    mss = mss_of(int(environment["RP_GENERATION"]), int(environment["RP_INSTANCE"]))
    return Death(pid, mss, is_new, tuple(old))
