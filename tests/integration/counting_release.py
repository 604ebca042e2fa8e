#!/usr/bin/env python3
"""A release that writes down every connection it gets: the server's side of the count in test_isolation.py.

  counting_release.py --record FILE --ready-after SECONDS --listen ADDR:PORT

It listens at once, with SO_REUSEPORT, so that the kernel by itself would give it its part of the traffic at once; it
says only after SECONDS that it is ready. FILE gets a line for each connection, the first line of its request, and
the line "ready". SIGTERM ends it.
"""

import argparse
import os
import select
import socket
import time

LISTENERS = 2
ANSWER_SECONDS = 0.02  # for each: a thousand good answers take long enough to be aborted


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", required=True)
    parser.add_argument("--ready-after", type=float, required=True)
    parser.add_argument("--listen", required=True)
    return parser.parse_args()


def listen(address):
    host, _, port = address.rpartition(":")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, int(port)))
    listener.listen(1024)
    return listener


def notify(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(text, os.environ["NOTIFY_SOCKET"])


def serve(connection):
    """Answers one request and returns its first line."""
    with connection:
        data = connection.recv(65536)
        select.select([], [], [], ANSWER_SECONDS)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n")
    return data.partition(b"\r\n")[0].decode("latin-1")


def main():
    arguments = parse_arguments()
    ready_at = time.monotonic() + arguments.ready_after
    listeners = [listen(arguments.listen) for _ in range(LISTENERS)]
    notify(b"STATUS=starting")
    with open(arguments.record, "w", encoding="latin-1", buffering=1) as record:
        while True:
            patience = max(0.0, ready_at - time.monotonic()) if ready_at else None
            found = select.select(listeners, [], [], patience)[0]
            for listener in found:
                print(serve(listener.accept()[0]), file=record)
            if not found:
                ready_at = None
                print("ready", file=record)
                notify(b"READY=1")


if __name__ == "__main__":
    main()
