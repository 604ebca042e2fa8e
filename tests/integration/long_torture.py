"""The long form of test_torture.py, started by tests/torture.sh: every allocation and every system call fails once; one
line for each."""

import os
import sys

import harness
import torture

SCENARIOS = os.environ.get("RP_TORTURE_SCENARIOS", " ".join(torture.SCENARIOS)).split()
KINDS = os.environ.get("RP_TORTURE_KINDS", " ".join(torture.KINDS)).split()
UNDER_LOAD = ("upgrade", "killed", "takeover")
FIRST = int(os.environ.get("RP_TORTURE_FIRST", "1"))
STEP = int(os.environ.get("RP_TORTURE_STEP", "1"))


class LongTortureTest(harness.Case):
    def torture(self, scenario, kind):
        run, what = torture.new(self, scenario, shown=True)
        if what != "start":
            run.start()
        if what in UNDER_LOAD:
            with run.load() as load:
                run.every(what, kind, FIRST, STEP)
                total = self.assert_spotless(load)["total"]
            more = f"; {total['answers']} answers, {total['failed']} requests failed"
        else:
            run.every(what, kind, FIRST, STEP)
            more = ""
        run.figure(scenario, kind, more)
        if what != "start":
            run.stop()


def add_tests():
    for scenario in SCENARIOS:
        for kind in KINDS:
            def test(self, scenario=scenario, kind=kind):
                self.torture(scenario, kind)

            setattr(LongTortureTest, f"test_{scenario}_{kind}", test)


if __name__ == "__main__":
    if not KINDS or not set(KINDS) <= set(torture.KINDS) or not SCENARIOS or not set(SCENARIOS) <= set(torture.SCENARIOS):
        sys.exit("nothing to do: see tests/torture.sh")
    add_tests()
    harness.main()
