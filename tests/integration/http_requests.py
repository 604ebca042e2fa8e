"""What server-v1 answers, seen by raw clients: requests, bodies, errors, limits, many connections."""

import os
import random
import resource
import signal
import socket
import subprocess
import time
import unittest
import zlib

import servers
from servers import Closed, Server, stream_bytes

MIB = 1 << 20


class WithServer(unittest.TestCase):
    arguments = ("--workers", "2")

    def setUp(self):
        self.server = self.enterContext(Server(*self.arguments)).ready()


class Answers(WithServer):
    def test_root_says_client_and_pid(self):
        with self.server.connect() as client:
            for _ in range(3):
                answer = client.get("/")
                expected = f"Client [127.0.0.1:{client.port}] Received msg from Server PID: [{self.server.pid}]\n"
                self.assertEqual(answer.body.decode(), expected)
                self.assertEqual(answer.headers["x-version"], "v1")
                self.assertNotIn("x-generation", answer.headers)
                self.assertNotIn("connection", answer.headers)

    def test_health(self):
        self.assertEqual(self.server.get("/healthz").body, b"ok\n")

    def test_head_has_no_body(self):
        with self.server.connect() as client:
            for path in ("/", "/stream?bytes=1000000000000", "/stream?chunked=1", "/nowhere"):
                client.request(path, method="HEAD")
                answer = client.response(head=True)
                self.assertIn(answer.status, (200, 404))
            self.assertEqual(client.get("/healthz").status, 200)

    def test_unknown_path_and_method(self):
        with self.server.connect() as client:
            self.assertEqual(client.get("/nowhere").status, 404)
            client.request("/", method="DELETE")
            answer = client.response()
            self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD"))
            self.assertEqual(client.get("/healthz").status, 200)

    def test_bad_numbers(self):
        with self.server.connect() as client:
            for query in ("ms=", "ms=x", "ms=-1", "ms=600001", "ms=1.5", "ms=99999999999999999999999", "ms=%", "ms=%00"):
                answer = client.get(f"/slow?{query}")
                self.assertEqual((answer.status, b"ms must be" in answer.body), (400, True), query)
            for query in ("bytes=x", "chunk=0", "chunked=2", "delay_ms=60001"):
                self.assertEqual(client.get(f"/stream?{query}").status, 400, query)

    def test_http_1_0(self):
        with self.server.connect() as client:
            client.send("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            self.assertEqual(client.response().headers["connection"], "keep-alive")
            client.send("GET /stream?bytes=1000&chunked=1 HTTP/1.0\r\n\r\n")
            answer = client.response()
            self.assertEqual(answer.body, stream_bytes(0, 1000))
            self.assertNotIn("transfer-encoding", answer.headers)
            self.assertTrue(answer.closes)

    def test_connection_close_is_answered_with_a_clean_end(self):
        with self.server.connect() as client:
            client.request("/", headers="Connection: close\r\n")
            self.assertTrue(client.response().closes)
            self.assertTrue(client.ended())

    def test_client_that_shuts_down_its_side_gets_its_answers(self):
        with self.server.connect() as client:
            client.request("/slow?ms=50")
            client.request("/stream?bytes=3000000")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(client.response().body, b"slow\n")
            self.assertEqual(client.response().body, stream_bytes(0, 3000000))
            self.assertTrue(client.ended())

    def test_other_programs(self):
        for program, text in (("server-v2", b"Received msg"), ("rp-server", b"rp-server ")):
            with Server(program=program) as server:
                answer = server.ready().get("/")
                self.assertIn(text, answer.body)
                self.assertEqual(answer.headers.get("x-version"), "v2" if program == "server-v2" else None)
                self.assertIn(b"ok", server.get("/healthz").body)


class Addresses(unittest.TestCase):
    def test_ipv6_peer(self):
        with Server(listen="[::1]:0") as server:
            with server.ready().connect("::1") as client:
                self.assertIn(f"Client [[::1]:{client.port}] ".encode(), client.get("/").body)

    def test_dual_stack_shows_ipv4_peers_as_ipv4(self):
        with Server(listen="[::]:0") as server:
            with server.ready().connect("127.0.0.1") as client:
                self.assertIn(f"Client [127.0.0.1:{client.port}] ".encode(), client.get("/").body)
            with server.connect("::1") as client:
                self.assertIn(f"Client [[::1]:{client.port}] ".encode(), client.get("/").body)

    def test_two_addresses(self):
        with Server("--listen", "127.0.0.2:0", "--workers", "1") as server:
            server.ready()
            for address in server.addresses:
                host, port = address.rsplit(":", 1)
                with servers.Client((host, int(port))) as client:
                    self.assertEqual(client.get("/").status, 200)

    def test_three_instances_share_a_port(self):
        with Server() as first:
            address = f"127.0.0.1:{first.ready().port}"
            with Server(listen=address) as second, Server(listen=address) as third:
                second.ready(), third.ready()
                bodies = {first.get("/").body.split(b"PID")[1] for _ in range(20)}
                self.assertGreater(len(bodies), 1)


class Refusals(WithServer):
    CASES = {
        400: [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
            "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "\x16\x03\x01\x02\x00",
        ],
        414: ["GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n"],
        431: ["GET / HTTP/1.1\r\nHost: a\r\nA: " + "a" * 17000 + "\r\n\r\n", "GET / HTTP/1.1\r\n" + "A: b\r\n" * 101 + "\r\n"],
        417: ["POST /upload HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx"],
        501: ["BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"],
        505: ["GET / HTTP/2.0\r\nHost: a\r\n\r\n"],
    }

    def test_answered_and_closed_without_a_reset(self):
        for status, inputs in self.CASES.items():
            for text in inputs:
                with self.subTest(text[:60]), self.server.connect() as client:
                    client.send(text)
                    answer = client.response()
                    self.assertEqual((answer.status, answer.closes), (status, True))
                    self.assertEqual(answer.headers["x-version"], "v1")
                    client.send("more")
                    self.assertTrue(client.ended())

    def test_refused_after_good_ones(self):
        with self.server.connect() as client:
            client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + "GET / HTTP/1.1\r\n\r\n")
            self.assertEqual([client.response().status for _ in range(3)], [200, 200, 400])

    def test_unwanted_body(self):
        with self.server.connect() as client:
            client.request("/nowhere", method="POST", headers="Content-Length: 60000\r\n", body=b"x" * 60000)
            answer = client.response()
            self.assertEqual((answer.status, answer.closes), (404, False))
            client.request("/nowhere", method="POST", headers="Content-Length: 999999999\r\n", body=b"x" * 100000)
            answer = client.response()
            self.assertEqual((answer.status, answer.closes), (404, True))
            self.assertTrue(client.ended())


class LingeringClose(WithServer):
    """A client that sends all of its body before it looks for an answer gets the whole answer, and no reset."""

    def refused_while_sending(self, headers, piece, pieces, pause):
        with self.server.connect() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            client.request("/nowhere", method="POST", headers=headers)
            for _ in range(pieces):
                client.send(piece)
                servers.let_pass(pause)
            answer = client.response()
            self.assertEqual((answer.status, answer.closes, answer.body), (404, True, b"404 Not Found\n"))
            self.assertTrue(client.ended())

    def test_fast_sender(self):
        self.refused_while_sending(f"Content-Length: {1 << 40}\r\n", b"x" * MIB, 100, 0)

    def test_slow_sender(self):
        self.refused_while_sending(f"Content-Length: {1 << 40}\r\n", b"x" * 20000, 30, 0.1)

    def test_chunked_sender(self):
        self.refused_while_sending("Transfer-Encoding: chunked\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n", 500, 0)

    def test_error_in_the_middle(self):
        with self.server.connect() as client:
            client.request("/upload", method="POST", headers="Transfer-Encoding: chunked\r\n", body=b"5\r\nhello!!")
            client.send(b"x" * 20 * MIB)
            self.assertEqual(client.response().status, 400)
            self.assertTrue(client.ended())


class Bodies(WithServer):
    def test_stream(self):
        with self.server.connect() as client:
            for path, length in (
                ("bytes=0", 0),
                ("bytes=1", 1),
                ("bytes=1&chunked=1", 1),
                ("bytes=0&chunked=1", 0),
                ("bytes=16384", 16384),
                ("bytes=16385&chunked=1", 16385),
                ("bytes=5000000", 5000000),
                ("bytes=5000000&chunked=1", 5000000),
                ("bytes=100000&delay_ms=1", 100000),
                ("bytes=100000&delay_ms=1&chunked=1", 100000),
            ):
                answer = client.get(f"/stream?{path}")
                self.assertEqual(answer.body, stream_bytes(0, length), path)
                self.assertEqual("content-length" in answer.headers, "chunk" not in path)

    def test_slow_reader_gets_everything_and_costs_little(self):
        length = 200 * MIB
        before = self.server.resident_bytes()
        with self.server.connect(receive_buffer=8192) as client:
            client.request(f"/stream?bytes={length}")
            client.take_head()
            client.readable_within(1)
            servers.let_pass(0.3)
            if not servers.SANITIZED:
                self.assertLess(self.server.resident_bytes() - before, 8 * MIB)
            got = len(client.bytes)
            self.assertEqual(client.bytes, stream_bytes(0, got))
            while got < 20 * MIB:
                part = client.socket.recv(1 << 16)
                self.assertEqual(part, stream_bytes(got, len(part)))
                got += len(part)

    def test_a_stream_does_not_starve_others(self):
        with Server("--workers", "1") as server:
            with server.ready().connect() as greedy:
                greedy.request("/stream?bytes=1000000000000")
                greedy.take_head()
                with server.connect() as client:
                    for _ in range(20):
                        client.request("/healthz")
                        while not client.readable_within(0):
                            greedy.socket.recv(1 << 20)
                        self.assertEqual(client.response().status, 200)

    def upload(self, body, headers, encoded=None):
        with self.server.connect() as client:
            client.request("/upload", method="POST", headers=headers, body=encoded if encoded is not None else body)
            answer = client.response()
            self.assertEqual(answer.body.decode(), f"bytes={len(body)} crc32={zlib.crc32(body):08x}\n")
            self.assertEqual(client.get("/healthz").status, 200)

    def test_uploads(self):
        for length in (0, 1, 2, 65535, 65536, 65537, 3 * MIB):
            body = random.randbytes(length)
            self.upload(body, f"Content-Length: {length}\r\n")

    def test_chunked_uploads(self):
        for length, piece in ((0, 1), (1, 1), (1000, 1), (100000, 7), (3 * MIB, 65536)):
            body = random.randbytes(length)
            pieces = [body[i : i + piece] for i in range(0, length, piece)]
            encoded = b"".join(b"%x;a=b\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\nT: x\r\n\r\n"
            self.upload(body, "Transfer-Encoding: chunked\r\n", encoded)

    def test_50_mib_upload_is_not_kept_in_memory(self):
        before = self.server.resident_bytes()
        self.upload(random.randbytes(50 * MIB), f"Content-Length: {50 * MIB}\r\n")
        if not servers.SANITIZED:
            self.assertLess(self.server.resident_bytes() - before, 8 * MIB)

    def test_expect_continue(self):
        with self.server.connect() as client:
            client.request("/upload", method="POST", headers="Expect: 100-continue\r\nContent-Length: 5\r\n")
            self.assertEqual(client.response().status, 100)
            client.send(b"hello")
            self.assertIn(b"bytes=5 ", client.response().body)
            client.request("/upload", method="POST", headers="Expect: 100-continue\r\nContent-Length: 5\r\n", body=b"hello")
            self.assertEqual(client.response().status, 200)
            client.request("/nowhere", method="POST", headers="Expect: 100-continue\r\nContent-Length: 5\r\n")
            answer = client.response()
            self.assertEqual((answer.status, answer.closes), (404, True))

    def test_truncated_upload_is_dropped(self):
        with self.server.connect() as client:
            client.request("/upload", method="POST", headers="Content-Length: 10\r\n", body=b"abc")
            client.socket.shutdown(socket.SHUT_WR)
            self.assertTrue(client.ended())
        self.assertEqual(self.server.get("/").status, 200)

    def test_clients_that_reset(self):
        for path in ("/slow?ms=200", "/stream?bytes=100000000", "/stream?bytes=100000000&delay_ms=1"):
            for _ in range(10):
                client = self.server.connect()
                client.request(path)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if "stream" in path:
                    client.take_head()
                client.socket.close()
        self.assertEqual(self.server.get("/slow?ms=250").status, 200)
        self.server.term()
        self.assertEqual(self.server.wait(), 0)
        self.assertIn(" cut=0 ", self.server.log)


class Pipelining(WithServer):
    def test_thousands_in_order(self):
        count = 5000
        paths = [f"/stream?bytes={i % 700}" for i in range(count)]
        with self.server.connect() as client:
            pid = os.fork()
            if pid == 0:  # the sender, so that neither side's buffer can block the other
                client.send("".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in paths))
                os._exit(0)
            for i in range(count):
                self.assertEqual(client.response().body, stream_bytes(0, i % 700), i)
            os.waitpid(pid, 0)

    def test_slow_ones_keep_the_order(self):
        with self.server.connect() as client:
            for path in ("/slow?ms=100", "/", "/slow?ms=20", "/stream?bytes=300000&chunked=1", "/healthz"):
                client.request(path)
            bodies = [client.response().body for _ in range(5)]
            self.assertEqual(bodies[0], b"slow\n")
            self.assertIn(b"Client", bodies[1])
            self.assertEqual(bodies[2], b"slow\n")
            self.assertEqual(bodies[3], stream_bytes(0, 300000))
            self.assertEqual(bodies[4], b"ok\n")

    def test_a_client_that_sends_and_never_reads_is_bounded(self):
        before = self.server.resident_bytes()
        with self.server.connect() as client:
            client.socket.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                while True:
                    client.send("GET /stream?bytes=60000 HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
            if not servers.SANITIZED:
                self.assertLess(self.server.resident_bytes() - before, 16 * MIB)
        self.assertEqual(self.server.get("/").status, 200)

    def test_byte_by_byte(self):
        with self.server.connect() as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            text = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nPOST /upload HTTP/1.1\r\nHost: a\r\n"
            text += "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            for byte in text:
                client.send(byte)
            self.assertEqual(client.response().body, b"ok\n")
            self.assertIn(b"bytes=3 ", client.response().body)


class Waiting(unittest.TestCase):
    def test_slow_requests_do_not_block_a_worker(self):
        with Server("--workers", "1") as server:
            server.ready()
            began = time.monotonic()
            with servers.many(server.connect() for _ in range(100)) as clients:
                for client in clients:
                    client.request("/slow?ms=500")
                for client in clients:
                    self.assertEqual(client.response().body, b"slow\n")
            took = time.monotonic() - began
            self.assertGreaterEqual(took, 0.499)
            self.assertLess(took, servers.PROMPT)

    def test_idle_timeout(self):
        with Server("--idle-timeout", "300ms") as server:
            with server.ready().connect() as fresh, server.connect() as used, server.connect() as busy:
                busy.request("/slow?ms=1000")
                used.get("/")
                began = time.monotonic()
                self.assertTrue(used.ended())
                self.assertTrue(fresh.ended())
                self.assertLess(time.monotonic() - began, servers.PROMPT)
                self.assertGreater(time.monotonic() - began, 0.25)
                self.assertEqual(busy.response().body, b"slow\n")


class Descriptors(unittest.TestCase):
    LIMIT = 64

    def limit(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.LIMIT, self.LIMIT))

    def test_running_out_is_survived(self):
        with Server("--workers", "2", preexec=self.limit) as server:
            server.ready()
            with servers.many(server.connect() for _ in range(150)) as clients:
                refused = 0
                for client in clients:
                    try:
                        client.request("/healthz")
                        refused += client.response().status == 503
                    except (Closed, ConnectionError):
                        refused += 1
                self.assertGreater(refused, 150 - self.LIMIT)
                self.assertLess(refused, 145)
                before = server.cpu_ticks()
                servers.let_pass(0.5)
                self.assertLess(server.cpu_ticks() - before, 0.2 * os.sysconf("SC_CLK_TCK"))
                server.wait_log("event=accept_trouble reason=EMFILE")
            deadline = time.monotonic() + servers.DEADLINE
            while server.get("/healthz").status != 200:
                self.assertLess(time.monotonic(), deadline)
            self.assertLessEqual(server.log.count("accept_trouble"), 2)
            server.term()
            self.assertEqual(server.wait(), 0)

    def test_none_is_lost(self):
        with Server("--workers", "2") as server:
            server.ready()
            for _ in range(60):  # libuv opens something of its own with a loop's first connection
                server.get("/")
            before = server.descriptors()
            for _ in range(300):
                server.get("/")
            deadline = time.monotonic() + servers.DEADLINE
            while server.descriptors() > before:
                self.assertLess(time.monotonic(), deadline)


class CommandLine(unittest.TestCase):
    def run_program(self, *arguments, program="server-v1"):
        return subprocess.run([servers.BIN_DIR / program, *arguments], capture_output=True, text=True, timeout=20)

    def test_usage_errors(self):
        for arguments in (["--nope"], ["x"], ["--listen"], ["--listen", "x"], ["--workers", "0"], ["--drain-timeout", "1"]):
            for program in ("server-v1", "rp-server"):
                result = self.run_program(*arguments, program=program)
                self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
                self.assertTrue(result.stderr.startswith(program + ": "), result.stderr)

    def test_help_and_version(self):
        result = self.run_program("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("For trying out upgrades", result.stdout)
        self.assertIn("--idle-grace", result.stdout)
        self.assertNotIn("--fail-health", self.run_program("--help", program="rp-server").stdout)
        self.assertRegex(self.run_program("--version").stdout, r"^server-v1 \d+\.\d+\.\d+\n$")

    def test_port_of_a_stranger(self):
        with socket.socket() as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.listen()
            result = self.run_program("--listen", "127.0.0.1:%d" % stranger.getsockname()[1])
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)


class Misbehaviour(unittest.TestCase):
    def test_sick(self):
        with Server("--fail-health") as server:
            self.assertEqual(server.ready().get("/healthz").status, 500)
            self.assertEqual(server.get("/").status, 200)

    def test_sick_later(self):
        with Server("--fail-health-after", "500") as server:
            statuses = [server.ready().get("/healthz").status]
            deadline = time.monotonic() + servers.DEADLINE
            while statuses[-1] == 200:
                self.assertLess(time.monotonic(), deadline)
                statuses.append(server.get("/healthz").status)
            self.assertEqual((statuses[0], statuses[-1]), (200, 500))

    def test_exit(self):
        with Server("--exit-after", "200ms") as server:
            self.assertEqual(server.ready().wait(), 1)

    def test_late(self):
        began = time.monotonic()
        with Server("--start-delay", "400") as server:
            server.ready()
            self.assertGreaterEqual(time.monotonic() - began, 0.4)

    def test_deaf(self):
        with Server("--ignore-term") as server:
            server.ready().signal(signal.SIGTERM)
            servers.let_pass(0.2)
            self.assertEqual(server.get("/").status, 200)
            self.assertNotIn("draining", server.log)


if __name__ == "__main__":
    servers.main()
