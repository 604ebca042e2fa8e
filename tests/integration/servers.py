"""Server programs and raw HTTP clients for the http_*.py tests: the server's side alone, without rpctl.

Every wait ends with the event or at a deadline.
"""

import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time
import unittest

BIN_DIR = pathlib.Path(os.environ.get("RP_BIN_DIR", "build/release/bin")).resolve()
SANITIZED = os.environ.get("RP_TEST_SANITIZED") == "1"
DEADLINE = 60.0  # seconds, for anything that ought to take milliseconds; shared machines stall for many seconds
PROMPT = 30.0  # seconds: less than any grace or deadline that must not have been waited for
STREAM_PERIOD = bytes(range(251))  # byte i of /stream is i modulo 251


class Server:
    """One server process on a port of its own, with its log."""

    def __init__(self, *arguments, program="server-v1", listen="127.0.0.1:0", env=None, preexec=None):
        self.log = ""
        command = [BIN_DIR / program]
        if listen is not None:
            command += ["--listen", listen]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            preexec_fn=preexec,
        )
        os.set_blocking(self.process.stderr.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()

    @property
    def pid(self):
        return self.process.pid

    def _read_log(self, timeout):
        if not select.select([self.process.stderr], [], [], max(timeout, 0))[0]:
            return True
        text = self.process.stderr.read()
        self.log += (text or b"").decode()
        return bool(text)

    def wait_log(self, pattern):
        """The match of the pattern in the log, once it is there."""
        end = time.monotonic() + DEADLINE
        while not (match := re.search(pattern, self.log)):
            if not self._read_log(end - time.monotonic()) or time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} in the log:\n{self.log}")
        return match

    def ready(self):
        self.wait_log(r"event=ready.*\n")
        self.addresses = re.findall(r"event=listening address=(\S+) ", self.log)
        self.port = int(self.addresses[0].rsplit(":", 1)[1].split("/")[0])
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def term(self):
        """SIGTERM, and waits until every worker is draining."""
        self.signal(signal.SIGTERM)
        self.wait_log("event=listeners_closed")

    def wait(self):
        """The exit status, with all of the log read."""
        end = time.monotonic() + DEADLINE
        while self._read_log(end - time.monotonic()):
            if time.monotonic() > end:
                raise AssertionError(f"it does not end:\n{self.log}")
        return self.process.wait(DEADLINE)

    def connect(self, host="127.0.0.1", **options):
        return Client((host, self.port), **options)

    def get(self, path, **options):
        with self.connect(**options) as client:
            return client.get(path)

    def cpu_ticks(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class Closed(Exception):
    """The connection ended where a response, or the rest of one, was awaited."""


class Client:
    """One connection, byte by byte as the tests want it."""

    def __init__(self, address, receive_buffer=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        self.bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def send(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def more(self):
        """False at the end of the stream."""
        data = self.socket.recv(1 << 18)
        self.bytes += data
        return bool(data)

    def take(self, length):
        while len(self.bytes) < length:
            if not self.more():
                raise Closed(self.bytes)
        taken, self.bytes = self.bytes[:length], self.bytes[length:]
        return taken

    def take_line(self):
        while b"\r\n" not in self.bytes:
            if not self.more():
                raise Closed(self.bytes)
        line, self.bytes = self.bytes.split(b"\r\n", 1)
        return line.decode()

    def take_rest(self):
        while self.more():
            pass
        rest, self.bytes = self.bytes, b""
        return rest

    def take_chunks(self):
        body = []
        while length := int(self.take_line(), 16):
            body.append(self.take(length))
            assert self.take(2) == b"\r\n"
        assert self.take_line() == ""
        return b"".join(body)

    def take_head(self):
        status = int(self.take_line().split()[1])
        headers = {}
        while line := self.take_line():
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, name
            headers[name.lower()] = value
        return status, headers

    def response(self, head=False):
        status, headers = self.take_head()
        if head or status in (204, 304) or status < 200:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = self.take_chunks()
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]))
        else:
            body = self.take_rest()
        return Response(status, headers, body)

    def request(self, path, method="GET", headers="", body=b""):
        self.send(f"{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode() + body)

    def get(self, path):
        self.request(path)
        return self.response()

    def ended(self):
        """True at a clean end of the stream with nothing before it; a reset raises."""
        return self.bytes == b"" and not self.more()

    def readable_within(self, seconds):
        return bool(self.bytes) or bool(select.select([self.socket], [], [], seconds)[0])


def stream_bytes(start, length):
    """Bytes of /stream from `start` on."""
    start %= 251
    return (STREAM_PERIOD * ((start + length) // 251 + 1))[start : start + length]


def let_pass(seconds):
    """For tests in which the time itself is what is tested."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        select.select([], [], [], left)


@contextlib.contextmanager
def many(clients):
    clients = list(clients)
    try:
        yield clients
    finally:
        for client in clients:
            client.socket.close()


def main():
    unittest.main(verbosity=2)
