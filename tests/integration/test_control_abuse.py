"""The sockets of a service that is running, in the hands of those who mean no good or know no better, beside clients.

Whatever comes, no request of a client fails, the supervisor answers the next question, an upgrade works, and what it
holds is what it held before. The codecs and the control server alone are fuzzed, see tests/fuzz.
"""

import contextlib
import errno
import json
import os
import select
import socket

import control
import harness
import services

CLIENTS = 4 if harness.SANITIZED else 16
ALLOWED = 100  # clients of the control socket at once
TOLD = 100  # … beyond them, who are told why they are not
REQUEST_BYTES_MAX = 256 << 10
QUEUE_BYTES_MAX = 1 << 20  # for one who does not read
SOCKET_BYTES = 512 << 10  # what the kernel holds for one, and more
SLACK_KIB = 4096  # heap that is not given back
UPGRADES_AT_ONCE = 8
DEAF = 12
LONG_ARGUMENT = "x" * 60000  # makes a long status


def request(command, **members):
    return json.dumps({"v": 1, "command": command, **members}).encode() + b"\n"


def read_all(sock):
    """What comes before the end, also where the other side has closed over bytes that it had not read."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(1 << 16):
            data += part
    return data


def is_cut(sock):
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


class AbuseCase(services.ServiceCase):
    def setUp(self):
        super().setUp()
        self.v1, self.v2 = self.releases()
        self.start(binary=self.v1, more=self.more)
        self.supervisor = self.box.status()["supervisor"]["pid"]
        for binary in (self.v2, self.v1):  # what is made once is there
            self.upgrade(binary)
        harness.wait_until(lambda: self.generations() == {3: "serving"}, "the others are gone")
        self.descriptors = harness.idle_descriptor_count(self.supervisor)
        self.memory_kib = harness.memory_kib(self.supervisor)

    more = ()  # arguments

    def releases(self):
        return services.V1, services.V2

    @contextlib.contextmanager
    def unharmed(self, slack_kib=SLACK_KIB):
        """Clients of the service run meanwhile; afterwards everything is as before."""
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            yield load
            self.upgrade(self.v2)
            load.answers(50)
            self.assert_spotless(load)
        harness.wait_until(lambda: harness.descriptor_count(self.supervisor) <= self.descriptors, "its descriptors are as before")
        self.assert_memory(slack_kib)
        status = self.box.status()
        self.assertEqual((status["supervisor"]["pid"], len(status["generations"])), (self.supervisor, 1))
        self.assertNotIn("operation", status)
        self.assertEqual(harness.descendants(self.supervisor), sorted(i["pid"] for i in status["generations"][0]["instances"]))
        self.stop()

    def assert_memory(self, more_kib):
        """Not beyond what it had at first and so much."""
        if not harness.SANITIZED:  # freed memory is kept for a while there
            self.assertLess(harness.memory_kib(self.supervisor), self.memory_kib + more_kib)

    def connect(self):
        sock = harness.wait_until(self.try_to_connect, "there is room in the backlog")
        self.addCleanup(sock.close)
        return sock

    def try_to_connect(self):
        with contextlib.suppress(BlockingIOError):
            return control.connect(self.box)
        return None

    def send(self, data):
        """A client that has sent as much of it as was taken."""
        sock = self.connect()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
        return sock

    def connect_many(self, count):
        """As many as are let in at once: the others wait in the backlog."""
        return [self.connect() for _ in range(count)]

    def answer(self, sock):
        """All events."""
        events = [json.loads(line) for line in read_all(sock).splitlines()]
        sock.close()
        return events

    def result(self, sock):
        [event] = self.answer(sock)
        self.assertEqual(event["event"], "result")
        return event["exit"], event["reason"]


class ManyTest(AbuseCase):
    def test_a_hundred_at_once(self):
        """Most want to know, some want an upgrade: of those one gets it, the others are told that it is under way."""
        with self.unharmed():
            upgrades = {i: request("upgrade", binary=str(services.V2)) for i in range(0, ALLOWED, ALLOWED // UPGRADES_AT_ONCE)}
            socks = self.connect_many(ALLOWED)
            for i, sock in enumerate(socks):
                sock.sendall(upgrades.get(i, request("status")))
            answers = [self.answer(sock) for sock in socks]
            codes = sorted(answers[i][-1]["exit"] for i in upgrades)
            self.assertEqual(codes, [0] + [4] * (len(upgrades) - 1))
            busy = [answers[i][-1]["reason"] for i in upgrades if answers[i][-1]["exit"] == 4]
            self.assertTrue(all("upgrade" in reason and str(os.getpid()) in reason for reason in busy), busy)
            for i in set(range(ALLOWED)) - set(upgrades):
                self.assertEqual([e["event"] for e in answers[i]], ["status"])
            self.assertEqual(self.generations(), {4: "serving"})

    def test_upgrades_at_once(self):
        with self.unharmed():
            for _ in range(3):
                children = [self.box.spawn(*self.box.rpctl_command(["upgrade", "--bake", "0", services.V2]))
                            for _ in range(UPGRADES_AT_ONCE)]
                codes = sorted(child.wait(harness.DEADLINE) for child in children)
                self.assertEqual(codes.count(0) + codes.count(4), UPGRADES_AT_ONCE, codes)
                self.assertGreaterEqual(codes.count(0), 1)
                operations = self.generation_number()
                self.assertEqual(operations, self.seen + codes.count(0), "each that has won is one generation")
                self.seen = operations

    seen = 3

    def generation_number(self):
        return self.box.status()["generations"][0]["generation"]

    def test_more_than_are_allowed(self):
        """Those beyond are told, or let go; when the others are gone, everybody is welcome again."""
        with self.unharmed():
            silent = self.connect_many(ALLOWED)
            harness.wait_until(lambda: harness.descriptor_count(self.supervisor) >= self.descriptors + ALLOWED, "they are let in")
            for words in (("status",), ("upgrade", services.V2), ("stop",)):
                outcome = self.assert_code(self.box.rpctl(*words), 4)
                self.assertIn(f"{ALLOWED} clients are connected already", outcome.result["reason"])
            beyond = self.connect_many(3 * TOLD)
            told = [read_all(sock) for sock in beyond]
            refused = [json.loads(line)["reason"] for line in told if line]
            self.assertEqual(set(refused), {f"{ALLOWED} clients are connected already"})
            self.assertGreaterEqual(len(refused), TOLD)
            self.assertLessEqual(harness.descriptor_count(self.supervisor), self.descriptors + ALLOWED + TOLD + 1)
            for sock in silent + beyond:
                sock.close()
            harness.wait_until(lambda: self.box.status(), "it answers again")


class MalformedTest(AbuseCase):
    """Each is told what is wrong with it, and nothing comes of it."""

    def test_requests(self):
        deep = b"[" * 60000 + b"]" * 60000 + b"\n"
        cases = {
            "no JSON": b"\xff\xfe\x00\x01garbage\n",
            "an empty line": b"\n",
            "NULs": b"\0" * 1000 + b"\n",
            "deep": deep,
            "deep objects": b'{"v":1,"command":' + b'{"a":' * 20000 + b"1" + b"}" * 20000 + b"}\n",
            "no object": b"[1,2,3]\n",
            "another version": b'{"v":99,"command":"status"}\n',
            "no version": b'{"command":"status"}\n',
            "no command": b'{"v":1}\n',
            "an unknown command": b'{"v":1,"command":"explode"}\n',
            "an unknown member": b'{"v":1,"command":"status","x":1}\n',
            "a member twice": b'{"v":1,"command":"status","command":"stop"}\n',
            "a huge number": b'{"v":1' + b"0" * 10000 + b',"command":"status"}\n',
            "a NUL in a text": b'{"v":1,"command":"upgrade","binary":"/bin/true\\u0000x"}\n',
            "a relative path": b'{"v":1,"command":"upgrade","binary":"true"}\n',
            "bad UTF-8": b'{"v":1,"command":"\xc3\x28"}\n',
            "the longest": b"x" * REQUEST_BYTES_MAX + b"\n",
            "too long": b"x" * (REQUEST_BYTES_MAX + 1) + b"\n",
            "far too long": b"x" * (4 << 20),
            "no end": b"REPLACED",
        }
        with self.unharmed():
            for name, data in cases.items():
                sock = self.send(request("stop")[:-1] if name == "no end" else data)
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
                code, reason = self.result(sock)
                self.assertEqual(code, 2, name)
                self.assertRegex(reason, r"\A[^\n\x00-\x1f]{5,}\Z", name)
                self.assertEqual("the request line is longer than 256 KiB" in reason, "too long" in name, (name, reason))
            for _ in range(50):
                sock = self.send(os.urandom(3000).replace(b"\n", b"") + b"\n")
                self.assertEqual(self.result(sock)[0], 2)

    def test_clients_that_do_not_stay(self):
        """They close at once, in the middle of a request, before the answer, or in the middle of it."""
        with self.unharmed():
            for data in (b"", b"{", request("status")[:-1], request("status"), request("watch"), request("follow"), b"\xff" * 5000):
                for _ in range(30):
                    self.send(data).close()
            for _ in range(30):
                sock = self.send(request("watch"))
                self.assertTrue(sock.recv(10))
                sock.close()

    def test_clients_that_say_nothing_or_half_of_it(self):
        """They have their time, and are told that it is over; others come and go meanwhile."""
        with self.unharmed():
            socks = [self.send(data) for data in (b"", b'{"v":1', request("stop")[:-1]) for _ in range(10)]
            self.assertEqual(self.generations(), {3: "serving"})
            for sock in socks:
                code, reason = self.result(sock)
                self.assertEqual(code, 2)
                self.assertEqual(reason, "no whole request line came within 10 s")


class DeafTest(AbuseCase):
    """Clients that ask and never read."""

    more = (LONG_ARGUMENT,)

    def releases(self):
        """They take no notice of that argument."""
        words = " ".join(self.listen)
        return [services.script(self.box, f"deaf-{binary.name}", f"#!/bin/sh\nexec {binary} {words}\n")
                for binary in (services.V1, services.V2)]

    def test_they_are_cut(self):
        """Each has a queue with an end, and nobody waits for them. The C library may keep what they took at the most,
        and the next ones get it: a second time costs nothing more."""
        most_kib = self.memory_kib + SLACK_KIB + DEAF * QUEUE_BYTES_MAX // 1024
        with self.unharmed(most_kib) as load:
            for _ in range(2):
                upgrades, after_kib = self.deafen(load), harness.memory_kib(self.supervisor)
                harness.figure(f"{DEAF} watchers that do not read are cut after {upgrades} upgrades; memory of the supervisor "
                               f"{self.memory_kib} KiB before, {after_kib} KiB after")
                if not harness.SANITIZED:
                    self.assertLess(after_kib, most_kib)

    def deafen(self, load):
        """Until all are cut; how many upgrades that took."""
        deaf = [self.send(request("watch")) for _ in range(DEAF)]
        upgrades = 0
        while not all(map(is_cut, deaf)):
            self.upgrade(self.v2 if upgrades % 2 else self.v1)
            upgrades += 1
            load.answers(20)
            self.assertLess(upgrades, 60, "they are cut in the end")
        for sock in deaf:
            self.assertLess(len(read_all(sock)), QUEUE_BYTES_MAX + SOCKET_BYTES)
            sock.close()
        return upgrades

    def test_the_upgrade_does_not_wait_for_them(self):
        """Followers of the upgrade, and those who started it. What the first ones took may be kept, and the next ones
        get it, as above."""
        commands = [command for command in ("follow", "watch", "status", "upgrade") for _ in range(10)]
        with self.unharmed(SLACK_KIB + (1 + len(commands)) * QUEUE_BYTES_MAX // 1024):
            for generation in (4, 5, 6):
                deaf = [self.send(request("upgrade", binary=str(self.v2)))]
                harness.wait_until(lambda: "operation" in self.box.status(), "it is under way")
                deaf += [self.send(request(command)) for command in commands]
                harness.wait_until(lambda: self.generations() == {generation: "serving"}, "it has come to its end")
                for sock in deaf:
                    sock.close()


class OtherSocketsTest(AbuseCase):
    """What instances talk to, in the hands of somebody who is none."""

    def test_notifications(self):
        """From a process that is not of the service, with as many descriptors as fit: nothing is believed or kept."""
        with self.unharmed(), open("/dev/null", "rb") as file:
            for data in (b"READY=1\n", b"STOPPING=1\n", b"FDSTORE=1\n", b"X_RP_CUT=99\n", b"\xff" * 4000, b"=" * 4000, b""):
                for fds in ([], [file.fileno()] * 250):
                    for _ in range(10):
                        self.notify(data, fds)
            self.assertEqual(self.generations(), {3: "serving"})
            self.assertEqual(self.generation(3)["listeners"], 2)

    def notify(self, data, fds):
        """A full queue is not waited for."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.connect(str(self.box.rpctl_dir / "default/notify"))
            with contextlib.suppress(BlockingIOError):
                socket.send_fds(sock, [data], fds) if fds else sock.send(data)

    def test_links(self):
        """More than it wants, and talkative."""
        with self.unharmed():
            links = [self.link() for _ in range(600)]
            for sock in filter(None, links):
                with contextlib.suppress(OSError):
                    sock.send(b"\xff" * 1000)
            self.assertEqual(self.generations(), {3: "serving"})
            for sock in filter(None, links):
                sock.close()

    def link(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self.addCleanup(sock.close)
        try:
            sock.connect(str(self.box.rpctl_dir / "default/instances"))
        except OSError as error:
            self.assertEqual(error.errno, errno.EAGAIN, "the backlog is full")
            return None
        return sock


if __name__ == "__main__":
    harness.main()
