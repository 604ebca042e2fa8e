"""What judges `status` in the random run sees every kind of lie: else a pass there would prove nothing."""

import os
import signal

import harness
import status_truth

PID = 1 << 30  # of nobody


def generation(number, state="serving", pid=PID, instance_state="ready"):
    return {"generation": number, "state": state, "share": 100 if state == "serving" else 0,
            "instances": [{"instance": 1, "pid": pid, "state": instance_state}]}


def operation(old, new, phase="health"):
    return {"operation": "upgrade", "from": old, "to": new, "phase": phase}


def answer(asked, *generations, shown=None, got=None):
    status = {"generations": list(generations)}
    if shown:
        status["operation"] = shown
    return status_truth.Answer(asked, got or asked + 0.001, status)


def episode(code, before=1, to=2, shifted=None, **rest):
    """Commanded at 10, announced at 11, and its result was sent at 20 at the earliest and read at 21."""
    after = to if code == 0 else before
    return status_truth.Episode(10.0, before, announced=11.0, to=to, shifted=shifted, result_read=21.0,
                                result={"exit": code, "generation": after, "ms": 10000.0}, **rest)


class LedgerTest(harness.Case):
    def complaints(self, code, *answers, earlier=None, **rest):
        return list(status_truth.judge(answers, earlier, episode(code, **rest)))

    def assert_lie(self, text, code, *answers, **rest):
        found = self.complaints(code, *answers, **rest)
        self.assertTrue(any(text in complaint for complaint in found), f"{text!r} is not in {found}")

    def test_the_truth(self):
        old, new = generation(1), generation(2, "proving", instance_state="starting")
        both = (generation(2), generation(1, "draining", instance_state="stopping"))
        self.assertEqual(self.complaints(
            0, answer(9, old), answer(12, old, new, shown=operation(1, 2)), answer(16, *both, shown=operation(1, 2)),
            answer(20.5, *both, shown=operation(1, 2)), answer(22, generation(2)), shifted=15.0), [])
        self.assertEqual(self.complaints(3, answer(12, old, new, shown=operation(1, 2)),
                                         answer(13, *both, shown=operation(1, 2)),
                                         answer(14, old, new, shown=operation(1, 2)), answer(22, old)), [])

    def test_the_ends_are_not_known_exactly(self):
        """Between the command and the first event, and from the result on its way to its arrival, both are true."""
        for moment in (10.5, 20.5):
            self.assertEqual(self.complaints(1, answer(moment, generation(1))), [])
            self.assertEqual(self.complaints(1, answer(moment, generation(1), shown=operation(1, 2))), [])

    def test_an_operation_where_none_is(self):
        for moment in (9, 22):
            self.assert_lie("not under way", 1, answer(moment, generation(1), shown=operation(1, 2)))
        self.assert_lie("not under way", 1, answer(12, generation(1), shown=operation(1, 3)))

    def test_no_operation_where_one_is(self):
        self.assert_lie("one is under way", 1, answer(12, generation(1)))

    def test_the_wrong_one_serves(self):
        self.assert_lie("said to serve", 0, answer(22, generation(1)))
        self.assert_lie("said to serve", 3, answer(22, generation(2)))
        self.assert_lie("said to serve", 0, answer(9, generation(2)))
        self.assert_lie("after the shift", 0, answer(16, generation(1), shown=operation(1, 2)), shifted=15.0)
        self.assert_lie("not [1]", 1, answer(12, generation(2), generation(1, "standby"), shown=operation(1, 2)))

    def test_to_and_fro(self):
        answers = [answer(12 + i, generation(1 + i % 2), shown=operation(1, 2)) for i in range(4)]
        self.assert_lie("served, not", 3, *answers)
        self.assert_lie("served, not", 0, *answers[:3])

    def test_something_is_left(self):
        self.assert_lie("are shown, not", 1, answer(22, generation(1), generation(2, "stopping")))
        self.assert_lie("nothing is under way", 1, answer(22, generation(1, instance_state="stopping")))

    def test_what_drains(self):
        shown, drains = operation(2, 3), generation(1, "draining", instance_state="stopping")
        told = (answer(9, generation(2), drains), answer(12, generation(2), drains, shown=shown),
                answer(22, generation(3), drains, generation(2, "draining", instance_state="stopping")))
        kept = {"before": 2, "to": 3, "keeps_old": True}
        self.assertEqual(self.complaints(0, *told, drain=frozenset({1}), **kept), [])
        self.assertEqual(self.complaints(1, told[0], before=2, to=3, gone=frozenset({1})), [])
        self.assert_lie("are shown, not", 0, told[1], **kept)
        self.assert_lie("generation 1 is not shown", 0, answer(12, generation(2), shown=shown), drain=frozenset({1}), **kept)
        self.assert_lie("generation 2 is not shown", 0, answer(22, generation(3)), **kept)

    def test_the_episode_before(self):
        """Its result is on its way still, or it is over."""
        earlier = status_truth.Episode(5.0, 1, announced=5.5, to=9, result_read=8.0,
                                       result={"exit": 1, "generation": 1, "ms": 2000.0})
        shown = operation(1, 9)
        self.assertEqual(self.complaints(1, answer(7.5, generation(1), shown=shown), earlier=earlier), [])
        self.assert_lie("not under way", 1, answer(8.5, generation(1), shown=shown), earlier=earlier)


class FormTest(harness.Case):
    def complaints(self, *generations, shown=None):
        return list(status_truth.claims_of_form(answer(1, *generations, shown=shown)))

    def test_how_many_serve(self):
        self.assertEqual(self.complaints(generation(1), generation(2, "proving")), [])
        self.assertIn("2 generations serve", self.complaints(generation(1), generation(2)))
        self.assertIn("0 generations serve", self.complaints(generation(1, "standby")))

    def test_share_and_phase(self):
        self.assertTrue(self.complaints({**generation(1), "share": 50}))
        self.assertTrue(self.complaints(generation(1), shown=operation(1, 2, "thinking")))


class ProcessTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.processes = status_truth.Processes()
        self.addCleanup(self.processes.close)
        self.child = self.box.spawn("/usr/bin/tail", "-f", "/dev/null", env={"RP_GENERATION": "1"})
        self.addCleanup(self.child.wait)
        self.addCleanup(self.child.kill)

    def complaints(self, number=1, state="ready"):
        self.processes.note_deaths()
        told = answer(1, generation(number, pid=self.child.pid, instance_state=state))
        return list(status_truth.claims_about_processes(told, self.processes))

    def end_child(self):
        os.kill(self.child.pid, signal.SIGKILL)
        harness.wait_gone(self.child.pid)

    def test_not_launched_yet(self):
        told = answer(1, generation(1, pid=0, instance_state="starting"))
        self.assertEqual(list(status_truth.claims_about_processes(told, self.processes)), [])
        self.end_child()

    def test_alive(self):
        self.assertEqual(self.complaints(), [])
        self.assertRegex(self.complaints(state="exited")[0], "is called exited and lives")
        self.end_child()

    def test_dead(self):
        self.assertEqual(self.complaints(), [])
        self.end_child()
        self.assertRegex(self.complaints()[0], "is called ready and was dead before")
        self.assertEqual(self.complaints(state="exited"), [])

    def test_dead_when_it_is_first_named(self):
        """It may have died after it was named; the second time it cannot."""
        self.end_child()
        self.child.wait()
        self.assertEqual(self.complaints(), [])
        self.assertRegex(self.complaints()[0], "was dead before")

    def test_of_another_generation(self):
        # The kernel shows the new environment a moment after exec() is known to have worked.
        harness.wait_until(lambda: status_truth.generation_of(self.child.pid), "its environment is there")
        self.assertRegex(self.complaints(number=2)[0], "is of generation 1, not 2")
        self.end_child()


if __name__ == "__main__":
    harness.main()
