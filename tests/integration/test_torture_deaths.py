"""Whichever system call of the supervisor is the last it makes, the next supervisor has all in hand.

And what its end closes is out of sight of new connections, for a listener that closes takes one with it now and then.

Each run takes others of the many; tests/torture.sh takes all of them.
"""

import closed_listeners
import harness
import torture
import torture_sample

TAKEOVER_STEP = 149 if harness.SANITIZED else 79  # between two that are the last


class DeathsTest(torture_sample.SampleCase):
    def out_of_sight(self, work):
        def watched(run, *what):
            mark = run.mark
            with closed_listeners.out_of_sight(self, run.port) as read:
                run.mark = lambda name: (read(), mark(name))
                work(run, *what)

        return watched

    def test_killed(self):
        """The supervisor, instead of one call of each function."""
        self.under_load("killed", "call", self.out_of_sight(lambda run, *what: run.of_each_call(*what, self.choose)))

    def test_killed_before_the_stop_signal(self):
        """The state says that the old generation drains, but it was not told: the next supervisor tells it."""
        run = torture.Torture(self)
        run.start()
        run.fail("killed", "call", 1, "pidfd_send_signal")
        log = self.box.rpctl_dir / f"default/log/generation-{run.generation - 1}.log"
        self.assertIn("event=drained", log.read_text())
        run.stop()

    def test_killed_in_a_takeover(self):
        self.under_load("takeover", "call", self.out_of_sight(
            lambda run, *what: run.every(*what, self.offset(TAKEOVER_STEP), TAKEOVER_STEP)))


if __name__ == "__main__":
    harness.main()
