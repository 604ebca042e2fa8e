"""The end of a server: what SIGTERM does to every kind of connection, and what the supervisor is told."""

import os
import signal
import socket
import tempfile
import threading
import time
import unittest

import servers
from servers import Closed, Server, stream_bytes


class Drain(unittest.TestCase):
    def start(self, *arguments, **options):
        return self.enterContext(Server(*arguments, **options)).ready()

    def open(self, server, **options):
        return self.enterContext(server.connect(**options))

    def expect_end(self, server, finished=None, cut=0):
        self.assertEqual(server.wait(), 0, server.log)
        line = server.wait_log(r"gen=0 pid=(\d+) event=drained finished=(\d+) cut=(\d+) ms=(\d+)\n")
        self.assertEqual(int(line.group(1)), server.pid)
        if finished is not None:
            self.assertEqual(int(line.group(2)), finished)
        self.assertEqual(int(line.group(3)), cut)
        return int(line.group(4)) / 1000

    def test_without_connections_it_ends_at_once(self):
        server = self.start("--idle-grace", "60s", "--drain-timeout", "2m")
        server.term()
        self.assertLess(self.expect_end(server, finished=0), servers.PROMPT)

    def test_request_in_progress_finishes(self):
        server = self.start("--idle-grace", "0s")
        client = self.open(server)
        client.request("/slow?ms=500")
        other = self.open(server)
        other.request("/stream?bytes=200000&delay_ms=20&chunked=1")
        other.take_line()
        server.term()
        self.assertEqual(client.response().body, b"slow\n")
        self.assertTrue(client.ended())
        while other.take_line():
            pass
        self.assertEqual(other.take_chunks(), stream_bytes(0, 200000))
        other.socket.close()
        client.socket.close()
        self.expect_end(server, finished=2)

    def test_nothing_is_accepted_any_more(self):
        server = self.start()
        client = self.open(server)
        client.request("/slow?ms=300")
        self.assertEqual(self.open(server).get("/").status, 200)
        server.term()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
        self.assertEqual(client.response().body, b"slow\n")

    def test_idle_connection_gets_the_grace(self):
        server = self.start("--idle-grace", "60s", "--drain-timeout", "2m")
        used, fresh = self.open(server), self.open(server)
        used.get("/")
        server.term()
        for client in (used, fresh):
            self.assertFalse(client.readable_within(0.1))
            answer = client.get("/healthz")
            self.assertEqual((answer.status, answer.closes), (200, True))
            self.assertTrue(client.ended())
            client.socket.close()
        self.assertLess(self.expect_end(server, finished=2), servers.PROMPT)

    def test_idle_connection_is_closed_after_the_grace(self):
        server = self.start("--idle-grace", "300ms")
        used, fresh = self.open(server), self.open(server)
        used.get("/")
        began = time.monotonic()
        server.term()
        self.assertTrue(used.ended())
        self.assertTrue(fresh.ended())
        self.assertGreaterEqual(time.monotonic() - began, 0.28)
        self.assertLess(self.expect_end(server, finished=2), servers.PROMPT)

    def test_partly_read_request_is_not_idle(self):
        server = self.start("--idle-grace", "200ms")
        client = self.open(server)
        client.send("GET /healthz HT")
        idle = self.open(server)
        server.term()
        self.assertTrue(idle.ended())
        client.send("TP/1.1\r\nHost: a\r\n\r\n")
        answer = client.response()
        self.assertEqual((answer.body, answer.closes), (b"ok\n", True))
        client.socket.close()
        self.expect_end(server, finished=2)

    def test_upload_in_progress_finishes(self):
        server = self.start("--idle-grace", "0s")
        client = self.open(server)
        client.request("/upload", method="POST", headers="Expect: 100-continue\r\nContent-Length: 6\r\n")
        self.assertEqual(client.response().status, 100)
        client.send("abc")
        idle = self.open(server)
        server.term()
        self.assertTrue(idle.ended())
        client.send("def")
        answer = client.response()
        self.assertEqual((answer.body, answer.closes), (b"bytes=6 crc32=4b8e39ef\n", True))
        client.socket.close()
        self.expect_end(server, finished=2)

    def test_pipelined_requests_are_all_answered(self):
        server = self.start()
        client = self.open(server)
        length = 20000000  # more than the sockets hold, so that it is under way until the client reads
        paths = [f"/stream?bytes={length}"] + ["/healthz"] * 20
        client.send("".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths))
        self.assertTrue(client.readable_within(servers.DEADLINE))
        server.term()
        closes = [client.response().closes for _ in paths]
        self.assertEqual(closes, [False] * 20 + [True])
        self.assertTrue(client.ended())

    def test_more_of_them_than_are_read_ahead(self):
        server = self.start()
        client = self.open(server)
        client.get("/")
        paths = ["/slow?ms=300"] + ["/slow?ms=0"] * 600
        for path in paths:
            client.request(path)
        server.term()
        closes = [client.response().closes for _ in paths]
        self.assertEqual(closes, [False] * 600 + [True])
        self.assertTrue(client.ended())

    def test_client_that_always_sends_ahead_does_not_hold_the_drain(self):
        server = self.start("--drain-timeout", "2m")
        client = self.open(server)
        for _ in range(2):
            client.request("/slow?ms=50")
        server.term()
        for answered in range(1, 1000):
            if client.response().closes:
                break
            client.request("/slow?ms=50")
        self.assertLessEqual(answered, 3)
        client.socket.close()
        self.assertLess(self.expect_end(server, finished=1), servers.PROMPT)

    def test_deadline_cuts_and_counts(self):
        server = self.start("--drain-timeout", "300ms", "--idle-grace", "60s")
        slow = [self.open(server) for _ in range(3)]
        for client in slow:
            client.request("/slow?ms=60000")
        half = self.open(server)
        half.send("GET / ")
        idle = self.open(server)
        idle.get("/")
        done = self.open(server)
        done.request("/slow?ms=100")
        server.term()
        self.assertEqual(done.response().body, b"slow\n")
        done.socket.close()
        for client in slow + [half]:
            with self.assertRaises((Closed, ConnectionResetError)):
                client.response()
        took = self.expect_end(server, finished=2, cut=4)
        self.assertGreaterEqual(took, 0.29)
        self.assertLess(took, servers.PROMPT)

    def test_client_that_never_closes_does_not_hold_the_drain(self):
        server = self.start("--idle-grace", "60s", "--drain-timeout", "2m")
        client = self.open(server)
        client.request("/upload", method="POST", headers="Content-Length: 1\r\n")
        server.term()
        client.send("x")
        self.assertTrue(client.response().closes)
        self.assertLess(self.expect_end(server, finished=1), servers.PROMPT)

    def test_second_signal_ends_at_once(self):
        for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            server = self.start()
            client = self.open(server)
            client.request("/slow?ms=60000")
            server.term()
            server.signal(number)
            self.assertEqual(server.wait(), status)
            self.assertIn("event=killed", server.log)

    def test_sigint_drains_too(self):
        server = self.start()
        server.signal(signal.SIGINT)
        self.expect_end(server)

    def test_what_waits_in_the_accept_queue_is_served(self):
        for workers in ("1", "3"):
            server = self.start("--workers", workers)
            server.signal(signal.SIGSTOP)
            clients = [self.open(server) for _ in range(100)]
            for client in clients[:50]:
                client.request("/")
            server.signal(signal.SIGTERM)
            server.signal(signal.SIGCONT)
            server.wait_log("event=draining")
            for client in clients[50:]:
                client.request("/")
            for client in clients:
                self.assertEqual(client.response().status, 200)
                self.assertTrue(client.ended())
                client.socket.close()
            self.expect_end(server)

    def test_busy_keep_alive_clients_lose_nothing(self):
        server = self.start("--workers", "2", "--idle-grace", "2s")
        failures, answered = [], []
        started = threading.Barrier(33)

        def client_loop(number):
            with server.connect() as client:
                client.get("/")
                started.wait()
                try:
                    while True:
                        answer = client.get("/" if number % 2 else "/slow?ms=7")
                        answered.append(answer.status)
                        if answer.closes:
                            return
                except (Closed, OSError) as problem:
                    failures.append(repr(problem))

        threads = [threading.Thread(target=client_loop, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        started.wait()
        deadline = time.monotonic() + servers.DEADLINE
        while len(answered) < 500:
            self.assertLess(time.monotonic(), deadline)
            servers.let_pass(0.01)
        server.term()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(answered), {200})
        self.expect_end(server, finished=32)

    def test_starting_and_stopping_often(self):
        for _ in range(20):
            server = self.start("--workers", "4")
            self.assertEqual(server.get("/").status, 200)
            server.signal(signal.SIGTERM)
            self.expect_end(server)


class Supervised(unittest.TestCase):
    """With a notify socket of the test's own in the supervisor's place."""

    def setUp(self):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(directory, "notify")
        self.notify = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.notify.bind(path)
        self.notify.settimeout(servers.DEADLINE)
        self.environment = {
            "NOTIFY_SOCKET": path,
            "RP_SERVICE": "default",
            "RP_GENERATION": "7",
            "RP_INSTANCE": "1",
            "RP_DRAIN_TIMEOUT_MS": "2400",
            "RP_IDLE_GRACE_MS": "300",
        }

    def start(self, *arguments):
        return self.enterContext(Server(*arguments, env=self.environment)).ready()

    def told(self, *words):
        """Reads messages until one has all the words."""
        while True:
            text, _, _, _ = socket.recv_fds(self.notify, 65536, 253)
            if all(word in text.decode() for word in words):
                return text.decode()

    def test_tells_its_life(self):
        server = self.start()
        self.told("FDSTORE=1")
        self.told("READY=1", "X_RP_HEALTH=http:/healthz")
        with server.connect() as client:
            answer = client.get("/")
            self.assertEqual(answer.headers["x-generation"], "7")
            client.request("/slow?ms=60000")
            with server.connect() as idle:
                server.term()
                server.wait_log("deadline_ms=1400 idle_grace_ms=300")
                self.told("STOPPING=1")
                self.assertTrue(idle.ended())
            self.told("X_RP_FINISHED=1", "X_RP_CUT=1")
        self.assertEqual(server.wait(), 0)
        self.assertRegex(server.log, r"gen=7 pid=\d+ event=drained finished=1 cut=1 ")

    def test_own_grace_is_kept_and_sigint_is_not_handled(self):
        server = self.start("--idle-grace", "900ms", "--drain-timeout", "1m")
        server.term()
        server.wait_log("deadline_ms=1400 idle_grace_ms=900")
        self.assertEqual(server.wait(), 0)
        server = self.start()
        server.signal(signal.SIGINT)
        self.assertEqual(server.wait(), -signal.SIGINT)

    def test_wrong_address_takes_no_traffic(self):
        self.environment["RP_LISTEN"] = "127.0.0.1:1"
        server = self.enterContext(Server(env=self.environment))
        self.assertEqual(server.wait(), 1)
        self.assertIn("127.0.0.1:1", server.log)
        self.assertNotIn("event=listening", server.log)


if __name__ == "__main__":
    servers.main()
