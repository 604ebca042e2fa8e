"""The protocol, line by line of http_protocol.table: each is sent in one piece, byte by byte, and in two pieces for every
place where it can be cut. `http_protocol.py --seeds FOLDER` writes what each line sends to a file there, for
tests/fuzz/fuzz_http_request.c.
"""

import contextlib
import pathlib
import re
import socket
import sys
import unittest

import servers
from servers import Server

TABLE = pathlib.Path(__file__).with_suffix(".table")
SPLIT_BYTES_MAX = 400  # longer ones are cut at both ends only
SINGLE_BYTES_MAX = 2000
WAIT = b"{wait}"


def plain(text):
    return re.sub(rb"\\(x[0-9a-f]{2}|[rnt\\])", lambda m: ESCAPES.get(m[1]) or bytes.fromhex(m[1][1:].decode()), text)


ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


class Row:
    def __init__(self, line):
        self.name, self.section, answers, self.then, text = line.split(" | ", 4)
        self.answers = [(int(status), checks.split(";") if checks else [])
                        for status, checks in re.findall(r"(\d{3})(?:\{([^}]*)\})?", answers)]
        text = re.sub(rb"\{(.*?)\*(\d+)\}", lambda m: m[1] * int(m[2]), text.encode("latin-1"))
        self.pieces = [plain(piece) for piece in text.split(WAIT)]

    def cuts(self):
        length = len(self.pieces[0])
        if len(self.pieces) > 1:
            return []
        if length <= SPLIT_BYTES_MAX:
            return range(1, length)
        return [*range(1, 100), *range(length - 100, length)]


def rows():
    lines = TABLE.read_text(encoding="latin-1").splitlines()
    return [Row(line) for line in lines if line and not line.startswith("#")]


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server("--workers", "1")).ready()

    def check_answer(self, answer, checks, closes):
        self.assertIn("date", answer.headers)
        self.assertFalse({"content-length", "transfer-encoding"} <= answer.headers.keys(), answer.headers)
        self.assertEqual(answer.closes, closes)
        for check in checks:
            if check.startswith("="):
                self.assertEqual(answer.body, plain(check[1:].encode()))
            elif check.startswith("~"):
                self.assertIn(check[1:].encode(), answer.body)
            elif check.startswith("-"):
                self.assertNotIn(check[1:].lower(), answer.headers)
            elif check != "no body":
                name, value = check.split(": ")
                self.assertEqual(answer.headers.get(name.lower()), value)

    def next_answer(self, client, status, checks):
        while True:
            answer = client.response(head="no body" in checks)
            if answer.status >= 200 or answer.status == status:
                return answer

    def converse(self, row, client, send_first):
        pieces = iter(row.pieces)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it is closed before the last piece is sent
            send_first(client, next(pieces))
        for i, (status, checks) in enumerate(row.answers):
            answer = self.next_answer(client, status, checks)
            self.assertEqual(answer.status, status, answer.body)
            if status < 200:
                client.send(next(pieces))
            else:
                self.check_answer(answer, checks, row.then != "keep" and i == len(row.answers) - 1)
        if row.then == "gone":
            with contextlib.suppress(ConnectionResetError):
                self.assertTrue(client.ended(), client.bytes)
        elif row.then == "close":
            self.assertTrue(client.ended(), client.bytes)
        else:
            self.assertEqual(client.get("/healthz").body, b"ok\n")

    def run_row(self, row, send_first, how):
        with self.subTest(how), self.server.connect() as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.converse(row, client, send_first)

    def run_all_ways(self, row):
        self.run_row(row, lambda client, data: client.send(data), "whole")
        if len(row.pieces[0]) <= SINGLE_BYTES_MAX:
            self.run_row(row, lambda client, data: [client.send(data[i : i + 1]) for i in range(len(data))], "byte by byte")
        for cut in row.cuts():
            self.run_row(row, lambda client, data, at=cut: (client.send(data[:at]), client.send(data[at:])), f"cut at {cut}")


def add_test(row):
    name = "test_" + re.sub(r"\W", "_", row.name)
    assert not hasattr(Protocol, name), row.name
    test = lambda self: self.run_all_ways(row)
    test.__doc__ = f"{row.name}: RFC {row.section}"
    setattr(Protocol, name, test)


def write_seeds(folder):
    """The first byte of a seed says which limits; what is long is made shorter, for small ones."""
    for row in rows():
        data = b"\0\0" + b"".join(row.pieces)
        if len(data) > SINGLE_BYTES_MAX:
            data = b"\1\0" + re.sub(rb"(.)\1{127}", rb"\1", b"".join(row.pieces))
        (pathlib.Path(folder) / row.name).write_bytes(data[:SINGLE_BYTES_MAX])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seeds"]:
        write_seeds(sys.argv[2])
    else:
        for row in rows():
            add_test(row)
        servers.main()
