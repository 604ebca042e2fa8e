#!/usr/bin/env python3
"""A server that knows nothing of rpctl: SO_REUSEPORT, HTTP answers, SIGTERM to stop. Used by test_foreign.py and others.

  foreign_server.py --listen ADDR:PORT [--listeners N] [--notify] [misbehaviour]

It answers every request with its pid and closes the connection. At SIGTERM it tells how many of its listeners new
connections can find, takes no new connection, ends its answers, and exits. With --notify it tells a service manager that
it is ready, as many servers do, and no more; with --hand-over it sends its listeners first, as those do that use more of
that protocol.

Misbehaviour: --without-reuseport (all listeners), --lose-reuseport (at SIGUSR1), --alone ADDR:PORT (one more listener,
without SO_REUSEPORT), --user UID (before it listens), --answer never|garbage|close, --daemon (the parent ends, the child
goes on), --leave-child (a child goes on with the listeners when the parent has ended), --own-session and --bare (for
either: in a session of its own, with an empty environment), --deaf (for either: SIGTERM is ignored, but for the word on
its listeners), --unready (with --notify: it says that it is starting, and no more). With --notify a daemon says before all
else that it is starting.
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
SO_BINDTOIFINDEX = 62
INHERITED = "--inherited"  # how a child with an empty environment finds its listeners


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--listeners", type=int, default=2)
    parser.add_argument("--notify", action="store_true")
    parser.add_argument("--hand-over", action="store_true")
    parser.add_argument("--also-listen")  # one more, with SO_REUSEPORT
    parser.add_argument("--without-reuseport", action="store_true")
    parser.add_argument("--lose-reuseport", action="store_true")
    parser.add_argument("--alone")
    parser.add_argument("--user", type=int)
    parser.add_argument("--answer", choices=("never", "garbage", "close"))
    parser.add_argument("--daemon", action="store_true")
    parser.add_argument("--leave-child", action="store_true")
    parser.add_argument("--own-session", action="store_true")
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--unready", action="store_true")
    parser.add_argument("--workers")  # as server-v1 has it; of no use here
    parser.add_argument(INHERITED, type=int, nargs="*", default=[])
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


def open_listeners(arguments):
    if arguments.inherited:
        return [socket.socket(fileno=fd) for fd in arguments.inherited]
    if arguments.user is not None:
        os.setuid(arguments.user)
    listeners = [listen(arguments.listen, not arguments.without_reuseport) for _ in range(arguments.listeners)]
    if arguments.also_listen:
        listeners.append(listen(arguments.also_listen, True))
    if arguments.alone:
        listeners.append(listen(arguments.alone, False))
    return listeners


def answer(peer):
    body = f"Client [{peer[0]}:{peer[1]}] Received msg from Server PID: [{os.getpid()}]\n"
    return (f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Version: foreign\r\nX-Generation: {GENERATION}\r\n"
            f"Connection: close\r\n\r\n{body}").encode()


class Server:
    def __init__(self, listeners, manner=None, deaf=False):
        self.manner = manner  # of answering, or None
        self.deaf = deaf
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
        if REQUEST_END in self.connections[connection] and self.manner != "never":
            connection.sendall(self.bytes_for(connection))
            data = b""
        if not data:
            self.selector.unregister(connection)
            del self.connections[connection], self.peers[connection]
            connection.close()

    def bytes_for(self, connection):
        return {None: answer(self.peers[connection]), "garbage": b"220 mail.example.com ESMTP\r\n", "close": b""}[self.manner]

    def tell_in_sight(self):
        bound = [listener.getsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX) for listener in self.listeners]
        print(f"SIGTERM, {bound.count(0)} of {len(bound)} listeners in sight", file=sys.stderr, flush=True)

    def stop(self):
        self.tell_in_sight()
        if self.deaf:
            return
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
                elif signal.SIGTERM in os.read(stop_pipe, 64) and not self.stopping:
                    self.stop()


def notify(text, listeners=()):
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(path)
            socket.send_fds(sock, [text], [listener.fileno() for listener in listeners])


def become_the_child(arguments, listeners):
    """What the arguments want it to be; with --bare the program begins anew."""
    if arguments.own_session:
        os.setsid()
    if arguments.bare:
        for listener in listeners:
            listener.set_inheritable(True)
        fds = [str(listener.fileno()) for listener in listeners]
        mode = (["--deaf"] if arguments.deaf else []) + (["--answer", arguments.answer] if arguments.answer else [])
        command = [sys.executable, __file__, "--listen", arguments.listen, *mode, INHERITED, *fds]
        os.execve(sys.executable, command, {})


def handle_signals(arguments, listeners):
    """Returns the descriptor that becomes readable at SIGTERM."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    if arguments.lose_reuseport:
        signal.signal(signal.SIGUSR1, lambda *_: lose_reuseport(listeners))
    return reader


def lose_reuseport(listeners):
    for listener in listeners:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
    print("now without SO_REUSEPORT", file=sys.stderr, flush=True)


def daemonise():
    """Returns in the child. As daemon(3) does it."""
    if os.fork() > 0:
        os._exit(0)


def main():
    arguments = parse_arguments()
    if arguments.daemon and arguments.notify:
        notify(b"STATUS=starting")
    listeners = open_listeners(arguments)
    forks = arguments.daemon or arguments.leave_child
    if arguments.daemon:
        daemonise()
    in_child = arguments.daemon or (arguments.leave_child and os.fork() == 0)
    if in_child:
        become_the_child(arguments, listeners)
    stop_pipe = handle_signals(arguments, listeners)
    server = Server(listeners, arguments.answer, arguments.deaf and (in_child or not forks))
    if arguments.hand_over:
        notify(b"FDSTORE=1", listeners)
    if (arguments.notify or arguments.hand_over) and not arguments.daemon:
        notify(b"STATUS=starting" if arguments.unready else b"READY=1")
    print(f"listening on {arguments.listen}", file=sys.stderr, flush=True)
    server.run(stop_pipe)


if __name__ == "__main__":
    main()
