"""Listeners that are gone, told by the kernel: in sight of new connections up to their end, or hidden before.

The kernel tells who has CAP_NET_ADMIN in the network namespace of every TCP socket that is destroyed (sock_diag(7),
SKNLGRP_INET_TCP_DESTROY), some moments later.
"""

import errno
import socket
import struct

NETLINK_SOCK_DIAG = 4
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
SKNLGRP_INET_TCP_DESTROY = 1
HEADER = struct.Struct("=IHHII")
PORTS = struct.Struct("!HH")  # of struct inet_diag_msg, behind four bytes
INTERFACE, BYTES = struct.Struct("=I"), 72  # … behind both addresses; and the whole of it
RECEIVE_BYTES = 1 << 20


class ClosedListeners:
    """A context manager: IPv4 listeners on `port` that were destroyed since."""

    def __init__(self, port):
        self.port, self.hidden, self.in_sight = port, 0, 0

    def __enter__(self):
        self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_SOCK_DIAG)
        self.netlink.bind((0, 0))
        self.netlink.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, SKNLGRP_INET_TCP_DESTROY)
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
