"""The machine that a benchmark runs on: what it is, and how much of it is ours.

Other programs on the same machine spoil a latency. So every window is booked with the processor time that strangers
used in it and that the hypervisor took away, and the caller leaves out what was disturbed. Inside a PID namespace of
its own (harness.py) /proc shows our processes only, while /proc/stat is always that of the whole machine.
"""

import ctypes
import dataclasses
import os
import pathlib
import platform
import re
import unittest

TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class Times:
    """Processor time since the boot, in ticks of all processors together."""

    idle: int
    stolen: int
    worked: int  # by processes, anybody's
    total: int
    ours: int


def _our_ticks():
    """Of all processes in our namespace, and of those that have ended and were waited for."""
    ticks = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks


def times():
    line = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, idle, iowait, irq, softirq, steal = (int(field) for field in line.split()[1:9])
    worked = user + nice + system
    return Times(idle + iowait, steal, worked, worked + idle + iowait + irq + softirq + steal, _our_ticks())


@dataclasses.dataclass(frozen=True)
class Use:
    """Parts of the whole machine (1 = all processors) between two looks."""

    idle: float
    ours: float
    disturbed: float  # by strangers and by the hypervisor

    def __add__(self, other):
        return Use(self.idle + other.idle, self.ours + other.ours, self.disturbed + other.disturbed)

    def __truediv__(self, count):
        return Use(self.idle / count, self.ours / count, self.disturbed / count)


def use(before, after):
    total = max(after.total - before.total, 1)
    ours = after.ours - before.ours
    strangers = max(after.worked - before.worked - ours, 0)
    stolen = after.stolen - before.stolen
    return Use((after.idle - before.idle) / total, ours / total, (strangers + stolen) / total)


def mean_use(uses):
    return sum(uses, Use(0, 0, 0)) / max(len(uses), 1)


def _library(name, function, kind):
    try:
        call = getattr(ctypes.CDLL(name), function)
    except (OSError, AttributeError):
        return "unknown"
    call.restype = kind
    return call()


def _library_versions():
    parser = _library("libhttp_parser.so.2.9", "http_parser_version", ctypes.c_ulong)
    if isinstance(parser, int):
        parser = f"{parser >> 16 & 255}.{parser >> 8 & 255}.{parser & 255}"
    libuv = _library("libuv.so.1", "uv_version_string", ctypes.c_char_p)
    jansson = _library("libjansson.so.4", "jansson_version_str", ctypes.c_char_p)
    texts = (value.decode() if isinstance(value, bytes) else value for value in (libuv, parser, jansson))
    return "libuv {}, http-parser {}, jansson {}".format(*texts)


def describe():
    """One line: processors, kernel, libraries."""
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return (f"{os.cpu_count()} processors ({model.group(1) if model else platform.machine()}), "
            f"Linux {platform.release()}, {_library_versions()}, "
            f"{platform.libc_ver()[0]} {platform.libc_ver()[1]}")


def program(*more):
    """The program of a benchmark: says first where it runs, and `more`."""

    class Program(unittest.TestProgram):
        def runTests(self):
            print(describe(), *more, f"load average {os.getloadavg()[0]:.1f}", sep="; ", flush=True)
            super().runTests()

    return Program
