"""rp-load sees every kind of loss: one server that misbehaves in one way per test."""

import resource
import signal
import socket
import struct
import subprocess
import threading
import time

import harness

HOST = "127.0.0.1"


def greeting(peer, pid=4711, port=None):
    return f"Client [{peer[0]}:{port or peer[1]}] Received msg from Server PID: [{pid}]"


def answer(body, status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "X-Version: fault", *headers]
    return "\r\n".join([*lines, "", body]).encode()


class Connection:
    """The server's side of one connection."""

    def __init__(self, sock, peer):
        self.sock, self.peer, self.requests = sock, peer, 0

    def read_request(self):
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            more = self.sock.recv(4096)
            if not more:
                return False
            data += more
        self.requests += 1
        self.keep = b"keep-alive" in data
        return True

    def send_good(self, *headers):
        self.sock.sendall(answer(greeting(self.peer), "200 OK", *headers))

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class FaultServer:
    """A thread per connection, each running `behave(connection)`."""

    def __init__(self, behave, host=HOST, backlog=1024):
        self.behave = behave
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=backlog)
        self.address = harness.format_address(host, self.listener.getsockname()[1])
        self.open = []

    def __enter__(self):
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for sock in self.open:
            sock.close()

    def _accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock, peer), daemon=True).start()

    def _serve(self, sock, peer):
        try:
            if self.behave(Connection(sock, peer)) == "hold":
                self.open.append(sock)
                return
        except OSError:
            pass
        sock.close()


class LoadTest(harness.Case):
    def run_load(self, behave, count=20, host=HOST, **options):
        """Runs rp-load against `behave` until `count` requests have ended; returns the result."""
        with FaultServer(behave, host) as server, self.box.load(server.address, wait=False, **options) as load:
            load.answers(count)
            result = load.stop()
        self.load = load
        self.assertEqual(load.child.returncode, 1 if result["total"]["failed"] else 0)
        return result["total"]

    def assert_only(self, total, kind):
        failures = {name: count for name, count in total["failures"].items() if count}
        self.assertEqual(list(failures), [kind], f"{failures}\n{self.load.details()}")
        self.assertIn(f"failure={kind} ", self.load.details())

    def test_good_answers_are_counted(self):
        def behave(connection):
            while connection.read_request():
                connection.send_good("X-Generation: 3")
                if not connection.keep:
                    return

        total = self.run_load(behave, 200, fresh=3, keep_alive=3, options=("--think", "0-2ms"))
        self.assertEqual(total["failed"], 0, self.load.details())
        self.assertGreaterEqual(total["answers"], 200)
        self.assertEqual(total["versions"], {"fault": total["answers"]})
        self.assertEqual(total["generations"], {"3": total["answers"]})
        self.assertEqual(total["pids"], {"4711": total["answers"]})
        self.assertEqual(total["latency_us"]["count"], total["answers"])
        self.assertEqual(total["fresh"]["answers"] + total["keep_alive"]["answers"], total["answers"])
        self.assertGreater(total["latency_us"]["max"], 0)
        self.assertEqual(total["connections"], total["fresh"]["answers"] + 3)

    def test_ipv6(self):
        def behave(connection):
            connection.read_request()
            connection.send_good()

        self.assertEqual(self.run_load(behave, host="::1", fresh=2)["failed"], 0)

    def test_refused(self):
        port = self.box.port(HOST)
        with self.box.load(f"{HOST}:{port}", fresh=2, keep_alive=2, wait=False) as self.load:
            self.load.answers(8)
            total = self.load.stop()["total"]
        self.assert_only(total, "refused")
        self.assertGreater(total["fresh"]["failed"], 0)
        self.assertGreater(total["keep_alive"]["failed"], 0)

    def test_reset_before_the_request(self):
        # All clients connect before the first one looks again; the server resets those it has by then, which
        # is none when it does not get the CPU: then once more.
        for _ in range(20):
            total = self.run_load(Connection.reset, 3000, fresh=1000)
            failures = total["failures"]
            self.assertEqual(failures["reset_connect"] + failures["reset_sent"], total["failed"])
            self.assertEqual(total["answers"], 0)
            if failures["reset_connect"] > 0:
                return
        self.fail("no connection was reset before its request")

    def test_reset_after_the_request(self):
        def behave(connection):
            connection.read_request()
            connection.reset()

        self.assert_only(self.run_load(behave, fresh=2, keep_alive=2), "reset_sent")

    def test_reset_within_the_answer(self):
        def behave(connection):
            connection.read_request()
            connection.sock.sendall(answer("x" * 100)[:50])
            connection.reset()

        self.assert_only(self.run_load(behave, fresh=2), "reset_sent")

    def test_reset_behind_a_whole_answer(self):
        def behave(connection):
            connection.read_request()
            connection.send_good("Connection: close")
            connection.reset()

        self.assert_only(self.run_load(behave, fresh=2), "reset_sent")

    def test_closed_without_an_answer(self):
        self.assert_only(self.run_load(Connection.read_request, fresh=2, keep_alive=2), "eof_sent")

    def test_short_answers(self):
        for cut in (1, 20, -1):
            def behave(connection):
                connection.read_request()
                connection.sock.sendall(answer(greeting(connection.peer))[:cut])

            with self.subTest(cut=cut):
                self.assert_only(self.run_load(behave, fresh=2, keep_alive=1), "eof_sent")

    def test_short_chunked_answer(self):
        def behave(connection):
            connection.read_request()
            connection.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

        self.assert_only(self.run_load(behave, fresh=2, options=("--path", "/x")), "eof_sent")

    def test_no_connection_in_time(self):
        with socket.create_server((HOST, 0), backlog=0) as listener, socket.socket() as filler:
            filler.connect(listener.getsockname())  # the queue takes one; the next SYNs are dropped
            address = harness.format_address(HOST, listener.getsockname()[1])
            with self.box.load(address, fresh=2, wait=False, options=("--timeout", "100ms")) as self.load:
                self.load.answers(4)
                total = self.load.stop()["total"]
        self.assert_only(total, "timeout_connect")

    def test_no_answer_in_time(self):
        def behave(connection):
            connection.read_request()
            return "hold"

        self.assert_only(self.run_load(behave, 6, fresh=2, keep_alive=1, options=("--timeout", "100ms")), "timeout_answer")

    def test_announced_close_that_does_not_come(self):
        def behave(connection):
            connection.read_request()
            connection.send_good("Connection: close")
            return "hold"

        self.assert_only(self.run_load(behave, 6, fresh=2, keep_alive=1, options=("--timeout", "100ms")), "timeout_answer")

    def test_bad_status(self):
        def behave(connection):
            connection.read_request()
            connection.sock.sendall(answer("busy", "503 Service Unavailable"))

        self.assert_only(self.run_load(behave, fresh=2, keep_alive=1), "bad_status")

    def test_bad_bodies(self):
        bodies = {
            "other text": lambda c: answer("hello"),
            "another client's answer": lambda c: answer(greeting(c.peer, port=1)),
            "not HTTP": lambda c: b"hello\r\n\r\n",
            "no length": lambda c: b"HTTP/1.1 200 OK\r\n\r\n" + greeting(c.peer).encode(),
            "too many bytes": lambda c: answer(greeting(c.peer)) + b"x",
            "longer than any greeting": lambda c: answer(greeting(c.peer) + "x" * 1000),
        }
        for name, body in bodies.items():
            def behave(connection):
                connection.read_request()
                connection.sock.sendall(body(connection))

            with self.subTest(name):
                self.assert_only(self.run_load(behave, fresh=2), "bad_body")

    def test_bytes_while_thinking(self):
        def behave(connection):
            while connection.read_request():
                connection.send_good()
                connection.sock.sendall(b"x")

        self.assertGreater(self.run_load(behave, keep_alive=2, options=("--think", "50-60ms"))["failures"]["bad_body"], 0)

    def test_no_descriptors(self):
        with FaultServer(Connection.read_request) as server:
            command = [harness.BIN_DIR / "rp-load", "--json", "--connect", server.address, "--fresh", "30", "--duration", "100ms"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("failure=other", done.stderr)

    def test_idle_close_is_no_failure(self):
        def behave(connection):
            connection.read_request()
            # Answer and FIN leave together, so that no request can be on its way when it closes.
            connection.sock.send(answer(greeting(connection.peer)), socket.MSG_MORE)

        total = self.run_load(behave, keep_alive=4, options=("--think", "30-40ms"))
        self.assertEqual(total["failed"], 0, self.load.details())
        self.assertGreaterEqual(total["idle_closes"], total["answers"] - 4)
        self.assertEqual(total["announced_closes"], 0)

    def test_idle_reset_is_no_failure(self):
        def behave(connection):
            connection.read_request()
            connection.send_good()
            connection.reset()

        total = self.run_load(behave, 8, keep_alive=4, options=("--think", "900-1000ms"))
        self.assertEqual(total["failed"], 0, self.load.details())
        self.assertGreaterEqual(total["idle_closes"], total["answers"] - 4)

    def test_announced_close_is_no_failure(self):
        def behave(connection):
            connection.read_request()
            connection.send_good("Connection: close")

        total = self.run_load(behave, keep_alive=4, options=("--think", "0-2ms"))
        self.assertEqual(total["failed"], 0, self.load.details())
        self.assertEqual(total["announced_closes"], total["answers"])
        self.assertEqual(total["idle_closes"], 0)

    def test_close_after_the_second_request(self):
        def behave(connection):
            connection.read_request()
            connection.send_good()
            connection.read_request()

        total = self.run_load(behave, keep_alive=2, options=("--think", "0-2ms"))
        self.assert_only(total, "eof_sent")
        self.assertEqual(total["keep_alive"]["failed"], total["failed"])

    def test_a_stall_is_seen(self):
        stalled = threading.Event()

        def behave(connection):
            connection.read_request()
            if not stalled.is_set():
                stalled.set()
                harness.let_pass(0.3)
            connection.send_good()

        self.assertGreaterEqual(self.run_load(behave, fresh=2)["latency_us"]["max"], 300000)

    def test_a_frozen_client_does_not_blame_the_server(self):
        """Stopped for longer than its time-out, with the answer not there yet when it goes on."""
        asked, go_on = threading.Event(), threading.Event()

        def behave(connection):
            connection.read_request()
            asked.set()
            go_on.wait()
            connection.send_good()

        with FaultServer(behave) as server, self.box.load(server.address, fresh=1, wait=False,
                                                          options=("--timeout", "2s")) as load:
            self.assertTrue(asked.wait(harness.DEADLINE))
            load.child.send_signal(signal.SIGSTOP)
            harness.let_pass(2.5)
            load.child.send_signal(signal.SIGCONT)
            harness.let_pass(0.1)
            go_on.set()
            load.answers(3)
            result = load.stop()
        self.assertEqual(result["total"]["failed"], 0, load.details())
        self.assertGreaterEqual(result["frozen_ms"], 2300)
        self.assertGreaterEqual(result["total"]["latency_us"]["max"], 2500000)

    def test_windows(self):
        failing = threading.Event()

        def behave(connection):
            connection.read_request()
            if not failing.is_set():
                connection.send_good()

        with FaultServer(behave) as server, self.box.load(server.address, fresh=2) as load:
            load.mark("steady")
            load.answers(20)
            load.mark("upgrade")
            load.answers(4)  # those begun before the mark have ended
            failing.set()
            load.answers(10)
            failing.clear()
            load.answers(4)
            load.mark("steady")
            load.answers(20)
            load.stop()
        self.assertEqual([w["name"] for w in load.result["windows"]], ["start", "steady", "upgrade"])
        self.assertEqual(load.window("steady")["failed"], 0)
        self.assertGreaterEqual(load.window("steady")["answers"], 36)
        self.assertGreaterEqual(load.window("upgrade")["failures"]["eof_sent"], 8)
        self.assertEqual(load.result["total"]["failed"], load.window("upgrade")["failed"])

    def test_settle_waits_for_what_was_begun_before(self):
        """A request that the server holds back is waited for, however many others end meanwhile."""
        first, held, release = threading.Lock(), threading.Event(), threading.Event()

        def behave(connection):
            connection.read_request()
            if first.acquire(blocking=False):
                held.set()
                release.wait(harness.DEADLINE)
            connection.send_good()

        with FaultServer(behave) as server, self.box.load(server.address, fresh=2, wait=False) as load:
            held.wait(harness.DEADLINE)
            load.mark("after")
            load.tell("settle")
            load.tell("answers 20")
            told = [load.next_event()["event"]]
            while told[-1] != "answers":
                told.append(load.next_event()["event"])
            self.assertNotIn("settled", told)
            release.set()
            load.until("settled")
            self.assertEqual(load.stop()["total"]["failed"], 0)

    def test_losses_say_whose_they_were(self):
        """By the pid of the last answer, and by the MSS of the listener where there was none."""
        for answers, pid in ((0, 0), (1, 4711)):
            def behave(connection):
                for _ in range(answers):
                    connection.read_request()
                    connection.send_good()
                connection.read_request()

            begun = time.monotonic_ns()
            with self.subTest(answers=answers), FaultServer(behave) as server:
                server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 2345)
                with self.box.load(server.address, keep_alive=2, wait=False, options=("--think", "0-2ms")) as load:
                    load.answers(20)
                    total = load.stop()["total"]
                losses = load.window("start")["losses"]
                self.assertEqual(len(losses), total["failed"])
                self.assertEqual({(loss["kind"], loss["failure"], loss["pid"], loss["mss"]) for loss in losses},
                                 {("keep-alive", "eof_sent", pid, 2345 - 12)})  # less a timestamp in each segment
                self.assertTrue(all(begun < loss["connect_ns"] < time.monotonic_ns() for loss in losses), losses)

    def test_details_are_bounded(self):
        self.run_load(Connection.read_request, 100, fresh=4)
        self.assertEqual(self.load.details().count("failure="), 20)

    def test_ends(self):
        def behave(connection):
            while connection.read_request():
                connection.send_good()
                if not connection.keep:
                    return

        program = str(harness.BIN_DIR / "rp-load")
        with FaultServer(behave) as server:
            base = [program, "--connect", server.address, "--fresh", "1", "--keep-alive", "1"]
            by_time = subprocess.run([*base, "--duration", "50ms"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            by_eof = subprocess.run(base, input=b"", capture_output=True, timeout=harness.DEADLINE, check=False)
            child = self.box.spawn(*base, "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            lines = harness.LineReader(child.stdout.fileno())
            first = [lines.next(), lines.next()]  # the first answer may be faster
            self.assertTrue(any("running" in line for line in first), first)
            self.stop_child(child)
        self.assertEqual((by_time.returncode, by_eof.returncode), (0, 0))
        self.assertIn(b"0 failed", by_time.stdout)

    def test_usage(self):
        program = str(harness.BIN_DIR / "rp-load")
        for words in ([], ["--connect", "x"], ["--connect", "127.0.0.1:1"], ["--nonsense"]):
            done = subprocess.run([program, *words], capture_output=True, stdin=subprocess.DEVNULL, check=False)
            self.assertEqual(done.returncode, 2, words)
        done = subprocess.run([program, "--help"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"--keep-alive", done.stdout)


if __name__ == "__main__":
    harness.main()
