"""`rpctl run` in the foreground: what it prints, how it ends, and that nobody who does not read can hold it up."""

import contextlib
import fcntl
import os
import signal
import subprocess

import harness
import services
import terminal

PIPE_BYTES = 4096  # the smallest there is: soon full
UPGRADES = 3


class RunCase(services.ServiceCase):
    def run_service(self, *words, options=(), json_output=False, binary=services.V1, more=(), **rest):
        command = self.box.rpctl_command([*words, "run", "--bake", "0", *options, binary, *self.listen, *more],
                                         json_output=json_output)
        run = self.box.spawn(*command, **rest)
        harness.wait_until(self.has_started, "the service has started")
        return run

    def has_started(self):
        status = self.box.status()
        return status and "operation" not in status

    def interrupt(self, run, number=signal.SIGINT):
        os.kill(run.pid, number)

    def end(self, run, code=0):
        self.interrupt(run)
        self.assertEqual(run.wait(harness.DEADLINE), code, run.log_path.read_text(errors="replace"))
        self.assertEqual(harness.sockets_in_state("LISTEN", self.port), 0)


class OutputTest(RunCase):
    def test_events_and_logs(self):
        """Events on stdout in plain lines, what the servers write on stderr."""
        run = self.run_service(stdout=subprocess.PIPE)
        self.upgrade(services.V2)
        self.end(run)
        out, log = run.stdout.read().decode(), run.log_path.read_text()
        self.assertRegex(out, r"(?m)^start default: generation 1 +server-v1$")
        self.assertRegex(out, r"(?m)^upgrade default: generation 1 -> 2 +server-v2$")
        for phase in ("launch", "ready", "health", "shift", "drain"):
            self.assertRegex(out, rf"(?m)^ +{phase} .* ms$")
        self.assertRegex(out, r"(?m)^upgraded in ")
        self.assertNotIn("\r", out)
        self.assertNotIn("\x1b", out)
        for generation in (1, 2):
            self.assertRegex(log, rf"(?m)^gen={generation} pid=\d+ event=listening")
            self.assertRegex(log, rf"(?m)^gen={generation} pid=\d+ event=drained")

    def test_json(self):
        run = self.run_service(stdout=subprocess.PIPE, json_output=True)
        self.upgrade(services.V2)
        self.end(run)
        outcome = harness.Outcome(run.returncode, run.stdout.read().decode(), "")
        self.assertEqual(len(outcome.events), len(outcome.out.splitlines()))
        results = [(e["operation"], e["exit"]) for e in outcome.events if e["event"] == "result"]
        self.assertEqual(results[:2], [("start", 0), ("upgrade", 0)])

    def test_logs_on_a_terminal(self):
        """They do not steer it."""
        evil = services.script(self.box, "evil", "#!/bin/sh\nprintf 'owned \\033]0;title\\007\\033[2J\\n' >&2\n"
                               f'exec {services.V1} "$@"\n')
        words = self.box.rpctl_command(["run", "--bake", "0", evil, *self.listen], json_output=False)
        with terminal.Terminal(self.box, words, columns=200) as shown:
            shown.until(lambda text: r"owned \x1b]0;title\x07\x1b[2J" in text and "event=ready" in text, "the log is relayed")
            harness.wait_until(self.has_started, "the service has started")
            shown.interrupt()
            self.assertEqual(shown.finish(), 0)

    def test_quiet(self):
        run = self.run_service("-q", stdout=subprocess.PIPE)
        self.upgrade(services.V2)
        self.end(run)
        self.assertEqual(run.stdout.read(), b"")

    def test_a_log_that_was_written_before_it_was_looked_at(self):
        """Every line of a release that says much at once arrives, and once."""
        lines = 20000
        program = services.script(self.box, "talks", "#!/bin/sh\n"
                                  f'seq -f "line %.0f of a long story" {lines} >&2\nexec {services.V1} "$@"\n')
        run = self.run_service(binary=program)
        self.end(run)
        told = [line for line in run.log_path.read_text().splitlines() if line.endswith("of a long story")]
        self.assertEqual(told, [f"line {i} of a long story" for i in range(1, lines + 1)])


class EndTest(RunCase):
    def test_a_request_in_progress_is_finished(self):
        run = self.run_service()
        download = self.download(size=8 << 20)
        self.interrupt(run)
        harness.wait_until(lambda: harness.sockets_in_state("LISTEN", self.port) == 0, "the drain has begun")
        self.assertIsNone(run.poll())
        self.assertTrue(download.is_whole())
        self.assertEqual(run.wait(harness.DEADLINE), 0)

    def test_the_second_signal_ends_it_at_once(self):
        for first, second in ((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM),
                              (signal.SIGINT, signal.SIGTERM)):
            run = self.run_service(options=("--drain-timeout", "1h"))
            pid = self.pid_of(1)
            download = self.download()
            self.interrupt(run, first)
            harness.wait_until(lambda: harness.sockets_in_state("LISTEN", self.port) == 0, "the drain has begun")
            self.interrupt(run, second)
            run.wait(harness.DEADLINE)
            self.assertFalse(harness.process_exists(pid))
            self.assertFalse(download.is_whole())

    def test_a_signal_before_the_first_release_is_ready(self):
        command = self.box.rpctl_command(["run", services.V1, *self.listen, "--start-delay", "1h"])
        run = self.box.spawn(*command)
        harness.wait_until(lambda: self.box.status() and self.box.status()["generations"], "it has been launched")
        pid = self.pid_of(1)
        self.interrupt(run)
        run.wait(harness.DEADLINE)
        self.assertFalse(harness.process_exists(pid))

    def test_a_first_release_that_fails(self):
        """The supervisor has nothing to supervise, and its exit status says why."""
        for words, code in ((("/bin/false",), 1), ((self.box.dir / "missing",), 6)):
            outcome = self.box.rpctl("run", *words, json_output=False)
            self.assert_code(outcome, code)
            self.assertIn(os.path.basename(words[0]), outcome.out + outcome.err)
            self.assert_code(self.box.rpctl("status"), 5)

    def test_deadline_of_the_drain(self):
        """What the server cuts a second before the deadline it counts itself."""
        run = self.run_service(options=("--drain-timeout", "1500ms"))
        download = self.download()
        self.interrupt(run)
        run.wait(harness.DEADLINE)
        self.assertFalse(download.is_whole())
        self.assertRegex(run.log_path.read_text(), r"event=drained finished=\d+ cut=1")


class BesideAnotherTest(RunCase):
    def test_one_is_there(self):
        self.start()
        outcome = self.assert_code(self.box.rpctl("run", services.V2, *self.listen, json_output=False), 4)
        self.assertRegex(outcome.out + outcome.err, r"\A[^\n]*already[^\n]*\n\Z")
        self.assertEqual(self.get().version, "v1")
        self.stop()

    def test_one_is_ending(self):
        """Two supervisors never serve one name, and the next one can begin as soon as the last is gone."""
        first = self.run_service()
        download = self.download(size=8 << 20)
        self.interrupt(first)
        harness.wait_until(lambda: harness.sockets_in_state("LISTEN", self.port) == 0, "the drain has begun")
        self.assert_code(self.box.rpctl("run", services.V2, *self.listen), 4)
        self.assertTrue(download.is_whole())
        self.assertEqual(first.wait(harness.DEADLINE), 0)
        second = self.run_service()
        self.end(second)


class NobodyReadsTest(RunCase):
    def pipe(self):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.addCleanup(os.close, reader)
        return reader, writer

    @staticmethod
    def fill(writer):
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 64)
        os.set_blocking(writer, True)  # as a shell gives it

    def check_upgrades(self, run):
        with self.load(fresh=4, keep_alive=4) as load:
            for i in range(UPGRADES):
                load.answers(50)
                self.upgrade(services.V2 if i % 2 == 0 else services.V1)
            self.assert_spotless(load)
        self.end(run)

    def run_with(self, **streams):
        """Like run_service, without a file for what is not given."""
        command = self.box.rpctl_command(["run", "--bake", "0", services.V1, *self.listen], json_output=False)
        run = self.box.spawn(*command, **streams)
        harness.wait_until(self.has_started, "the service has started")
        return run

    def test_stdout_is_full(self):
        _, writer = self.pipe()
        self.fill(writer)
        run = self.run_with(stdout=writer)
        os.close(writer)
        self.check_upgrades(run)

    def test_stderr_is_full(self):
        """The servers' logs and the supervisor's own lines."""
        _, writer = self.pipe()
        self.fill(writer)
        run = self.run_with_stderr(writer)
        os.close(writer)
        self.check_upgrades(run)

    def run_with_stderr(self, descriptor):
        command = ["/bin/sh", "-c", f'exec "$@" 2>&{descriptor}', "sh",
                   *self.box.rpctl_command(["run", "--bake", "0", services.V1, *self.listen], json_output=False)]
        run = self.box.spawn(*command, pass_fds=(descriptor,))
        harness.wait_until(self.has_started, "the service has started")
        return run

    def test_what_was_held_back_is_told_later(self):
        """The servers' logs wait in their files until somebody reads."""
        reader, writer = self.pipe()
        self.fill(writer)
        run = self.run_with_stderr(writer)
        os.close(writer)
        lines = harness.LineReader(reader)
        found = ""
        while "event=ready" not in found:
            found = lines.next()
        self.assertIn("gen=1", found)
        self.end(run)

    def test_the_reader_goes_away(self):
        for redirection in ("", "2>&1"):
            reader, writer = os.pipe()
            command = ["/bin/sh", "-c", f'exec "$@" >&{writer} {redirection}', "sh",
                       *self.box.rpctl_command(["run", "--bake", "0", services.V1, *self.listen], json_output=False)]
            run = self.box.spawn(*command, pass_fds=(writer,))
            os.close(writer)
            harness.wait_until(self.has_started, "the service has started")
            os.close(reader)
            self.check_upgrades(run)

    def test_stdout_is_closed(self):
        """Nothing that is opened later takes its place and gets the events."""
        command = ["/bin/sh", "-c", 'exec "$@" >&-', "sh",
                   *self.box.rpctl_command(["run", "--bake", "0", services.V1, *self.listen], json_output=False)]
        run = self.box.spawn(*command)
        harness.wait_until(self.has_started, "the service has started")
        self.check_upgrades(run)


if __name__ == "__main__":
    harness.main()
