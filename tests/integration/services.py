"""What the tests of the supervisor share: one service on a port of its own, and downloads that last as long as wanted.

A `Download` takes more than the sockets between server and client hold, so the server cannot finish it before the
client reads on: it keeps a generation draining for exactly as long as the test wants.
"""

import contextlib
import os
import re
import signal
import socket

import harness

V1, V2 = harness.BIN_DIR / "server-v1", harness.BIN_DIR / "server-v2"
DOWNLOAD_BYTES = 24 << 20
STREAM_PERIOD = 251  # byte i of /stream is i modulo this
PATTERN = bytes(range(STREAM_PERIOD)) * 4096


class Download:
    """GET /stream, begun and then left alone until `finish`."""

    def __init__(self, port, size=DOWNLOAD_BYTES):
        self.size = size
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=harness.DEADLINE)
        self.sock.sendall(f"GET /stream?bytes={size} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.sock.recv(4096)
        self.answer = harness.Answer(data)
        self.seen = 0
        self._check(self.answer.body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    @property
    def generation(self):
        return int(self.answer.generation)

    def _check(self, data):
        offset = self.seen % STREAM_PERIOD
        if data != PATTERN[offset : offset + len(data)]:
            raise AssertionError(f"wrong bytes near {self.seen}")
        self.seen += len(data)

    def read_to_the_end(self):
        """Returns how many bytes came before the end, however that came."""
        with contextlib.suppress(ConnectionResetError):
            while data := self.sock.recv(1 << 18):
                self._check(data)
        return self.seen

    def is_whole(self):
        return self.read_to_the_end() == self.size


class ServiceCase(harness.Case):
    """One service on 127.0.0.1, two listeners each."""

    def setUp(self):
        super().setUp()
        self.port = self.box.port("127.0.0.1")
        self.address = f"127.0.0.1:{self.port}"
        self.listen = ("--listen", self.address, "--workers", "2")

    def start(self, *options, binary=V1, more=()):
        return self.assert_code(self.box.rpctl("start", *options, binary, *self.listen, *more), 0)

    def upgrade(self, *words, code=0):
        return self.assert_code(self.box.rpctl("upgrade", "--bake", "0", *words), code)

    def stop(self, code=0):
        return self.assert_code(self.box.rpctl("stop"), code)

    def load(self, **options):
        return self.box.load(self.address, **options)

    def get(self, path="/"):
        return harness.get("127.0.0.1", self.port, path)

    def download(self, **options):
        return self.enterContext(Download(self.port, **options))

    def enterContext(self, manager):  # of unittest since Python 3.11
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    # ---- what status says ----

    def generations(self):
        """{number: state}"""
        return {g["generation"]: g["state"] for g in self.box.status()["generations"]}

    def wait_for_generations(self, expected):
        harness.wait_until(lambda: self.generations() == expected, f"the generations are {expected}")

    def generation(self, number):
        return next(g for g in self.box.status()["generations"] if g["generation"] == number)

    def instances(self, number):
        """[(pid, state, restarts)]"""
        return [(i["pid"], i["state"], i["restarts"]) for i in self.generation(number)["instances"]]

    def pid_of(self, number, instance=1):
        return self.instances(number)[instance - 1][0]

    def wait_for_restarts(self, number, restarts):
        """Until every instance is ready and has been launched again so often; returns the pids."""

        def there():
            found = self.instances(number)
            return [i[2] for i in found] == restarts and all(i[1] == "ready" for i in found) and found

        return [i[0] for i in harness.wait_until(there, f"generation {number} has been launched again {restarts}")]

    # ---- what the kernel says ----

    def listener_inodes(self):
        return listener_inodes(self.port)

    def wait_for_connections(self, count):
        harness.wait_until(lambda: harness.sockets_in_state("ESTABLISHED", self.port) >= count,
                           f"{count} connections to port {self.port}")

    def request(self, path="/"):
        """A client that has asked and does not read yet."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=harness.DEADLINE)
        self.addCleanup(client.close)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        return client


def answer(client):
    return harness.Answer(b"".join(iter(lambda: client.recv(65536), b"")))


def listener_inodes(port):
    """Listeners stand first in the table. The rest is not read: under load it is long, and slow to walk through."""
    return _listener_inodes("/proc/net/tcp", port) | _listener_inodes("/proc/net/tcp6", port)


def _listener_inodes(table_path, port):
    found = set()
    with open(table_path, encoding="ascii") as table:
        next(table)
        for line in table:
            fields = line.split()
            if fields[3] != harness.TCP_STATES["LISTEN"]:
                break
            if int(fields[1].rpartition(":")[2], 16) == port:
                found.add(int(fields[9]))
    return found


def server_of(client, pids):
    """Which of the processes has the other end of this IPv4 connection."""
    wanted = [f"{port:04X}" for port in (client.getpeername()[1], client.getsockname()[1])]
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    (inode,) = [row[9] for row in rows
                if [end.rpartition(":")[2] for end in row[1:3]] == wanted and row[3] == harness.TCP_STATES["ESTABLISHED"]]
    (pid,) = [pid for pid in pids if f"socket:[{inode}]" in open_files(pid)]
    return pid


def open_files(pid):
    return {os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")}


def environment(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return dict(entry.decode(errors="replace").split("=", 1) for entry in file.read().split(b"\0") if b"=" in entry)


@contextlib.contextmanager
def stopped(pid):
    """The process does nothing inside the block; it may be dead at its end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        harness.wait_until(lambda: process_state(pid) == "T", f"process {pid} stands still")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def process_state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return re.sub(r".*\)", "", file.read()).split()[0]


def script(box, name, text):
    """An executable file of that name and content."""
    path = box.dir / name
    path.write_text(text)
    path.chmod(0o755)
    return path
