"""A handshake whose last ACK is late belongs to the old version, and is served (in a private network namespace)."""

import shutil
import socket
import subprocess
import unittest

import harness

HELD_BACK = 1.5  # seconds
CLIENT_PORTS = range(40001, 40009)


def nft(script):
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)


class LateAck:
    """Drops what these client ports send to the server without a payload, but for SYN."""

    def __init__(self, port):
        self.port = port

    def __enter__(self):
        ports = ", ".join(str(port) for port in CLIENT_PORTS)
        # An ACK without data: 20 bytes of IP, up to 60 of TCP; the least with data here is a request of 50 bytes.
        nft(f"""table ip late {{
            chain input {{
                type filter hook input priority 0
                tcp dport {self.port} tcp sport {{ {ports} }} tcp flags & (syn | rst | fin) == 0 meta length < 80 drop
            }}
        }}""")
        return self

    def release(self):
        nft("delete table ip late")

    def __exit__(self, kind, *_):
        if kind:
            subprocess.run(["nft", "delete", "table", "ip", "late"], check=False, stderr=subprocess.DEVNULL)


class Client:
    """A connection that the client believes to be established."""

    def __init__(self, client_port, port):
        self.sock = socket.socket()
        self.sock.settimeout(harness.DEADLINE)
        self.sock.bind(("127.0.0.1", client_port))
        self.sock.connect(("127.0.0.1", port))

    def request(self):
        self.sock.sendall(b"GET / HTTP/1.1\r\nHost: late-acknowledgement.test\r\nConnection: close\r\n\r\n")

    def answer(self):
        with self.sock:
            return harness.Answer(b"".join(iter(lambda: self.sock.recv(65536), b"")))


@harness.needs_namespace
@unittest.skipUnless(shutil.which("nft"), "needs nft")
class HalfOpenTest(harness.Case):
    def setUp(self):
        super().setUp()
        harness.set_sysctl("net.ipv4.tcp_syncookies", 0)
        self.port = self.box.port("127.0.0.1")

    def half_open(self):
        clients = [Client(client_port, self.port) for client_port in CLIENT_PORTS]
        self.assertEqual(harness.sockets_in_state("SYN_RECV", self.port), len(clients))
        return clients

    def nobody_is_half_open(self):
        return harness.sockets_in_state("SYN_RECV", self.port) == 0

    def test_served_across_an_upgrade(self):
        listen = ("--listen", f"127.0.0.1:{self.port}", "--workers", "2")
        # The requests come when this process is run again, and must not race with the idle grace of the drain.
        self.assert_code(self.box.rpctl("start", "--idle-grace", "60s", "--drain-timeout", "2m",
                                        harness.BIN_DIR / "server-v1", *listen), 0)
        with LateAck(self.port) as late:
            clients = self.half_open()
            upgrade = self.box.operation("upgrade", "--bake", "0", "--quiesce-timeout", "60s",
                                         harness.BIN_DIR / "server-v2", *listen)
            upgrade.until_phase("quiesce", "begin")
            harness.let_pass(HELD_BACK)
            self.assertGreater(harness.sockets_in_state("SYN_RECV", self.port), 0, "the upgrade was not held up")
            late.release()
            half = len(clients) // 2
            for client in clients[:half]:  # their request brings the ACK
                client.request()
            # For the others the server repeats its SYN-ACK, and the client's answer to that is let through.
            harness.wait_until(self.nobody_is_half_open, "the SYN-ACK is repeated and answered")
            for client in clients[half:]:
                client.request()
            answers = [client.answer() for client in clients]
            self.assert_code(upgrade.finish(), 0)
        self.assertEqual([(a.status, a.version, a.generation) for a in answers], [(200, "v1", "1")] * len(clients))
        self.assertEqual(harness.get("127.0.0.1", self.port).version, "v2")
        self.assert_code(self.box.rpctl("stop"), 0)

    def test_without_rpctl_they_are_lost(self):
        """The same by hand, new started and old ended: so the test above does see a loss."""
        old = self.box.server("v1", "--workers", "2", port=self.port)
        with LateAck(self.port) as late:
            clients = self.half_open()
            new = self.box.spawn(harness.BIN_DIR / "server-v2", "--listen", f"127.0.0.1:{self.port}",
                                 "--workers", "2")
            harness.wait_until(lambda: harness.sockets_in_state("LISTEN", self.port) >= 4, "both listen")
            self.stop_child(old)
            late.release()
            lost = 0
            for client in clients:
                try:
                    client.request()
                    lost += client.answer().status != 200
                except OSError:
                    lost += 1
        self.assertEqual(lost, len(clients))
        self.stop_child(new)


if __name__ == "__main__":
    harness.main()
