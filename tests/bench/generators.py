"""What sends requests and counts the answers: wrk, and rp-load where each request has a connection of its own.

wrk has no way to read a connection to its end, and no defence against a port that is still in TIME_WAIT (see
tests/tools/load/client.h). Both are closed loops: a client waits for its answers before it asks again.
"""

import dataclasses
import json
import pathlib
import subprocess

import harness

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Answers:
    count: int
    failed: int
    seconds: float
    p50: float  # microseconds, as the others
    p99: float
    p999: float


def wrk(server, seconds, connections, words=("small",), path="/small"):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "wrk.lua", server.url + path, "--", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=harness.DEADLINE, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return Answers(found["answers"], found["failed"], found["us"] / 1e6, found["p50"], found["p99"], found["p999"])


def fresh(box, server, seconds, clients):
    with box.load(f"127.0.0.1:{server.port}", fresh=clients, options=("--path", "/small")) as load:
        harness.let_pass(seconds)
        total = load.stop()["total"]
    latency = total["latency_us"]
    return Answers(total["answers"], total["failed"], seconds, latency["p50"], latency["p99"], latency["p999"])
