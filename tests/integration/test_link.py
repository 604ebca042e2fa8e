"""The link of a process to its supervisor: what a server does when that one is killed and another one comes.

The supervisor here is a fake: the two sockets of one, and nothing behind them.
"""

import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import statistics
import tempfile
import time
import unittest

import servers
from servers import Server

TOLD_WITHIN = 1.0  # seconds; the process tries four times in one
RECONNECTIONS = 50
LISTENERS_MAX = 250
READY = b"READY=1\nX_RP_HEALTH=http:/healthz\n"


class Supervisor:
    """Its sockets, at paths that stay when it is killed; start() makes other sockets there."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rp-link-"))
        self.link_path, self.notify_path = self.folder / "instances", self.folder / "notify"
        self.listening = self.notify = None
        self.links = []
        self.env = {
            "RP_SERVICE": "web",
            "RP_GENERATION": "1",
            "RP_SOCKET": str(self.link_path),
            "NOTIFY_SOCKET": str(self.notify_path),
        }

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.die()
        shutil.rmtree(self.folder)

    def start(self, notify=True, link=True):
        if notify:
            self.notify = self._bind(self.notify_path, socket.SOCK_DGRAM)
        if link:
            self.listening = self._bind(self.link_path, socket.SOCK_SEQPACKET)
            self.listening.listen(16)

    @staticmethod
    def _bind(path, kind):
        path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, kind)
        made.settimeout(servers.DEADLINE)
        made.bind(str(path))
        return made

    def die(self):
        for made in (self.listening, self.notify, *self.links):
            if made:
                made.close()
        self.listening, self.notify, self.links = None, None, []

    def replace(self):
        self.die()
        self.start()

    def take_link(self):
        link = self.listening.accept()[0]
        self.links.append(link)
        return link

    def linked_pid(self):
        credentials = self.take_link().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[:4], "little")

    def receive(self):
        """The text of the next datagram, and the sockets that came with it; the word before all else is passed over."""
        while (found := self.receive_any())[0] == b"X_RP_STARTING=1\n":
            pass
        return found

    def receive_any(self):
        text, fds, flags, _ = socket.recv_fds(self.notify, 8192, LISTENERS_MAX)
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        return text, [socket.socket(fileno=fd) for fd in fds]

    def is_silent(self):
        return not select.select([self.notify], [], [], 0)[0]


def inodes(descriptors):
    return [os.fstat(descriptor).st_ino for descriptor in descriptors]


def listening_on(port):
    """Inodes of the listeners of the port, whoever has a descriptor of them."""
    lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(f[9]) for f in lines if f[3] == "0A" and int(f[1].rpartition(":")[2], 16) == port}


class Common(unittest.TestCase):
    def expect_listeners(self, supervisor):
        text, listeners = supervisor.receive()
        self.assertEqual(text, b"FDSTORE=1\n")
        with contextlib.ExitStack() as stack:
            for listener in listeners:
                stack.enter_context(listener)
                self.assertEqual(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
            return inodes(listener.fileno() for listener in listeners)


class Link(Common):
    def start(self, supervisor, *arguments, **options):
        return self.enterContext(Server("--workers", "2", *arguments, env=supervisor.env, **options))

    def supervised(self, *arguments, **options):
        """A supervisor that has been told of a ready server, and that server; the inodes of its listeners."""
        supervisor = self.enterContext(Supervisor())
        server = self.start(supervisor, *arguments, **options)
        self.assertEqual(supervisor.linked_pid(), server.pid)
        listeners = self.expect_listeners(supervisor)
        self.assertEqual(supervisor.receive(), (READY, []))
        self.assertEqual(len(listeners), 2)
        return supervisor, server.ready(), listeners

    def expect_told_anew(self, supervisor, server, listeners):
        self.assertEqual(supervisor.linked_pid(), server.pid)
        self.assertEqual(self.expect_listeners(supervisor), listeners)
        self.assertEqual(supervisor.receive(), (READY, []))
        self.assertTrue(supervisor.is_silent())

    def expect_served(self, server):
        self.assertEqual(server.get("/healthz").status, 200)

    def expect_drained(self, server):
        server.term()
        self.assertEqual(server.wait(), 0, server.log)
        self.assertEqual(listening_on(server.port), set())

    def test_a_new_supervisor_is_told_everything(self):
        supervisor, server, listeners = self.supervised()
        for _ in range(3):
            supervisor.die()
            self.expect_served(server)
            supervisor.start()
            self.expect_told_anew(supervisor, server, listeners)
        self.expect_drained(server)

    def test_the_listeners_can_be_accepted_on(self):
        supervisor, server, _ = self.supervised()
        supervisor.replace()
        _, listeners = supervisor.receive()
        server.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, server.pid, os.WSTOPPED)
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        ports = {client.getsockname()[1] for client in clients}
        accepted = []
        while ports:
            found = select.select(listeners, [], [], servers.DEADLINE)[0]
            self.assertTrue(found, f"nobody else can have accepted those from {ports}")
            for listener in found:
                with contextlib.suppress(BlockingIOError):
                    connection, peer = listener.accept()
                    accepted.append(connection)
                    ports.remove(peer[1])
        for made in (*clients, *listeners, *accepted):
            made.close()
        server.signal(signal.SIGCONT)
        self.expect_served(server)

    def test_the_first_supervisor_comes_late(self):
        supervisor = self.enterContext(Supervisor())
        supervisor.die()
        supervisor.link_path.unlink()
        supervisor.start(link=False)
        server = self.start(supervisor).ready()
        listeners = self.expect_listeners(supervisor)
        self.assertEqual(supervisor.receive(), (READY, []))
        supervisor.start(notify=False)
        self.expect_told_anew(supervisor, server, listeners)

    def test_a_draining_server_has_no_listeners_to_send(self):
        supervisor, server, listeners = self.supervised("--idle-grace", "1m", "--drain-timeout", "2m")
        with server.connect() as client:
            client.get("/")
            server.term()
            self.assertEqual(supervisor.receive(), (b"STOPPING=1\n", []))
            self.assertTrue(listening_on(server.port).isdisjoint(listeners))
            for _ in range(2):
                supervisor.replace()
                self.assertEqual(supervisor.linked_pid(), server.pid)
                self.assertEqual(supervisor.receive(), (b"STOPPING=1\n", []))
                self.assertTrue(supervisor.is_silent())
            self.assertEqual(client.get("/").status, 200)
        self.assertEqual(server.wait(), 0, server.log)
        self.assertEqual(supervisor.receive(), (b"X_RP_FINISHED=1\nX_RP_CUT=0\n", []))

    def test_a_supervisor_that_does_not_read_holds_nobody_up(self):
        supervisor, server, listeners = self.supervised()
        supervisor.die()
        supervisor.start(link=False)
        junk = 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    stranger.sendto(b"junk", str(supervisor.notify_path))
                    junk += 1
        supervisor.start(notify=False)
        self.assertEqual(supervisor.linked_pid(), server.pid)
        end = time.monotonic() + 1  # several turns of the link
        while time.monotonic() < end:
            began = time.monotonic()
            self.expect_served(server)
            self.assertLess(time.monotonic() - began, servers.PROMPT)
        for _ in range(junk):
            self.assertEqual(supervisor.receive(), (b"junk", []))
        self.assertEqual(self.expect_listeners(supervisor), listeners)
        self.assertEqual(supervisor.receive(), (READY, []))
        self.expect_drained(server)

    def test_a_supervisor_that_accepts_nobody_holds_nobody_up(self):
        supervisor, server, _ = self.supervised()
        supervisor.die()
        supervisor.start()
        supervisor.listening.listen(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
            stranger.connect(str(supervisor.link_path))
            for _ in range(20):
                self.expect_served(server)
            self.expect_drained(server)

    def test_a_supervisor_gone_for_good(self):
        supervisor, server, listeners = self.supervised()
        supervisor.die()
        descriptors = server.descriptors()
        ticks = server.cpu_ticks()
        servers.let_pass(1.0)  # several tries of the link
        self.assertLessEqual(server.descriptors(), descriptors)
        self.assertLess(server.cpu_ticks() - ticks, 10, "trying costs next to nothing")
        self.expect_served(server)
        self.assertEqual(listening_on(server.port), set(listeners))
        self.expect_drained(server)

    def test_many_supervisors(self):
        supervisor, server, listeners = self.supervised()
        descriptors = server.descriptors()
        seconds = []
        for _ in range(RECONNECTIONS):
            began = time.monotonic()
            supervisor.replace()
            self.expect_told_anew(supervisor, server, listeners)
            seconds.append(time.monotonic() - began)
            self.assertEqual(server.descriptors(), descriptors)
        self.assertLess(statistics.median(seconds), TOLD_WITHIN)  # a machine may stall, but not each time
        self.expect_drained(server)

    def test_without_a_link_nothing_is_opened(self):
        supervisor, linked, listeners = self.supervised()
        del supervisor.env["RP_SOCKET"]
        other = self.start(supervisor)
        self.assertEqual(len(self.expect_listeners(supervisor)), len(listeners))
        self.assertEqual(supervisor.receive(), (READY, []))
        other.ready()
        # The connection, its timer and what watches them, and the duplicates.
        self.assertEqual(linked.descriptors() - other.descriptors(), 3 + len(listeners))
        self.assertFalse(select.select([supervisor.listening], [], [], 0)[0])
        supervisor.replace()
        self.assertEqual(supervisor.linked_pid(), linked.pid)
        self.expect_drained(other)

    def test_a_bad_variable_ends_the_start(self):
        for value, words in (("instances", "absolute path"), ("@name", "absolute path"), ("/" + "p" * 200, "107 bytes")):
            with Server(env={"RP_SERVICE": "web", "RP_SOCKET": value}) as server:
                self.assertEqual(server.wait(), 1)
                self.assertRegex(server.log, f'bad RP_SOCKET="{re.escape(value[:60])}.*{words}')


class OwnLoop(Common):
    """A program that is not built on rp/server.h; a line that it echoes is the service."""

    def own_loop(self):
        supervisor = self.enterContext(Supervisor())
        server = self.enterContext(Server("127.0.0.1:0", program="own-loop", listen=None, env=supervisor.env))
        self.assertEqual(supervisor.linked_pid(), server.pid)
        text, listeners = supervisor.receive()
        self.assertEqual(text, b"FDSTORE=1\n")
        server.port = listeners[0].getsockname()[1]
        found = inodes(listener.fileno() for listener in listeners)
        for listener in listeners:
            listener.close()
        self.assertEqual(supervisor.receive(), (b"READY=1\nX_RP_HEALTH=tcp\n", []))
        return supervisor, server, found

    def expect_echo(self, client):
        client.send("line\r\n")
        self.assertEqual(client.take_line(), "line")

    def test_it_is_taken_over(self):
        supervisor, server, listeners = self.own_loop()
        descriptors = server.descriptors()
        for _ in range(5):
            supervisor.die()
            with server.connect() as client:
                self.expect_echo(client)
            supervisor.start()
            self.assertEqual(supervisor.linked_pid(), server.pid)
            self.assertEqual(self.expect_listeners(supervisor), listeners)
            self.assertEqual(supervisor.receive(), (b"READY=1\nX_RP_HEALTH=tcp\n", []))
        self.assertEqual(server.descriptors(), descriptors)

    def test_it_drains(self):
        supervisor, server, _ = self.own_loop()
        with server.connect() as client:
            self.expect_echo(client)
            server.signal(signal.SIGTERM)
            self.assertEqual(supervisor.receive(), (b"STOPPING=1\n", []))
            self.assertEqual(listening_on(server.port), set())
            supervisor.replace()
            self.assertEqual(supervisor.receive(), (b"STOPPING=1\n", []))
            self.expect_echo(client)
        self.assertEqual(server.wait(), 0, server.log)


if __name__ == "__main__":
    servers.main()
