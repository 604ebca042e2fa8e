"""The servers that are compared, each on one port and one core.

All of them have one thread that serves, no access log, keep-alive without an end, and the same body. `bare loop` is
the limit; with `closes` it and only it must be told to close behind each response.
"""

import dataclasses
import os
import pathlib
import socket
import subprocess
import typing

import harness

HERE = pathlib.Path(__file__).resolve().parent
PEERS_DIR = pathlib.Path(os.environ.get("RP_PEERS_DIR", "build/peers"))
SERVER_CORE = 0
GENERATOR_CORE = 1
DESCRIPTORS = 15000  # more than the idle connections


def pin(core):
    os.sched_setaffinity(0, {core})


def free_port():
    """Not Box.port: h2o cannot share one with the socket that holds it."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def fill_in(name, folder, port):
    """The configuration of a peer, in its folder."""
    text = (HERE / "peers" / name).read_text()
    for word, value in (("port", port), ("dir", folder), ("descriptors", DESCRIPTORS)):
        text = text.replace(f"@{word}@", str(value))
    path = folder / name
    path.write_text(text)
    return path


def bare_loop(_, port, closes):
    return [harness.BIN_DIR / "bare-loop", port, *(["close"] if closes else [])]


def librp(_, port, __):
    return [harness.BIN_DIR / "bench-server", port]


def nginx(folder, port, _):
    return [PEERS_DIR / "usr/sbin/nginx", "-p", folder, "-c", fill_in("nginx.conf", folder, port)]


def h2o(folder, port, _):
    (folder / "small").write_text("ok\n")
    return [PEERS_DIR / "usr/bin/h2o", "-m", "worker", "-c", fill_in("h2o.conf", folder, port)]


def go(_, port, __):
    return [PEERS_DIR / "go-server", port]


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    command: typing.Callable


LIMIT = Peer("bare loop", bare_loop)
OURS = Peer("librp", librp)
MEASURE = Peer("nginx", nginx)  # of whose figures the others' are given as parts
PEERS = (MEASURE, OURS, LIMIT, Peer("h2o", h2o), Peer("Go net/http", go))


class Running:
    """A started peer that listens."""

    def __init__(self, box, peer, closes=False):
        self.peer, self.port = peer, free_port()
        folder = box.dir / f"{peer.name.split()[0]}-{self.port}"
        folder.mkdir()
        command = peer.command(folder, self.port, closes)
        self.child = box.spawn(*command, preexec_fn=lambda: pin(SERVER_CORE))
        harness.wait_until(self._listens, f"{peer.name} listens")

    def _listens(self):
        if self.child.poll() is not None:
            raise AssertionError(f"{self.peer.name} ended: {self.child.log_path.read_text()}")
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def run_time_ns(self):
        """Time on a processor of all its threads, by the scheduler's own clock."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.child.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total

    def private_bytes(self):
        """Memory that is this process's alone."""
        lines = pathlib.Path(f"/proc/{self.child.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))

    def stop(self):
        self.child.kill()
        self.child.wait()


def versions():
    """One line, for the results."""
    def first_line(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).splitlines()[0]

    return ", ".join((first_line(PEERS_DIR / "usr/sbin/nginx", "-v").removeprefix("nginx version: "),
                      first_line(PEERS_DIR / "usr/bin/h2o", "--version"),
                      first_line("go", "version").removeprefix("go version "),
                      " ".join(first_line("wrk", "-v").split()[:2])))
