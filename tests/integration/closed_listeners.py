"""Listeners that are gone, told by the kernel: in sight of new connections up to their end, or hidden before.

The kernel tells who has CAP_NET_ADMIN in the network namespace of every TCP socket that is destroyed (sock_diag(7),
SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY), some moments later. Connections too, so whoever waits long beside
a load has to read meanwhile.
"""

import contextlib
import errno
import socket
import struct

import harness

NETLINK_SOCK_DIAG = 4
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
DESTROYED = (1, 3)
SO_RCVBUFFORCE, WAITING_BYTES = 33, 32 << 20
HEADER = struct.Struct("=IHHII")
PORTS = struct.Struct("!HH")  # of struct inet_diag_msg, behind four bytes
INTERFACE, BYTES = struct.Struct("=I"), 72  # … behind both addresses; and the whole of it
RECEIVE_BYTES = 1 << 20


class ClosedListeners:
    """A context manager: the listeners on `port` that were destroyed since."""

    def __init__(self, port):
        self.port, self.hidden, self.in_sight = port, 0, 0

    def __enter__(self):
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_SOCK_DIAG)
        with contextlib.suppress(PermissionError):  # root of a user namespace only
            self.netlink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, WAITING_BYTES)
        self.netlink.bind((0, 0))
        for group in DESTROYED:
            self.netlink.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        return self

    def __exit__(self, *_):
        self.netlink.close()

    def count(self):
        """Reads what the kernel has told by now."""
        while True:
            try:
                self._take(self.netlink.recv(RECEIVE_BYTES))
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                return self.hidden + self.in_sight

    def _take(self, data):
        while len(data) >= HEADER.size + BYTES:
            length = HEADER.unpack_from(data)[0]
            message = data[HEADER.size:length]
            data = data[(length + 3) & ~3:]
            local, remote = PORTS.unpack_from(message, 4)
            if (local, remote) != (self.port, 0):
                continue
            if INTERFACE.unpack_from(message, 4 + PORTS.size + 32)[0]:
                self.hidden += 1
            else:
                self.in_sight += 1


@contextlib.contextmanager
def out_of_sight(case, port):
    """All that are closed inside the block are; gives what reads meanwhile. Without a namespace nobody tells."""
    if not harness.has_namespace():
        yield lambda: None
        return
    with ClosedListeners(port) as closed:
        yield closed.count
        case.assertGreater(closed.count(), 0)
        case.assertEqual(closed.in_sight, 0, f"beside {closed.hidden} that were hidden")
