"""The commands of rpctl: what they do, what they say, and their exit status."""

import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess

import harness
import terminal

V1, V2 = harness.BIN_DIR / "server-v1", harness.BIN_DIR / "server-v2"


class CommandCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.port = self.box.port("127.0.0.1", "0.0.0.0")
        self.listen = ("--listen", f"127.0.0.1:{self.port}", "--workers", "2")

    def start(self, *options, **rest):
        return self.assert_code(self.box.rpctl("start", "--bake", "0", *options, V1, *self.listen, **rest), 0)

    def stop(self, **options):
        return self.assert_code(self.box.rpctl("stop", **options), 0)

    def version(self):
        answer = harness.get("127.0.0.1", self.port)
        return answer.version, answer.generation

    def slow_upgrade(self, *options):
        """An upgrade that stays in its health checks until it is aborted."""
        upgrade = self.box.operation("upgrade", "--health-count", "1000", "--health-interval", "20ms",
                                     "--ready-timeout", "5m", *options, V2)
        upgrade.until_phase("health")
        return upgrade

    def assert_one_line(self, outcome):
        self.assertRegex(outcome.err + outcome.out, r"\A[^\n]+\n\Z")


class LifeTest(CommandCase):
    def test_start_upgrade_stop(self):
        started = self.start()
        self.assertEqual(started.result["generation"], 1)
        self.assertEqual(self.version(), ("v1", "1"))
        upgraded = self.assert_code(self.box.rpctl("upgrade", V2), 0)  # keeps the arguments
        self.assertEqual(self.version(), ("v2", "2"))
        expected = ["pin", "launch", "ready", "health", "shift", "quiesce", "drain", "close"]
        self.assertEqual([phase for phase in upgraded.phases() if phase in expected], expected)
        self.assertEqual(upgraded.result["outcome"], "done")
        self.assertEqual(upgraded.result["witness"]["failed"], 0)
        self.stop()
        self.assertEqual(harness.sockets_in_state("LISTEN", self.port), 0)

    def test_plain_output(self):
        self.start()
        outcome = self.assert_code(self.box.rpctl("upgrade", "--bake", "0", V2, json_output=False), 0)
        self.assertRegex(outcome.out, r"upgrade default: generation 1 -> 2 +server-v2")
        for phase in ("launch", "ready", "health", "shift", "quiesce", "drain"):
            self.assertRegex(outcome.out, rf"(?m)^ +{phase} .* ms$")
        self.assertRegex(outcome.out, r"(?m)^upgraded in .*witness: \d+ requests, 0 failed")
        self.assertNotIn("\x1b", outcome.out)
        self.assertNotIn("\r", outcome.out)
        quiet = self.assert_code(self.box.rpctl("-q", "upgrade", "--bake", "0", V1, json_output=False), 0)
        self.assertEqual(quiet.out + quiet.err, "")
        self.stop()

    def test_restart(self):
        self.start()
        before = harness.get("127.0.0.1", self.port).pid
        self.assert_code(self.box.rpctl("restart", "--bake", "0"), 0)
        self.assertEqual(self.version(), ("v1", "2"))
        harness.wait_gone(before)
        self.stop()

    def test_bake_is_waited_for(self):
        self.start()
        outcome = self.assert_code(self.box.rpctl("upgrade", "--bake", "300ms", V2), 0)
        bake = next(e for e in outcome.events if e["event"] == "phase" and (e["phase"], e["state"]) == ("bake", "end"))
        self.assertGreaterEqual(bake["ms"], 298)  # libuv counts from the start of its turn, in whole milliseconds
        self.stop()

    def test_wait_shifted(self):
        """Returns while the old generation still drains; `stop` ends both."""
        self.start("--drain-timeout", "10s")
        with socket.create_connection(("127.0.0.1", self.port)) as slow:
            slow.sendall(b"GET /slow?ms=800 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assert_code(self.box.rpctl("upgrade", "--bake", "0", "--wait", "shifted", V2), 0)
            self.assertEqual(self.version()[0], "v2")
            answer = harness.Answer(b"".join(iter(lambda: slow.recv(4096), b"")))
        self.assertEqual((answer.status, answer.version), (200, "v1"))
        harness.wait_until(lambda: len(self.box.status()["generations"]) == 1, "the old generation is gone")
        self.stop()

    def test_two_services(self):
        other = self.box.port("127.0.0.1")
        self.start(name="one")
        self.assert_code(self.box.rpctl("start", V2, "--listen", f"127.0.0.1:{other}", name="two"), 0)
        self.assert_code(self.box.rpctl("upgrade", "--bake", "0", V2, name="one"), 0)
        self.assertEqual(self.version()[0], "v2")
        self.assertEqual(harness.get("127.0.0.1", other).generation, "1")
        self.stop(name="one")
        self.assertEqual(harness.get("127.0.0.1", other).version, "v2")
        self.stop(name="two")

    def test_started_again(self):
        self.start()
        self.stop()
        self.start()
        self.assertEqual(self.version()[0], "v1")
        self.stop()

    def test_a_dead_process_is_replaced(self):
        self.start()
        pid = harness.get("127.0.0.1", self.port).pid
        os.kill(pid, signal.SIGKILL)
        harness.wait_gone(pid)
        self.assertNotEqual(harness.get("127.0.0.1", self.port).pid, pid)  # may wait in the queue that was handed on
        self.stop()


class RunTest(CommandCase):
    def run_in_foreground(self):
        run = self.box.operation("run", "--bake", "0", V1, *self.listen)
        harness.wait_until(self.started, "the service has started")
        return run

    def started(self):
        status = self.box.status()
        return status and "operation" not in status

    def test_run(self):
        run = self.run_in_foreground()
        self.assertEqual(self.box.status()["supervisor"]["pid"], run.pid)
        self.assert_code(self.box.rpctl("upgrade", "--bake", "0", V2), 0)
        self.assertEqual(self.version(), ("v2", "2"))
        self.stop()
        self.assertEqual(run.finish().code, 0)

    def test_interrupt_drains(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            run = self.run_in_foreground()
            with socket.create_connection(("127.0.0.1", self.port)) as slow:
                slow.sendall(b"GET /slow?ms=300 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                harness.get("127.0.0.1", self.port)
                os.kill(run.pid, number)
                self.assertIn(b" 200 ", b"".join(iter(lambda: slow.recv(4096), b"")))
            self.assertEqual(run.finish().code, 0)

    def test_second_interrupt_ends_at_once(self):
        run = self.run_in_foreground()
        with socket.create_connection(("127.0.0.1", self.port)) as slow:
            slow.sendall(b"GET /slow?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n")
            harness.wait_until(lambda: harness.sockets_in_state("ESTABLISHED", self.port) > 0, "it is being served")
            os.kill(run.pid, signal.SIGINT)
            harness.wait_until(lambda: harness.sockets_in_state("LISTEN", self.port) == 0, "the drain has begun")
            os.kill(run.pid, signal.SIGINT)
            run.finish(timeout=5)


class LookTest(CommandCase):
    def test_status(self):
        self.start()
        status = self.box.status()
        self.assertNotIn("operation", status)
        (generation,) = status["generations"]
        self.assertEqual((generation["generation"], generation["state"], generation["share"]), (1, "serving", 100))
        self.assertEqual(generation["instances"][0]["pid"], harness.get("127.0.0.1", self.port).pid)
        self.assertIn(f"127.0.0.1:{self.port}", generation["addresses"])
        self.assertEqual(generation["listeners"], 2)
        text = self.assert_code(self.box.rpctl("status", json_output=False), 0).out
        self.assertIn("server-v1", text)
        self.assertIn(str(generation["instances"][0]["pid"]), text)
        self.stop()

    def test_status_during_an_upgrade(self):
        self.start()
        upgrade = self.slow_upgrade()
        status = self.box.status()
        self.assertEqual(status["operation"]["operation"], "upgrade")
        self.assertCountEqual([g["generation"] for g in status["generations"]], [1, 2])
        self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 1)
        self.stop()

    def test_logs(self):
        self.start()
        out = self.assert_code(self.box.rpctl("logs", json_output=False), 0).out
        self.assertIn(f"pid={harness.get('127.0.0.1', self.port).pid}", out)
        self.assertIn("gen=1", out)
        self.assert_code(self.box.rpctl("upgrade", "--bake", "0", V2), 0)
        self.assertIn("gen=2", self.assert_code(self.box.rpctl("logs", json_output=False), 0).out)
        self.stop()

    def test_logs_on_a_terminal(self):
        """What a server logs, perhaps because a client has sent it, must not steer the terminal of whoever reads it."""
        evil = b"owned \x1b]0;title\x07\x1b[2J\x9b31m\x0d gr\xc3\xbc\xc3\x9f\n"
        escaped = r"owned \x1b]0;title\x07\x1b[2J\x9b31m\x0d grüß"
        self.start()
        with open(self.box.rpctl_dir / "default/log/generation-1.log", "ab") as log:
            log.write(evil)
        command = self.box.rpctl_command(["logs"], json_output=False)
        with terminal.Terminal(self.box, command, columns=200) as shown:
            self.assertEqual(shown.finish(), 0)
            self.assertEqual(shown.screen.lines()[2], escaped)
        piped = subprocess.run(command, stdout=subprocess.PIPE, env=self.box.env, check=True)
        self.assertTrue(piped.stdout.endswith(b"\n" + evil))
        self.stop()

    def test_version_and_help(self):
        out = self.assert_code(self.box.rpctl("version", json_output=False), 0).out
        self.assertRegex(out, r"\Arpctl \d+\.\d+\.\d+")
        for words in (("help",), ("--help",), ("upgrade", "--help")):
            self.assertIn("usage: rpctl", self.assert_code(self.box.rpctl(*words, json_output=False), 0).out)

    def test_private_directory(self):
        self.start()
        folder = self.box.rpctl_dir / "default"
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        control = next(path for path in folder.iterdir() if path.is_socket())
        self.assertEqual(stat.S_IMODE(control.stat().st_mode), 0o600)
        self.stop()

    def test_long_directory(self):
        """Longer than the path of a Unix socket may be."""
        self.box.rpctl_dir = self.box.rpctl_dir / ("d" * 100) / ("e" * 100)
        self.box.rpctl_dir.mkdir(parents=True)
        self.box.env["RPCTL_DIR"] = str(self.box.rpctl_dir)
        self.start()
        self.assert_code(self.box.rpctl("upgrade", "--bake", "0", V2), 0)
        self.assertEqual(self.version()[0], "v2")
        self.stop()


class BusyTest(CommandCase):
    def test_second_operation(self):
        self.start()
        upgrade = self.slow_upgrade()
        for words in (("upgrade", V2), ("restart",)):
            outcome = self.assert_code(self.box.rpctl(*words), 4)
            self.assertIn("upgrade", outcome.result["reason"])
            self.assertRegex(outcome.result["reason"], r"since|\d\d:\d\d")
        self.assert_code(self.box.rpctl("abort"), 0)
        self.assert_code(upgrade.finish(), 1)
        self.assertEqual(self.version(), ("v1", "1"))
        self.stop()

    def test_abort(self):
        self.start()
        upgrade = self.slow_upgrade()
        new = next(g for g in self.box.status()["generations"] if g["generation"] == 2)["instances"][0]["pid"]
        self.assert_code(self.box.rpctl("abort"), 0)
        outcome = self.assert_code(upgrade.finish(), 1)
        self.assertIn("abort", outcome.result["reason"])
        harness.wait_gone(new)
        self.assertEqual([g["generation"] for g in self.box.status()["generations"]], [1])
        self.assert_code(self.box.rpctl("upgrade", "--bake", "0", V2), 0)  # and the way is free again
        self.stop()

    def test_abort_in_the_bake(self):
        self.start()
        with self.box.load(f"127.0.0.1:{self.port}", fresh=8, keep_alive=8) as load:
            upgrade = self.box.operation("upgrade", "--bake", "60s", V2)
            upgrade.until_phase("bake")
            load.answers(200)
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 3)
            load.answers(200)
            self.assert_spotless(load)
        self.assertEqual(self.version(), ("v1", "1"))
        self.stop()

    def test_nothing_to_abort(self):
        self.start()
        self.assert_code(self.box.rpctl("abort"), 1)
        self.stop()

    def test_client_is_killed(self):
        self.start()
        for number, phase in ((signal.SIGKILL, "health"), (signal.SIGINT, "bake")):
            upgrade = self.box.operation("upgrade", "--health-count", "20", "--health-interval", "20ms", "--bake", "500ms",
                                         V2 if number == signal.SIGKILL else V1)
            upgrade.until_phase(phase)
            os.kill(upgrade.pid, number)
            upgrade.child.wait(harness.DEADLINE)
            self.assertEqual(self.box.status()["operation"]["operation"], "upgrade")
            harness.wait_until(lambda: "operation" not in self.box.status(), "the upgrade ends without its client")
        self.assertIn("goes on", upgrade.child.log_path.read_text() + upgrade.out + upgrade.finish().out)
        self.assertEqual(self.version(), ("v1", "3"))
        self.stop()

    def test_supervisor_is_running_already(self):
        self.start()
        for command in ("start", "run"):
            outcome = self.box.rpctl(command, V1, *self.listen)
            self.assertNotEqual(outcome.code, 0, str(outcome))
            self.assertIn("already", outcome.out + outcome.err)
        self.assertEqual(self.version(), ("v1", "1"))
        self.stop()


class RefusedTest(CommandCase):
    def assert_as_before(self, outcome, code):
        self.assert_code(outcome, code)
        self.assertEqual(self.version(), ("v1", "1"))
        self.assertEqual(len(self.box.status()["generations"]), 1)

    def test_no_such_service(self):
        for words in (("upgrade", V1), ("restart",), ("abort",), ("status",), ("stop",), ("logs",)):
            if words != ("logs",):  # text only
                self.assertEqual(self.assert_code(self.box.rpctl(*words), 5).result["exit"], 5)
            self.assert_one_line(self.assert_code(self.box.rpctl(*words, json_output=False), 5))

    def test_usage(self):
        for words in ((), ("nonsense",), ("promote",), ("start",), ("upgrade",), ("upgrade", "--bake", "soon", V1),
                      ("upgrade", "--nonsense", V1), ("start", "--instances", "0", V1), ("start", "--health", "x", V1),
                      ("status", "more"), ("--name", "../x", "status"), ("--name", "", "status")):
            outcome = self.assert_code(self.box.rpctl(*words, json_output=False), 2)
            self.assertEqual(outcome.out, "", words)
        self.assertFalse((self.box.rpctl_dir / "default").exists())

    def test_bad_binaries(self):
        folder = self.box.dir / "programs"
        folder.mkdir()
        text = folder / "text"
        text.write_text("hello\n")
        text.chmod(0o755)
        plain = folder / "plain"
        plain.write_text("#!/bin/sh\n")
        plain.chmod(0o644)
        wrong = folder / "wrong"
        wrong.write_text("#!/no/such/interpreter\n")
        wrong.chmod(0o755)
        self.start()
        for path in (folder, folder / "missing", plain, "no-such-name-in-path"):
            outcome = self.box.rpctl("upgrade", path)
            self.assert_as_before(outcome, 6)
            self.assertIn(pathlib.Path(path).name, outcome.result["reason"])
        for path in (text, wrong):
            self.assertIn(self.box.rpctl("upgrade", path).code, (1, 6), path)
            self.assertEqual(self.version(), ("v1", "1"))
        self.stop()

    def test_start_fails(self):
        outcome = self.box.rpctl("start", self.box.dir / "missing")
        self.assert_code(outcome, 6)
        self.assert_code(self.box.rpctl("status"), 5)
        with socket.socket() as holder:  # without SO_REUSEPORT
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            outcome = self.box.rpctl("start", V1, "--listen", f"127.0.0.1:{port}")
            self.assertIn(outcome.code, (1, 6), str(outcome))
            self.assertIn(str(port), outcome.out + outcome.err)
        self.assert_code(self.box.rpctl("status"), 5)

    def test_new_version_exits(self):
        self.start()
        outcome = self.box.rpctl("upgrade", "/bin/false")
        self.assert_as_before(outcome, 1)
        self.assertIn("exit", outcome.result["reason"])
        outcome = self.box.rpctl("upgrade", V2, "--nonsense")
        self.assert_as_before(outcome, 1)
        self.assertIn("--nonsense", "\n".join(outcome.result["log"]))
        self.stop()

    def test_new_version_never_listens(self):
        self.start()
        self.assert_as_before(self.box.rpctl("upgrade", "--ready-timeout", "300ms", "/bin/cat", "/dev/zero"), 1)
        self.stop()

    def test_json_is_json(self):
        self.start()
        outcome = self.assert_code(self.box.rpctl("upgrade", "--bake", "0", V2), 0)
        lines = outcome.out.splitlines()
        events = [json.loads(line) for line in lines]
        self.assertEqual(events[-1]["event"], "result")
        self.assertEqual(events[-1]["exit"], 0)
        self.assertTrue(all(e["service"] == "default" for e in events))
        operation = next(e for e in events if e["event"] == "operation")
        self.assertEqual((operation["from"], operation["to"], operation["release"]), (1, 2, "server-v2"))
        self.assertTrue(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", operation["since"]))
        self.stop()


if __name__ == "__main__":
    harness.main()
