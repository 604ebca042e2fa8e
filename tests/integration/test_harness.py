"""The harness itself: what it starts it ends, what is left it sees, also when a test is killed."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import textwrap

import harness


class HarnessTest(harness.Case):
    def test_namespace(self):
        if not harness.has_namespace():
            self.skipTest("no namespace here")
        interfaces = [line.split(":")[0].strip() for line in pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]]
        self.assertEqual(interfaces, ["lo"])
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
        path = pathlib.Path("/proc/sys/net/ipv4/tcp_migrate_req")
        self.assertEqual(path.read_text().strip() if path.exists() else "0", "0")

    def test_ports_are_held_but_free_for_reuseport(self):
        port = self.box.port("127.0.0.1", "::1", "0.0.0.0")
        self.assertNotEqual(port, self.box.port("127.0.0.1"))
        with socket.socket() as stranger, self.assertRaises(OSError):
            stranger.bind(("127.0.0.1", port))
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
            socket.create_connection(("127.0.0.1", port)).close()

    def test_waits_have_a_deadline(self):
        with self.assertRaises(harness.Timeout):
            harness.wait_until(lambda: False, "never", timeout=0.01)
        with self.assertRaises(harness.Timeout):
            harness.wait_gone(os.getpid(), timeout=0.01)
        reading, writing = os.pipe()
        with self.assertRaises(harness.Timeout):
            harness.LineReader(reading).next(timeout=0.01)
        os.write(writing, b"one\ntwo\nrest")
        os.close(writing)
        lines = harness.LineReader(reading)
        self.assertEqual([lines.next() for _ in range(4)], ["one", "two", "rest", None])
        os.close(reading)

    def test_left_processes_are_found_and_ended(self):
        box = harness.Box()
        child = box.spawn("cat", stdin=subprocess.PIPE)
        # A grandchild that nobody but the environment leads to.
        box.spawn("sh", "-c", "setsid cat <&3 & exit 0", pass_fds=[], stdin=subprocess.DEVNULL).wait()
        self.assertIn(child.pid, box.left_over())
        (box.work / "stray").write_text("")
        self.assertEqual(len(box.strays()), 1)
        box.destroy()
        self.assertEqual(box.left_over(), [])
        self.assertFalse(box.dir.exists())

    def test_sanitizer_reports_are_found(self):
        pathlib.Path(self.box.dir, "sanitizer.1").write_text("ERROR: AddressSanitizer\n")
        self.assertEqual(self.box.sanitizer_reports(), ["ERROR: AddressSanitizer\n"])
        pathlib.Path(self.box.dir, "sanitizer.1").unlink()

    def test_counts(self):
        before = harness.descriptor_count(os.getpid())
        with socket.socket():
            self.assertEqual(harness.descriptor_count(os.getpid()), before + 1)
        self.assertGreater(harness.memory_kib(os.getpid()), 1000)
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.assertEqual(harness.sockets_in_state("LISTEN", server.getsockname()[1]), 1)

    def run_inner(self, body):
        """Runs a test file that holds `body` as its only test, in namespaces of its own."""
        path = self.box.dir / "inner.py"
        path.write_text(f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\nimport harness, os, signal, subprocess\n"
                        f"class T(harness.Case):\n    def test(self):\n{textwrap.indent(body, ' ' * 8)}\nharness.main()\n")
        env = {k: v for k, v in os.environ.items() if k != harness.INSIDE} | {"TMPDIR": str(self.box.dir)}
        return subprocess.Popen([sys.executable, "-B", path], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_exit_status(self):
        for body, code, words in (
            ("pass", 0, b"OK"),
            ("self.fail('broken')", 1, b"broken"),
            ("self.skipTest('not here')", harness.SKIPPED, b"not here"),
            ("self.box.spawn('cat', stdin=subprocess.PIPE)", 1, b"processes are left"),
            ("(self.box.home / 'x').write_text('')", 1, b"files are left"),
            ("(self.box.dir / 'sanitizer.7').write_text('overflow')", 1, b"overflow"),
        ):
            inner = self.run_inner(body)
            out = inner.communicate(timeout=harness.DEADLINE)[0]
            self.assertEqual(inner.returncode, code, out.decode())
            self.assertIn(words, out)

    def test_a_killed_test_leaves_nothing(self):
        """Neither by a signal that it can handle nor by one that it cannot."""
        body = "self.box.spawn('sh', '-c', 'echo; echo on; exec cat', stdin=subprocess.PIPE, stdout=1).wait()"
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if number == signal.SIGKILL and not harness.has_namespace():
                continue  # it is the kernel that ends a PID namespace
            with self.subTest(number), self.run_inner(body) as inner:
                lines = harness.LineReader(inner.stdout.fileno())
                while lines.next() != "on":
                    pass
                os.kill(inner.pid if number == signal.SIGKILL else self.python_of(inner), number)
                # The pipe ends when the last process that has it as its output has ended.
                while lines.next() is not None:
                    pass

    def python_of(self, inner):
        """The test itself: unshare, which waits for it, ignores what it can."""
        if not harness.has_namespace():
            return inner.pid
        return int(pathlib.Path(f"/proc/{inner.pid}/task/{inner.pid}/children").read_text().split()[0])


if __name__ == "__main__":
    harness.main()
