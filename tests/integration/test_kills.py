"""Whoever is killed in an upgrade under load, at a phase boundary or at any instant: no request is lost but those that a
killed server had, and one command brings back a clean service. RP_KILLS_SEED repeats a run."""

import os
import random
import unittest

import deaths
import harness
import kills

SEED = os.environ.get("RP_KILLS_SEED") or str(random.SystemRandom().randrange(1 << 32))
COUNT = 2 if harness.SANITIZED else 6  # at random instants, of each victim
CLIENTS = 4 if harness.SANITIZED else 8  # of each kind
UNPROTECTED = (*kills.FAST, "--health", "none", "--witness", "off", "--quiesce-timeout", "100ms", "--stop-signal", "HUP")
UNPROTECTED_COUNT = 2 if harness.SANITIZED else 3  # of each victim
UNPROTECTED_CLIENTS = 8  # of each kind
LONG_REQUESTS = "/slow?ms=50"


class KillsTest(harness.Case):
    def setUp(self):
        super().setUp()
        print(f"RP_KILLS_SEED={SEED}", flush=True)
        self.dice = random.Random(f"{SEED} {self.id()}")

    def check(self, shape, planned):
        service = kills.Service(self, shape, CLIENTS)
        service.start()
        result = service.run(planned, self.dice)
        total = result["total"]
        harness.figure(f"kills, {shape.name}: {len(planned)}; {total['answers']} answers, {total['failed']} failed\n"
                       f"{kills.table(service.records)}")
        service.check_complaints()
        service.stop()

    def at_boundaries(self, shape):
        """Under sanitizers a part of them, another one each time."""
        planned = kills.at_boundaries(shape)
        self.check(shape, self.dice.sample(planned, len(planned) // 4) if harness.SANITIZED else planned)

    def at_random(self, shape):
        self.check(shape, kills.at_random(self.dice, shape, COUNT))

    def test_at_boundaries_of_two_instances(self):
        self.at_boundaries(kills.SHAPES[0])

    def test_at_boundaries_on_two_addresses(self):
        self.at_boundaries(kills.SHAPES[1])

    def test_at_random_of_two_instances(self):
        self.at_random(kills.SHAPES[0])

    def test_at_random_on_two_addresses(self):
        self.at_random(kills.SHAPES[1])

    def test_unprotected_it_fails(self):
        """The same with an rpctl whose steering does nothing, and a drain signal at which a server dies: else a pass would
        prove nothing. What is lost is found where client or supervisor is killed, and beside a server that is. The
        requests take so long that a process never is without one."""
        self.box.program = "rpctl-unsteered"
        service = kills.Service(self, kills.SHAPES[0], UNPROTECTED_CLIENTS, UNPROTECTED, LONG_REQUESTS)
        service.start()
        victims = (*kills.NO_SERVER, "worker")
        service.run([kills.Kill(victim, phase="ready") for victim in victims for _ in range(UNPROTECTED_COUNT)], self.dice)
        found = {victim: [complaint for record in service.records if record.kill.victim == victim
                          for complaint in service.complaints_about(record)] for victim in victims}
        harness.figure(f"kills without protection, {UNPROTECTED_COUNT} of each: "
                       + ", ".join(f"{victim}: {len(complaints)} complaints" for victim, complaints in found.items()))
        for victim in kills.NO_SERVER:
            self.assertRegex("\n".join(found[victim]), "requests failed, 0 may")
        self.assertRegex("\n".join(found["worker"]), "lost on a connection of|to a listener that was not one of")
        self.assertRaises(AssertionError, service.check_complaints)
        service.stop()


class DeathTest(unittest.TestCase):
    """Which lost requests are excused by the death of a process, and which are not."""

    VICTIM, OTHER, NEXT = 7, 8, 9
    TIMES = {("shift", "begin"): 100, ("shift", "end"): 110, ("drain", "begin"): 120, ("result", "end"): 200}

    def objection(self, death, times=None, code=0, told="", **loss):
        death.follow(self.TIMES if times is None else times, code, told)
        loss = {"failure": "reset_sent", "pid": 0, "mss": death.mss, "connect_ns": 0, **loss}
        return "".join(death.objections([loss]))

    def old(self, gone_ns=105):
        return deaths.Death(self.VICTIM, deaths.mss_of(3, 1), False, (self.VICTIM, self.OTHER), gone_ns)

    def new(self, gone_ns=105):
        return deaths.Death(self.VICTIM, deaths.mss_of(4, 1), True, (self.OTHER,), gone_ns)

    def test_what_it_had(self):
        for death in (self.old(), self.new()):
            self.assertEqual(self.objection(death, pid=self.VICTIM, mss=0, connect_ns=1), "")
            self.assertEqual(self.objection(death, connect_ns=104), "")

    def test_kinds(self):
        for failure in ("refused", "timeout_connect", "timeout_answer", "bad_status", "bad_body", "other"):
            self.assertIn("like that", self.objection(self.old(), failure=failure))

    def test_of_another(self):
        self.assertIn("of process 8", self.objection(self.old(), pid=self.OTHER))
        self.assertIn("of process 9", self.objection(self.new(), pid=self.NEXT))
        for mss in (0, deaths.mss_of(3, 2), deaths.mss_of(4, 1)):
            self.assertIn("not one of process 7", self.objection(self.old(), mss=mss))

    def test_handed_over(self):
        self.assertEqual(self.objection(self.new(), pid=self.OTHER), "")
        times = {step: at for step, at in self.TIMES.items() if step[0] != "drain"}
        self.assertIn("of process 8", self.objection(self.new(), times, pid=self.OTHER))

    def test_new_without_traffic(self):
        for loss in ({}, {"pid": self.VICTIM}):
            self.assertIn("before it had any", self.objection(self.new(), {("result", "end"): 200}, 1, **loss))

    def test_after_the_shift(self):
        """At an old one, be it dead or not, there is nothing any more; and while the next one serves its queue nothing
        is lost that came after its death."""
        never = " gen=1 instance=1 crash=7 how=\"signal 9 (SIGKILL)\" lived_ms=900 failures=1 restarts=0 next=relaunch\n"
        again = never + "2026-11-26T05:00:00Z rpctl pid=3 service=default gen=1 instance=1 launched=9\n"
        self.assertIn("begun", self.objection(self.old(gone_ns=150), connect_ns=111))
        self.assertIn("begun", self.objection(self.old(gone_ns=105), told=again, connect_ns=106))
        self.assertEqual(self.objection(self.old(gone_ns=105), told=never, connect_ns=109), "")
        self.assertIn("begun", self.objection(self.old(gone_ns=105), told=never, connect_ns=111))

    def test_after_the_result(self):
        self.assertEqual(self.objection(self.new(), code=3, connect_ns=199), "")
        self.assertIn("begun", self.objection(self.new(), code=3, connect_ns=201))
        self.assertIn("begun", self.objection(self.old(), code=3, connect_ns=106))
        self.assertIn("begun", self.objection(self.new(), code=0, connect_ns=106))


if __name__ == "__main__":
    harness.main()
