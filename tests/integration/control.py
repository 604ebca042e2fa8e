"""The control socket by hand, for tests to which a process for each question is too slow; see rpctl-protocol(7)."""

import json
import socket

import harness


def connect(box, service="default"):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(harness.DEADLINE)
    sock.connect(str(box.rpctl_dir / service / "control"))
    return sock


def read(sock):
    """Yields the events of the answer as they come."""
    with sock.makefile("rb") as lines:
        for line in lines:
            yield json.loads(line)


def events(box, command, **members):
    with connect(box) as sock:
        sock.sendall(json.dumps({"v": 1, "command": command, **members}).encode() + b"\n")
        yield from read(sock)


def answer(box, command, **members):
    """The last event of the answer."""
    return list(events(box, command, **members))[-1]
