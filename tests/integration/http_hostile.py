"""Clients that mean harm, or are broken: slow ones, greedy ones, many, and such that go away at every moment. Each costs its
own connection: an ordinary client beside them is answered all the time, and memory stays where it is.
"""

import contextlib
import re
import resource
import socket
import subprocess
import threading
import time
import unittest

import servers
from servers import Client, Closed, Server

MIB = 1 << 20
CONNECTION_BYTES = 320 << 10  # what one that does not read may cost: RP_WRITE_HIGH_WATER_BYTES, and what is written at once
MEMORY_BYTES = 16 * MIB  # what all clients together may cost where they are at most fifty
RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: close() sends a RST


class Ordinary(threading.Thread):
    """Asks on a connection of its own for each request, until stopped; keeps how long the slowest answer took, and how many
    descriptors the server has had."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.enough = server, threading.Event()
        self.answers, self.slowest, self.failures, self.descriptors = 0, 0.0, [], 0

    def run(self):
        while not self.enough.is_set():
            began = time.monotonic()
            try:
                if self.server.get("/").status != 200:
                    self.failures.append("not 200")
            except (OSError, Closed) as failure:
                self.failures.append(repr(failure))
            self.answers += 1
            self.descriptors = max(self.descriptors, self.server.descriptors())
            self.slowest = max(self.slowest, time.monotonic() - began)


class Hostile(unittest.TestCase):
    arguments = ()

    def setUp(self):
        self.server = self.enterContext(Server("--workers", "1", *self.arguments)).ready()
        self.server.get("/")

    @contextlib.contextmanager
    def ordinary_client(self, memory_bytes=MEMORY_BYTES):
        """Is answered for as long as the block lasts, and at least ten times."""
        before = self.server.resident_bytes()
        ordinary = Ordinary(self.server)
        ordinary.start()
        try:
            yield ordinary
            deadline = time.monotonic() + servers.DEADLINE
            while ordinary.answers < 10 and time.monotonic() < deadline:
                servers.let_pass(0.01)
            if not servers.SANITIZED:
                self.assertLess(self.server.resident_bytes() - before, memory_bytes)
        finally:
            ordinary.enough.set()
            ordinary.join(servers.DEADLINE)
        self.assertEqual(ordinary.failures, [])
        self.assertGreaterEqual(ordinary.answers, 10)
        self.assertLess(ordinary.slowest, servers.PROMPT)

    def many(self, count, **options):
        return self.enterContext(servers.many(self.server.connect(**options) for _ in range(count)))

    def trickle(self, clients, pieces, interval=0.05):
        """Sends the next piece on every connection, again and again, until the server has ended all of them."""
        began, left = time.monotonic(), list(clients)
        for piece in pieces:
            for client in list(left):
                try:
                    client.send(piece)
                except OSError:
                    left.remove(client)
            if not left:
                return time.monotonic() - began
            self.assertLess(time.monotonic() - began, servers.DEADLINE)
            servers.let_pass(interval)
        raise AssertionError("the pieces did not last")

    def answered_408(self, clients):
        for client in clients:
            answer = client.response()
            self.assertEqual((answer.status, answer.closes), (408, True))

    def nobody_is_left(self, before):
        deadline = time.monotonic() + servers.DEADLINE
        while self.server.descriptors() > before:
            self.assertLess(time.monotonic(), deadline, "connections are left")
            servers.let_pass(0.01)


class Slow(Hostile):
    arguments = ("--head-timeout", "500ms", "--body-timeout", "500ms")

    def test_header_byte_by_byte(self):
        with self.ordinary_client():
            clients = self.many(50)
            for client in clients:
                client.send("GET / HTTP/1.1\r\nHost: a\r\n")
            took = self.trickle(clients, ("X: a\r\n" for _ in range(1000)))
            self.assertGreater(took, 0.4)
            self.answered_408(clients)

    def test_header_that_stops(self):
        with self.ordinary_client():
            clients = self.many(50)
            for i, client in enumerate(clients):
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r"[: 1 + i % 26])
            self.answered_408(clients)
            self.assertTrue(all(client.ended() for client in clients))

    def test_body_that_stops(self):
        with self.ordinary_client():
            clients = self.many(50)
            for i, client in enumerate(clients):
                framing = "Transfer-Encoding: chunked\r\n" if i % 2 else "Content-Length: 100\r\n"
                client.request("/upload", method="POST", headers=framing, body=b"9\r\n123"[: i % 6])
            self.answered_408(clients)

    def test_body_behind_an_answer_that_stops(self):
        clients = self.many(10)
        for client in clients:
            client.request("/nowhere", method="POST", headers="Content-Length: 100\r\n", body=b"123")
            self.assertEqual(client.response().status, 404)
        self.assertTrue(all(client.ended() for client in clients))


class Idle(Hostile):
    arguments = ("--idle-timeout", "2s")

    def test_without_a_request_and_between_two(self):
        with self.ordinary_client():
            fresh, used = self.many(25), self.many(25)
            for client in used:
                self.assertEqual(client.get("/healthz").status, 200)
            self.assertTrue(all(client.ended() for client in fresh + used))

    def test_blank_lines_are_no_request(self):
        clients = self.many(10)
        self.assertLess(self.trickle(clients, (b"\r\n" for _ in range(1000))), servers.PROMPT)

    def test_nor_are_they_in_two_pieces(self):
        clients = self.many(10)
        self.assertLess(self.trickle(clients, (b"\r\n"[i % 2 :][:1] for i in range(1000))), servers.PROMPT)


class SlowReaders(Hostile):
    arguments = ("--write-timeout", "2s")

    def test_who_takes_nothing_is_closed(self):
        with self.ordinary_client():
            before = self.server.descriptors()
            clients = self.many(20, receive_buffer=4096)
            for client in clients:
                client.request("/stream?bytes=100000000")
                client.take_head()
            self.nobody_is_left(before + 2)  # the ordinary client comes and goes

    def test_who_takes_a_little_all_the_time_is_served(self):
        length, slow_bytes = 4000000, 1000000
        with self.ordinary_client(), self.server.connect(receive_buffer=4096) as client:
            client.request(f"/stream?bytes={length}")
            began, got = time.monotonic(), 0
            client.take_head()
            while got + len(client.bytes) < length:
                got += len(client.bytes)
                client.bytes = b""
                if got < slow_bytes:
                    servers.let_pass(0.015)
                self.assertTrue(client.more())
            self.assertGreater(time.monotonic() - began, 2.5)


class Floods(Hostile):
    def test_headers_without_end(self):
        with self.ordinary_client():
            for piece in (b"A: b\r\n", b"A: " + b"b" * 65536, b"A" * 65536):
                with self.server.connect() as client:
                    client.send("GET / HTTP/1.1\r\nHost: a\r\n")
                    client.send(piece * (4 * MIB // len(piece)))
                    self.assertEqual(client.response().status, 431)

    def test_body_without_end(self):
        with self.ordinary_client(), self.server.connect() as client:
            client.request("/healthz", headers="Transfer-Encoding: chunked\r\n")
            client.send((b"10000\r\n" + b"x" * 65536 + b"\r\n") * 512)
            self.assertEqual(client.response().status, 413)

    def test_chunks_of_one_byte(self):
        with self.ordinary_client(), self.server.connect() as client:
            client.request("/upload", method="POST", headers="Transfer-Encoding: chunked\r\n")
            client.send(b"1\r\nx\r\n" * 300000 + b"0\r\n\r\n")
            self.assertIn(b"bytes=300000 ", client.response().body)

    def test_requests_whose_answers_nobody_reads(self):
        with self.ordinary_client():
            clients = self.many(10, receive_buffer=4096)
            for client in clients:
                client.socket.settimeout(0.2)
                with self.assertRaises(TimeoutError):
                    while True:
                        client.send("GET /stream?bytes=10000 HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)


class Resets(Hostile):
    """A RST at every moment of a request: nothing is left of it, and nobody else notices."""

    REQUEST = b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

    def reset(self, client):
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.socket.close()

    def test_before_and_in_the_request(self):
        before = self.server.descriptors()
        with self.ordinary_client():
            for length in range(len(self.REQUEST) + 1):
                for _ in range(3):
                    client = self.server.connect()
                    client.send(self.REQUEST[:length])
                    self.reset(client)
        self.nobody_is_left(before)

    def test_while_the_answer_is_made_and_written(self):
        before = self.server.descriptors()
        with self.ordinary_client():
            for path in ("/slow?ms=20", "/stream?bytes=9999999", "/stream?bytes=9999999&chunked=1&delay_ms=1"):
                for taken in (0, 1, 20, 1000, 100000):
                    client = self.server.connect()
                    client.request(path)
                    while "slow" not in path and len(client.bytes) < taken:
                        self.assertTrue(client.more())
                    self.reset(client)
        self.nobody_is_left(before)

    def test_after_the_answer(self):
        before = self.server.descriptors()
        with self.ordinary_client():
            for headers in ("", "Connection: close\r\n", "Content-Length: 999999999\r\n"):
                for _ in range(10):
                    client = self.server.connect()
                    client.request("/nowhere", headers=headers)
                    self.assertEqual(client.response().status, 404)
                    self.reset(client)
        self.nobody_is_left(before)

    def test_before_it_is_accepted(self):
        before = self.server.descriptors()
        with self.ordinary_client():
            for _ in range(500):
                self.reset(self.server.connect())
        self.nobody_is_left(before)


class PerAddress(unittest.TestCase):
    LIMIT = 20

    def client(self, server, host, source):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.addCleanup(sock.close)
        sock.bind((source, 0))
        sock.settimeout(servers.DEADLINE)
        sock.connect((host, server.port))
        client = Client.__new__(Client)
        client.socket, client.bytes = sock, b""
        return client

    def status(self, client):
        try:
            client.request("/healthz")
            return client.response().status
        except (ConnectionError, Closed):  # our request may meet a connection that is closed already
            return 503

    def test_greedy_address_is_stopped_and_others_are_not(self):
        with Server("--workers", "2", "--connections-per-address", str(self.LIMIT), listen="[::]:0") as server:
            server.ready()
            greedy = [self.client(server, "127.0.0.1", "127.0.0.1") for _ in range(3 * self.LIMIT)]
            statuses = [self.status(client) for client in greedy]
            self.assertEqual((statuses.count(200), statuses.count(503)), (self.LIMIT, 2 * self.LIMIT))
            server.wait_log("event=accept_trouble reason=address_limit")
            self.assertEqual(self.status(self.client(server, "127.0.0.1", "127.0.0.2")), 200)
            self.assertEqual(self.status(self.client(server, "::1", "::1")), 200)
            for client in greedy:
                client.socket.close()
            deadline = time.monotonic() + servers.DEADLINE
            while self.status(self.client(server, "127.0.0.1", "127.0.0.1")) != 200:
                self.assertLess(time.monotonic(), deadline)

    def test_places_are_given_back(self):
        with Server("--workers", "2", "--connections-per-address", "2", "--connections", "3") as server:
            server.ready()
            for _ in range(300):
                client = self.client(server, "127.0.0.1", "127.0.0.1")
                deadline = time.monotonic() + servers.DEADLINE
                while self.status(client) != 200:
                    self.assertLess(time.monotonic(), deadline)
                    client = self.client(server, "127.0.0.1", "127.0.0.1")
                client.socket.close()
            server.term()
            self.assertEqual(server.wait(), 0)

    def test_all_together(self):
        with Server("--workers", "2", "--connections", str(self.LIMIT)) as server:
            server.ready()
            clients = [self.client(server, "127.0.0.1", f"127.0.0.{2 + i}") for i in range(2 * self.LIMIT)]
            statuses = [self.status(client) for client in clients]
            self.assertEqual((statuses.count(200), statuses.count(503)), (self.LIMIT, self.LIMIT))


class Descriptors(unittest.TestCase):
    LIMIT = 64

    def limit(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.LIMIT, self.LIMIT))

    def test_who_is_there_stays_and_who_comes_is_told(self):
        """The one that was there before is answered all the time; it recovers at once when descriptors are free again."""
        with Server("--workers", "1", preexec=self.limit) as server:
            with server.ready().connect() as early:
                self.assertEqual(early.get("/healthz").status, 200)
                for _ in range(3):
                    with servers.many(server.connect() for _ in range(2 * self.LIMIT)) as clients:
                        for client in self.those_who_are_told(clients):
                            self.assertEqual(client.response().status, 503)
                        self.assertEqual(early.get("/healthz").status, 200)
                    deadline = time.monotonic() + servers.DEADLINE
                    while not self.is_served(server):
                        self.assertLess(time.monotonic(), deadline)

    def those_who_are_told(self, clients):
        """Who has a place hears nothing before it asks; but not all can have one."""
        deadline = time.monotonic() + servers.DEADLINE
        while len(told := [client for client in clients if client.readable_within(0)]) <= self.LIMIT:
            self.assertLess(time.monotonic(), deadline, f"{len(told)} are told")
        return told

    def is_served(self, server):
        try:
            return server.get("/healthz").status == 200
        except (ConnectionError, Closed):
            return False


class SlowHttpTest(Hostile):
    """Debian's slowhttptest in its three modes; it has a probe of its own, which must find the server available."""

    arguments = ("--head-timeout", "2s", "--body-timeout", "2s", "--write-timeout", "2s")
    CONNECTIONS = 300
    SECONDS = 6

    def attack(self, *mode, path="/"):
        before = self.server.descriptors()
        command = ["slowhttptest", *mode, "-c", self.CONNECTIONS, "-r", self.CONNECTIONS, "-l", self.SECONDS, "-p", 5,
                   "-i", 1, "-u", f"http://127.0.0.1:{self.server.port}{path}"]
        with self.ordinary_client(self.CONNECTIONS * CONNECTION_BYTES) as ordinary:
            done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=servers.DEADLINE, check=False)
        said = re.sub(r"\x1b\[[0-9;]*[mHJ]", "", done.stdout)
        self.assertEqual(set(re.findall(r"service available:\s+(\w+)", said)), {"YES"}, said + done.stderr)
        self.assertGreater(ordinary.descriptors, before + self.CONNECTIONS // 2, "there was no attack")
        self.nobody_is_left(before)

    def test_slow_headers(self):
        self.attack("-H", "-x", 24)

    def test_slow_body(self):
        self.attack("-B", "-s", 8192, "-x", 10, path="/upload")

    def test_slow_read(self):
        self.attack("-X", "-n", 1, "-w", 512, "-y", 1024, "-z", 32, "-k", 3, path="/stream?bytes=1000000")


if __name__ == "__main__":
    servers.main()
