#!/usr/bin/env python3
"""A server that knows nothing of rpctl: SO_REUSEPORT, HTTP answers, SIGTERM to stop. Used by test_foreign.py.

  foreign_server.py --listen ADDR:PORT [--listeners N] [--without-reuseport] [--notify]

It answers every request with its pid and closes the connection. At SIGTERM it takes no new connection, ends its
answers, and exits. With --notify it tells a service manager that it is ready, as many servers do, and no more.
"""

import argparse
import os
import selectors
import signal
import socket
import sys

BACKLOG = 4096
GENERATION = os.environ.get("RP_GENERATION", "0")  # for the tests' count; it does nothing else with it
REQUEST_END = b"\r\n\r\n"


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--listeners", type=int, default=2)
    parser.add_argument("--without-reuseport", action="store_true")
    parser.add_argument("--notify", action="store_true")
    parser.add_argument("--workers")  # as server-v1 has it; of no use here
    return parser.parse_args()


def listen(address, reuseport):
    host, _, port = address.rpartition(":")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuseport:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, int(port)))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def answer(peer):
    body = f"Client [{peer[0]}:{peer[1]}] Received msg from Server PID: [{os.getpid()}]\n"
    return (f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Version: foreign\r\nX-Generation: {GENERATION}\r\n"
            f"Connection: close\r\n\r\n{body}").encode()


class Server:
    def __init__(self, listeners):
        self.selector = selectors.DefaultSelector()
        self.listeners = listeners
        self.connections = {}  # what each has sent
        self.peers = {}
        self.stopping = False
        for listener in listeners:
            self.selector.register(listener, selectors.EVENT_READ, self.accept)

    def accept(self, listener):
        try:
            connection, peer = listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        self.connections[connection] = b""
        self.peers[connection] = peer
        self.selector.register(connection, selectors.EVENT_READ, self.read)

    def read(self, connection):
        try:
            data = connection.recv(65536)
        except OSError:
            data = b""
        self.connections[connection] += data
        if REQUEST_END in self.connections[connection]:
            connection.sendall(answer(self.peers[connection]))
            data = b""
        if not data:
            self.selector.unregister(connection)
            del self.connections[connection], self.peers[connection]
            connection.close()

    def stop(self):
        self.stopping = True
        for listener in self.listeners:
            self.selector.unregister(listener)
            listener.close()

    def run(self, stop_pipe):
        self.selector.register(stop_pipe, selectors.EVENT_READ, None)
        while not self.stopping or self.connections:
            for key, _ in self.selector.select():
                if key.data:
                    if key.fileobj.fileno() >= 0:
                        key.data(key.fileobj)
                elif not self.stopping:
                    self.stop()


def notify_ready():
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"READY=1", path)


def main():
    arguments = parse_arguments()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = Server([listen(arguments.listen, not arguments.without_reuseport) for _ in range(arguments.listeners)])
    if arguments.notify:
        notify_ready()
    print(f"listening on {arguments.listen}", file=sys.stderr, flush=True)
    server.run(reader)


if __name__ == "__main__":
    main()
