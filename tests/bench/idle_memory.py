"""The memory of connections that have had one request and wait for the next, for a server and in the kernel."""

import pathlib
import socket

PAGE = 4096
BATCH = 100
REQUEST = b"GET /small HTTP/1.1\r\nHost: idle\r\n\r\n"


def _in_slabs():
    """Bytes of all objects in use, of all kinds; the last lines of a kind's row are of no interest here."""
    total = 0
    for line in pathlib.Path("/proc/slabinfo").read_text().splitlines()[2:]:
        fields = line.split()
        total += int(fields[1]) * int(fields[3])
    return total


def _in_socket_buffers():
    for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            fields = line.split()
            return int(fields[fields.index("mem") + 1]) * PAGE
    raise AssertionError("no line for TCP in sockstat")


def kernel_bytes():
    return _in_slabs() + _in_socket_buffers()


class Connections:
    """Opened in batches that fit an accept queue, each with one request answered."""

    def __init__(self, port, count):
        self.sockets = []
        while len(self.sockets) < count:
            self.sockets += self._open(port, min(BATCH, count - len(self.sockets)))

    def _open(self, port, count):
        batch = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        for sock in batch:
            sock.sendall(REQUEST)
        for sock in batch:
            if b" 200 " not in sock.recv(4096):
                raise AssertionError("no good answer on a connection")
        return batch

    def close(self):
        for sock in self.sockets:
            sock.close()


def measure(server, count):
    """Bytes per connection: the server's own, and the kernel's for both ends."""
    Connections(server.port, 100).close()  # what is made at the first connections is not theirs
    user, kernel = server.private_bytes(), kernel_bytes()
    held = Connections(server.port, count)
    result = (server.private_bytes() - user) / count, (kernel_bytes() - kernel) / count
    held.close()
    return result
