"""A catalogue of bad releases: how to make each, and what an upgrade to it must come to.

A `Bad` makes the words for `rpctl upgrade` in a `Place`. Its exit status is one of `codes`, and where that is not 0
the reason matches. `may_lose` says whether requests may be lost: only where a process dies that has accepted
connections. `while_under_way(run)`, where there is one, is called with the upgrade just begun.
"""

import dataclasses
import os
import pathlib
import re
import signal

import harness
import services

SERVER = pathlib.Path(__file__).resolve().with_name("bad_server.py")
FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
OTHER_MACHINE = 46  # e_machine of the H8/300, which nobody runs, not even emulated
E_MACHINE = slice(18, 20)
SHORT = ("--ready-timeout", "400ms")
LONG_BAKE = ("--bake", "1h", "--health-interval", "20ms")
WORKERS = 2  # of those that are programs of ours
PHASES = ("pin", "launch", "ready", "health", "shift", "bake", "quiesce")

DONE, FAILED, ROLLED_BACK, REFUSED = 0, 1, 3, 6


class Place:
    """Where the releases are made, and where they ought to listen."""

    def __init__(self, box, addresses, other_address):
        self.box, self.addresses, self.other_address = box, addresses, other_address
        self.folder = box.dir / "bad"
        self.folder.mkdir()

    def path(self, name):
        return self.folder / name

    def file(self, name, content, mode=0o755):
        path = self.path(name)
        if not path.exists():
            path.write_bytes(content)
            path.chmod(mode)
        return path

    def listen(self, addresses=None):
        return [word for address in addresses or self.addresses for word in ("--listen", address)]

    def ours(self, *more, addresses=None):
        return [services.V2, "--workers", WORKERS, *self.listen(addresses), *more]

    def foreign(self, how="good", addresses=None):
        return [SERVER, "--how", how, *self.listen(addresses)]


@dataclasses.dataclass(frozen=True)
class Bad:
    name: str
    words: object  # callable(place)
    codes: tuple
    reason: str
    may_lose: bool = False
    while_under_way: object = None
    addresses: int = 1  # the service must have so many at least


# ---- files that are no program ----


def no_file(place):
    return [place.path("nothing")]


def dangling(place):
    path = place.path("dangling")
    if not path.is_symlink():
        path.symlink_to("nothing")
    return [path]


def directory(place):
    place.path("directory").mkdir(exist_ok=True)
    return [place.path("directory")]


def not_executable(place):
    return [place.file("not-executable", b"#!/bin/sh\n", 0o644)]


def empty(place):
    return [place.file("empty", b"")]


def wrong_machine(place):
    header = bytearray(services.V2.read_bytes()[:4096])
    header[E_MACHINE] = OTHER_MACHINE.to_bytes(2, "little")
    return [place.file("other-machine", bytes(header))]


def no_interpreter(place):
    return [place.file("no-interpreter", b"#!/nowhere/interpreter\n")]


def no_library(place):
    content, count = re.subn(rb"\0libuv\.so\.1\0", b"\0libuX.so.1\0", services.V2.read_bytes())
    if count == 0:
        raise AssertionError("server-v2 does not need libuv.so.1")
    return [place.file("no-library", content)]


# ---- programs that end before they serve ----


def exits_with_0(place):
    return [place.file("exits-with-0", b"#!/bin/sh\nexit 0\n")]


def exits_with_1(place):
    return [place.file("exits-with-1", b"#!/bin/sh\necho no configuration >&2\nexit 1\n")]


def killed_early(place):
    return [place.file("killed-early", b"#!/bin/sh\nkill -SEGV $$\n")]


def without_reuseport(place):
    return [FOREIGN, "--without-reuseport", *place.listen(place.addresses[:1])]


# ---- while the bake lasts ----


def kill_one(run):
    """SIGKILL to one process of the new generation."""
    run.until_phase("bake")
    os.kill(run.random.choice(run.pids), signal.SIGKILL)


def abort(run):
    """In a random phase; the answer says whether it came in time."""
    run.until_phase(run.random.choice(PHASES))
    run.abort()


def kill_client(run):
    """The upgrade goes on, and `follow` tells its outcome."""
    run.until_phase(run.random.choice(PHASES))
    run.kill_client()


CATALOGUE = (
    Bad("no such file", no_file, (REFUSED,), "no such file"),
    Bad("dangling symlink", dangling, (REFUSED,), "does not exist|no such file"),
    Bad("directory", directory, (REFUSED,), "directory"),
    Bad("not executable", not_executable, (REFUSED,), "not executable"),
    Bad("empty file", empty, (REFUSED,), "empty"),
    Bad("wrong machine", wrong_machine, (FAILED, REFUSED), "(?i)machine|architecture|processor"),
    Bad("no interpreter", no_interpreter, (FAILED, REFUSED), "/nowhere/interpreter"),
    Bad("no library", no_library, (FAILED,), "exit status 127|libuX"),
    Bad("exits with 0", exits_with_0, (FAILED,), "exit status 0 before it was ready"),
    Bad("exits with 1", exits_with_1, (FAILED,), "exit status 1 before it was ready"),
    Bad("killed early", killed_early, (FAILED,), "(?i)SIGSEGV|signal 11|segmentation"),
    Bad("never ready", lambda place: [*SHORT, *place.ours("--start-delay", "1h")], (FAILED,), "not ready within"),
    Bad("says nothing", lambda place: [*SHORT, "/usr/bin/tail", "-f", "/dev/null"], (FAILED,), "does not listen|not ready within"),
    Bad("healthz 500", lambda place: [*SHORT, *place.ours("--fail-health")], (FAILED,), "500|not ready within"),
    Bad("healthz mute", lambda place: ["--ready-timeout", "1s", "--health", "http:/healthz", *place.foreign("mute")],
        (FAILED,), "not healthy within|not ready within"),
    Bad("garbage", lambda place: ["--ready-timeout", "1s", "--health", "http:/healthz", *place.foreign("garbage")],
        (FAILED,), "not healthy within|not ready within"),
    Bad("other port", lambda place: place.ours(addresses=[place.other_address]), (FAILED,), "exit status|listen"),
    Bad("other port, foreign", lambda place: [*SHORT, *place.foreign(addresses=[place.other_address])],
        (FAILED,), "does not listen|not ready within"),
    Bad("one address less", lambda place: place.ours(addresses=place.addresses[:1]), (FAILED,), "exit status|listen",
        addresses=2),
    Bad("one address less, foreign", lambda place: [*SHORT, *place.foreign(addresses=place.addresses[:1])],
        (FAILED,), "does not listen|not ready within", addresses=2),
    Bad("no SO_REUSEPORT", without_reuseport, (FAILED,), "exit status 1|SO_REUSEPORT"),
    Bad("daemon", lambda place: place.foreign("daemon"), (FAILED,), "background"),
    Bad("leaves children", lambda place: place.foreign("children"), (FAILED,), "exit status 1 before it was ready"),
    Bad("killed in the bake", lambda place: [*LONG_BAKE, *place.ours()], (ROLLED_BACK,), "SIGKILL|signal 9|Killed",
        may_lose=True, while_under_way=kill_one),
    Bad("one of two killed", lambda place: [*LONG_BAKE, "--instances", "2", *place.ours()], (ROLLED_BACK,),
        "SIGKILL|signal 9|Killed", may_lose=True, while_under_way=kill_one),
    Bad("exits in the bake", lambda place: [*LONG_BAKE, *place.ours("--exit-after", "400ms")], (FAILED, ROLLED_BACK),
        "exit status 1", may_lose=True),
    Bad("sick in the bake", lambda place: ["--ready-timeout", "3s", *LONG_BAKE, *place.ours("--fail-health-after", "400ms")],
        (FAILED, ROLLED_BACK), "500|not ready within"),
    Bad("aborted", lambda place: ["--bake", "100ms", *place.ours()], (DONE, FAILED, ROLLED_BACK), "aborted",
        while_under_way=abort),
    Bad("client killed", lambda place: ["--bake", "100ms", *place.ours()], (DONE,), "", while_under_way=kill_client),
)
