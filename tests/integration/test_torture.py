"""Whatever allocation or system call of the supervisor fails, the outcome is one of the documented ones, and it is true.

Each run takes others of the many; tests/torture.sh takes all of them.
"""

import os
import signal

import harness
import torture
import torture_sample

# Between two that fail.
MEMORY_STEP = 211 if harness.SANITIZED else 41
FOREIGN_STEP = 1401 if harness.SANITIZED else 401
CRASH_STEP = 61 if harness.SANITIZED else 11
START_STEP = 97 if harness.SANITIZED else 59
STOP_STEP = 61 if harness.SANITIZED else 31
SWEEP_CALLS = {"opendir", "readdir", "closedir", "open", "read", "close", "getsid", "pidfd_open", "pidfd_send_signal"}


class TortureTest(torture_sample.SampleCase):
    def test_memory(self):
        self.under_load("upgrade", "memory", lambda run, *what: run.every(*what, self.offset(MEMORY_STEP), MEMORY_STEP))

    def test_calls(self):
        self.under_load("upgrade", "call", lambda run, *what: run.of_each_call(*what, self.choose))

    def test_foreign(self):
        for kind in torture.KINDS:
            self.under_load("foreign", kind, lambda run, *what: run.every(*what, self.offset(FOREIGN_STEP), FOREIGN_STEP))

    def test_leaving(self):
        self.under_load("leaving", "call", lambda run, *what: run.of_each_call(*what, self.choose, SWEEP_CALLS))

    def every(self, scenario, step):
        run, what = torture.new(self, scenario)
        if what != "start":
            run.start()
        for kind in torture.KINDS:
            run.every(what, kind, self.offset(step), step)
            run.figure(scenario, kind)
        if what != "start":
            run.stop()

    def test_crash(self):
        self.every("crash", CRASH_STEP)

    def test_start(self):
        self.every("start", START_STEP)

    def test_stop(self):
        self.every("stop", STOP_STEP)

    def test_signals(self):
        """A process that could not be told to stop is told again: it drains, and is not killed at the deadline."""
        run = torture.Torture(self)
        run.start()
        for scenario in ("upgrade", "stop"):
            run.fail(scenario, "call", 1, "pidfd_send_signal")
        self.assertEqual([met.code for met in run.met], [0, 0])
        run.stop()

    def test_kill(self):
        """At the deadline it is killed, if need be in a second try."""
        run = torture.Torture(self)
        run.start()
        os.kill(run.instance()["pid"], signal.SIGSTOP)
        run.fail("stop", "call", 2, "pidfd_send_signal")
        self.assertEqual([met.code for met in run.met], [7])
        run.stop()

    def test_lost_listeners(self):
        """No room for the descriptors that the new release sends: that is no service with a listener too few."""
        run = torture.Torture(self)
        run.start()
        run.fail("upgrade", "call", 1, "recvmsg (descriptors)")
        [met] = run.met
        self.assertEqual(met.code, 1)
        self.assertRegex(met.reason, "descriptors sent by process .* were lost: too many open files")
        run.stop()


if __name__ == "__main__":
    harness.main()
