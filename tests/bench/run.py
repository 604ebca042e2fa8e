"""What a request costs; started by tests/bench/run.sh.

The figure that matters is the CPU time of the server's threads by the answers that the load generator has counted: one
core of a load generator is full before a good server is, so requests per second say little. The servers take turns
in short rounds, and a ratio is always between two figures of one round; its median and its spread over the rounds
stand in the table. So what else the machine does meets all of them alike. Opening the connections of a round is booked
on its answers.

The time of a thread holds what the kernel does on its behalf, and on a loopback device also the client's part of
receiving what it sends: the same for all of them, and for the bare loop too.
"""

import os
import pathlib
import resource
import signal
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import figures  # noqa: E402
import generators  # noqa: E402
import harness  # noqa: E402
import idle_memory  # noqa: E402
import machine  # noqa: E402
import peers  # noqa: E402

ROUNDS = int(os.environ.get("RP_BENCH_ROUNDS", "7"))
SECONDS = int(os.environ.get("RP_BENCH_SECONDS", "2"))
CONNECTIONS = 64
UPLOADS = 8  # at a time
IDLE = 10000
IDLE_ROUNDS = 3
SPREADS = 50
TRACED_SECONDS = 5  # strace makes everything slow
EVEN = 0.1  # how far from an even part a worker may be
HEADINGS = ("server", "CPU us", "to nginx", "p10 – p90", "to bare loop", "p10 – p90", "requests/s", "p50", "p99", "p99.9")


class Rounds:
    """The servers in turn; every figure of every round is kept, by the name of the server."""

    def __init__(self, servers, load):
        self.servers, self.load = servers, load
        self.cpu_us = {server.peer.name: [] for server in servers}
        self.answers = {server.peer.name: [] for server in servers}

    def _one(self, server):
        before = server.run_time_ns()
        answers = self.load(server)
        spent = server.run_time_ns() - before
        return spent / 1000 / max(answers.count, 1), answers

    def run(self, count):
        for server in self.servers:
            self.load(server)  # whatever is made at first use
        for _ in range(count):
            for server in self.servers:
                cpu_us, answers = self._one(server)
                self.cpu_us[server.peer.name].append(cpu_us)
                self.answers[server.peer.name].append(answers)

    def ratios(self, name, other):
        """Median and spread of the CPU time as a part of another server's."""
        if other.name not in self.cpu_us:
            return "", ""
        return figures.spread([a / b for a, b in zip(self.cpu_us[name], self.cpu_us[other.name])])

    def row(self, name):
        found = self.answers[name]
        latencies = [figures.median([getattr(one, figure) for one in found]) for figure in ("p50", "p99", "p999")]
        return (name, f"{figures.median(self.cpu_us[name]):.2f}", *self.ratios(name, peers.MEASURE),
                *self.ratios(name, peers.LIMIT), f"{figures.median([one.count / one.seconds for one in found]):.0f}",
                *(harness.milliseconds(value) for value in latencies))

    def rows(self):
        return [self.row(server.peer.name) for server in self.servers]

    def failed(self):
        return {name: failed for name, found in self.answers.items() if (failed := sum(one.failed for one in found))}


class Benchmark(harness.Case):
    def setUp(self):
        super().setUp()
        peers.pin(peers.GENERATOR_CORE)

    def start(self, wanted=peers.PEERS, closes=False):
        return [peers.Running(self.box, peer, closes) for peer in wanted]

    def stop(self, servers):
        for server in servers:
            server.stop()

    def measure(self, name, load, wanted=peers.PEERS, closes=False):
        servers = self.start(wanted, closes)
        rounds = Rounds(servers, load)
        before = machine.times()
        rounds.run(ROUNDS)
        use = machine.use(before, machine.times())
        self.stop(servers)
        print(f"\n### {name}\n", figures.table(HEADINGS, rounds.rows()), "",
              f"{ROUNDS} rounds of {SECONDS} s for each. Other programs used {use.disturbed:.0%} of the machine; load "
              f"average {os.getloadavg()[0]:.1f}.", sep="\n", flush=True)
        self.assertEqual(rounds.failed(), {})

    def measure_keep_alive(self, connections):
        self.measure(f"Small response, keep-alive, {connections} connections" if connections > 1 else
                     "Small response, keep-alive, 1 connection",
                     lambda server: generators.wrk(server, SECONDS, connections))

    def test_1_keep_alive_1(self):
        self.measure_keep_alive(1)

    def test_1_keep_alive_64(self):
        self.measure_keep_alive(CONNECTIONS)

    def test_1_keep_alive_1024(self):
        self.measure_keep_alive(1024)

    def test_2_new_connections(self):
        self.measure(f"A new connection per request, {CONNECTIONS} clients",
                     lambda server: generators.fresh(self.box, server, SECONDS, CONNECTIONS), closes=True)

    def test_3_pipelined(self):
        self.measure(f"16 requests pipelined, {CONNECTIONS} connections",
                     lambda server: generators.wrk(server, SECONDS, CONNECTIONS, ("pipelined",)))

    def test_4_upload(self):
        self.measure(f"Upload of 1 MiB, {UPLOADS} connections",
                     lambda server: generators.wrk(server, SECONDS, UPLOADS, ("upload",), "/upload"),
                     [peer for peer in peers.PEERS if peer is not peers.LIMIT])

    def test_5_idle_memory(self):
        found = {peer.name: [] for peer in peers.PEERS}
        for _ in range(IDLE_ROUNDS):
            for peer in peers.PEERS:
                server = peers.Running(self.box, peer)
                found[peer.name].append(idle_memory.measure(server, IDLE))
                server.stop()
        rows = [(name, *(f"{figures.median(values):.0f}" for values in zip(*both))) for name, both in found.items()]
        print(f"\n### Memory per idle connection, {IDLE} connections\n",
              figures.table(("server", "user, bytes", "kernel, bytes, both ends"), rows), sep="\n", flush=True)

    def workers_answers(self, port):
        """How many answers each of the two workers has given."""
        counts = [int(line) for line in harness.get("127.0.0.1", port, "/workers").body.split()]
        return counts + [0] * (2 - len(counts))

    def larger_part(self, port, make_requests):
        before = self.workers_answers(port)
        make_requests()
        counts = [after - earlier for earlier, after in zip(before, self.workers_answers(port))]
        return max(counts) / sum(counts)

    def test_6_spread(self):
        port = self.box.port()
        server = self.box.spawn(harness.BIN_DIR / "bench-server", port, 2)
        harness.wait_until(lambda: harness.answers("127.0.0.1", port), "bench-server answers")
        parts = [self.larger_part(port, lambda: idle_memory.Connections(port, CONNECTIONS).close()) for _ in range(SPREADS)]
        even = sum(part <= 0.5 * (1 + EVEN) for part in parts)
        self.stop_child(server)
        part, spread = figures.spread(parts)
        print(f"\n### Spread over 2 workers, {CONNECTIONS} connections\n",
              f"The larger part: {part} (median), {spread} (p10 – p90) of {SPREADS} tries. Within {EVEN:.0%} of an even "
              f"part: {even} of them.", sep="\n", flush=True)

    def system_calls(self, server):
        """Of every name that was called, how often for each answer."""
        table = self.box.dir / "strace"
        tracer = self.box.spawn("strace", "-f", "-c", "-o", table, "-p", server.child.pid)
        harness.wait_until(lambda: "attached" in tracer.log_path.read_text(), "strace is attached")
        answers = generators.wrk(server, TRACED_SECONDS, CONNECTIONS)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(harness.DEADLINE)
        rows = [line.split() for line in table.read_text().splitlines()[2:]]
        return [(row[-1], int(row[3]), f"{int(row[3]) / answers.count:.3f}") for row in rows if row and row[-1].isidentifier()
                and row[-1] != "total"]

    def test_7_system_calls(self):
        server = peers.Running(self.box, peers.OURS)
        rows = self.system_calls(server)
        server.stop()
        print(f"\n### System calls of librp, keep-alive, {CONNECTIONS} connections opened and closed\n",
              figures.table(("call", "calls", "for each answer"), rows), sep="\n", flush=True)


def raise_descriptor_limit():
    """For the servers too, which inherit it."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (peers.DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


if __name__ == "__main__":
    raise_descriptor_limit()
    harness.main(machine.program(peers.versions()))
