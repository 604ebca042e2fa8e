#!/usr/bin/env python3
"""A server that knows nothing of rpctl and is a bad release; see bad_releases.py.

  bad_server.py --how HOW --listen ADDR:PORT [--listen ADDR:PORT...]

HOW is one of

  good       as foreign_server.py, on any number of addresses
  garbage    answers with bytes that are no HTTP
  mute       takes every connection and answers nothing
  daemon     goes into the background
  children   leaves children behind that listen on and do not hear SIGTERM, and exits with 1
"""

import argparse
import os
import signal
import socket

import foreign_server

LISTENERS = 2  # on each address
CHILDREN = 2


def listen(address):
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, int(port)))
    listener.listen(foreign_server.BACKLOG)
    listener.setblocking(False)
    return listener


def garbage(_):
    return b"\0\1\2 what is HTTP?\r\n\r\n"


class Mute(foreign_server.Server):
    """Holds the connection after the request, until the client goes."""

    def read(self, connection):
        try:
            gone = not connection.recv(65536)
        except OSError:
            gone = True
        if gone:
            self.selector.unregister(connection)
            del self.connections[connection], self.peers[connection]
            connection.close()


def leave_children():
    """Returns in each child, not in the process itself."""
    for _ in range(CHILDREN):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            return
    os._exit(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--how", choices=("good", "garbage", "mute", "daemon", "children"), default="good")
    parser.add_argument("--listen", action="append", required=True)
    arguments = parser.parse_args()
    listeners = [listen(address) for address in arguments.listen for _ in range(LISTENERS)]
    if arguments.how == "daemon" and os.fork() > 0:
        os._exit(0)
    if arguments.how == "children":
        leave_children()
    if arguments.how == "garbage":
        foreign_server.answer = garbage
    never, _writer = os.pipe()  # SIGTERM ends it as it ends any program that does not care
    (Mute if arguments.how == "mute" else foreign_server.Server)(listeners).run(never)


if __name__ == "__main__":
    main()
