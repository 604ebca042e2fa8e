"""What every integration test stands on: namespaces, processes, rpctl, rp-load, and checks for what is left.

A test file ends with `harness.main()`. That starts the file again inside a network namespace and a PID namespace
of its own (as root, or through a user namespace): no port is shared with anybody, net.ipv4.tcp_migrate_req is
0, and when the test is killed the kernel ends everything it started. Where namespaces are not allowed the tests
run without them, except those that say they need one: these are skipped.

Nothing here waits for a fixed time: `wait_until` and the pidfd and pipe waits end with the event or at a
deadline. `let_pass` is for tests in which the time itself is what is tested.
"""

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("RP_BIN_DIR", ROOT / "build/release/bin")).resolve()
SANITIZED = os.environ.get("RP_TEST_SANITIZED") == "1"
INSIDE = "RP_TEST_INSIDE"
DEADLINE = 60.0  # seconds, for anything that ought to take milliseconds; a busy machine may be slow
POLL_STEP = 0.002  # seconds, where the system has no event to wait for
FIRST_PORT = 10000  # below the ephemeral range, so that no client's source port is in the way
IDLE_LOOKS = 5  # threads are looked at one after another, so one look may miss what they hand to each other
LEFT_OVER_PATIENCE = 5.0  # seconds, for processes that are ending when a test is over
LOGS_SHOWN = 8  # of a failed test
SKIPPED = 77  # exit status that ctest counts as skipped

boxes = []  # every Box that is not destroyed yet


# ---- namespaces ----


def _unshare_flags():
    everything = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    prefix = [] if os.geteuid() == 0 else ["--map-root-user"]
    for flags in (everything, ["--net"]):
        command = ["unshare", *prefix, *flags, "--", "true"]
        if shutil.which("unshare") and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            return prefix + flags
    return None


def _bring_loopback_up():
    siocgifflags, siocsifflags, iff_up = 0x8913, 0x8914, 1
    with socket.socket() as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, siocgifflags, request))[1]
        fcntl.ioctl(control, siocsifflags, struct.pack("16sH14x", b"lo", flags | iff_up))


def set_sysctl(name, value):
    """Only inside our own network namespace; False where the kernel has no such setting."""
    path = pathlib.Path("/proc/sys", *name.split("."))
    if not path.exists():
        return False
    path.write_text(f"{value}\n")
    return True


def has_namespace():
    return os.environ.get(INSIDE) == "1"


def _enter_namespaces():
    if INSIDE in os.environ:
        if has_namespace():
            _bring_loopback_up()
            set_sysctl("net.ipv4.tcp_migrate_req", 0)
        return
    flags = _unshare_flags()
    os.environ[INSIDE] = "1" if flags else "0"
    if flags:
        script = [sys.executable, "-B", *sys.argv]
        os.execvp("unshare", ["unshare", *flags, "--", *script])
    print("harness: no namespaces here, running without", flush=True)


def main(program_class=unittest.TestProgram):
    """Runs the tests of the calling file; never returns."""
    _enter_namespaces()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        program = program_class(module="__main__", verbosity=2, exit=False)
        result = program.result
        if result.testsRun > 0 and len(result.skipped) == result.testsRun:
            sys.exit(SKIPPED)
        sys.exit(0 if result.wasSuccessful() else 1)
    finally:
        for box in list(boxes):
            box.destroy()


def needs_namespace(test):
    return unittest.skipUnless(has_namespace(), "needs a network namespace of its own")(test)


# ---- waiting ----


class Timeout(AssertionError):
    pass


def let_pass(seconds):
    """For tests in which the time is the thing tested, never to wait for an event."""
    select.select([], [], [], seconds)


def wait_until(predicate, what, timeout=DEADLINE):
    """Returns the first true value of predicate(); for state that nobody announces (/proc, a connect)."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"not within {timeout} s: {what}")
        select.select([], [], [], POLL_STEP)


def wait_gone(pid, timeout=DEADLINE):
    """Waits until the process has ended; it need not be a child of ours."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([pidfd], [], [], timeout)[0]:
            raise Timeout(f"process {pid} is still there after {timeout} s")
    finally:
        os.close(pidfd)


class LineReader:
    """Lines from a descriptor, with a deadline for each."""

    def __init__(self, fd):
        self.fd = fd
        self.rest = b""

    def next(self, timeout=DEADLINE):
        """The next line without its newline, or None at the end."""
        end = time.monotonic() + timeout
        while b"\n" not in self.rest:
            if not select.select([self.fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise Timeout(f"no line within {timeout} s; so far: {self.rest!r}")
            data = os.read(self.fd, 65536)
            if not data:
                line, self.rest = self.rest, b""
                return line.decode(errors="replace") if line else None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace")


# ---- looking at processes and sockets ----


def process_exists(pid):
    """False for a zombie too."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def thread_states(pid):
    return {path.read_text().rpartition(")")[2].split()[0] for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")}


def is_idle(pid):
    """Every thread sleeps."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # one has just ended
        return all(thread_states(pid) == {"S"} for _ in range(IDLE_LOOKS))
    return False


def idle_descriptor_count(pid):
    """For a number that others are held against: without those of a connection that is being closed or of a file that is
    being written to the disk."""
    wait_until(lambda: is_idle(pid), f"process {pid} rests")
    return descriptor_count(pid)


def memory_kib(pid):
    """Memory of the process alone (without file pages that are shared)."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", text, re.MULTILINE).group(1))


def processes_with(setting):
    """Pids whose environment has NAME=VALUE."""
    wanted = setting.encode()
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and wanted in pathlib.Path("/proc", entry, "environ").read_bytes().split(b"\0"):
                found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return [pid for pid in found if pid != os.getpid() and process_exists(pid)]


def descendants(ancestor):
    """Pids of all processes below that one; zombies are left out."""
    parents = {}
    for entry in os.listdir("/proc"):
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text() if entry.isdigit() else ""
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat and stat.rpartition(")")[2].split()[0] not in "ZX":
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found, grown = {ancestor}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return sorted(found - {ancestor})


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "(gone)"


TCP_STATES = {"ESTABLISHED": "01", "SYN_SENT": "02", "SYN_RECV": "03", "LISTEN": "0A"}


def sockets_in_state(state, port):
    """How many TCP sockets with this local port are in the state, IPv4 and IPv6."""
    count = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            count += fields[3] == TCP_STATES[state] and int(fields[1].rpartition(":")[2], 16) == port
    return count


# ---- ports ----

_ports = itertools.count(FIRST_PORT + os.getpid() % 1000 * 20)


def _socket_for(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
    return sock


def _is_free(host, port):
    """Nobody has the port: without SO_REUSEPORT bind() fails otherwise."""
    with _socket_for(host) as alone:
        try:
            alone.bind((host, port))
        except OSError:
            return False
    return True


def _hold(host, port):
    """A bound socket that does not listen: it takes no connection, and keeps other users off the port."""
    sock = _socket_for(host)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock


def format_address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# ---- HTTP by hand ----


class Answer:
    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/1.") else 0
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}

    @property
    def version(self):
        return self.headers.get("x-version")

    @property
    def generation(self):
        return self.headers.get("x-generation")

    @property
    def pid(self):
        found = re.search(rb"Server PID: \[(\d+)\]", self.body)
        return int(found.group(1)) if found else None


def get(host, port, path="/", timeout=DEADLINE):
    """One request on a connection of its own; raises OSError when it is refused or reset."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(timeout)
        sock.connect((host, port))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    return Answer(data)


def answers(host, port, path="/healthz"):
    try:
        return get(host, port, path).status == 200
    except OSError:
        return False


# ---- one test's belongings ----


class Outcome:
    """What a finished rpctl command said."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err
        self.events = []
        for line in out.splitlines():
            if line.startswith("{"):
                self.events.append(json.loads(line))

    @property
    def result(self):
        return next((e for e in reversed(self.events) if e["event"] == "result"), None)

    def phases(self, state="end"):
        return [e["phase"] for e in self.events if e["event"] == "phase" and e["state"] == state]

    def __str__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}---"


class Box:
    """A directory, an environment with an RPCTL_DIR of its own, ports, and the processes started in it."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="rp-test-"))
        self.rpctl_dir = self.dir / "rpctl"
        self.home = self.dir / "home"
        self.work = self.dir / "work"
        for folder in (self.home, self.work):
            folder.mkdir()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("RPCTL_", "RP_", "XDG_", "LISTEN_"))}
        self.env.update(RPCTL_DIR=str(self.rpctl_dir), HOME=str(self.home), TMPDIR=str(self.work))
        self.env.pop("NOTIFY_SOCKET", None)
        # Into files, because the standard error of a supervisor in the background is lost.
        for variable in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            self.env[variable] = f"{os.environ.get(variable, '')}:log_path={self.dir}/sanitizer:print_stacktrace=1"
        self.program = "rpctl"  # in BIN_DIR, or an absolute path
        self.identity = {}  # of whom rpctl runs as: user, group, … of subprocess
        self.children = []
        self.held = []
        self.logs = itertools.count(1)
        boxes.append(self)

    def port(self, *hosts):
        """A port that is free on each host; kept free of strangers until the box is destroyed."""
        hosts = hosts or ("127.0.0.1",)
        port = next(port for port in _ports if all(_is_free(host, port) for host in hosts))
        self.held += [_hold(host, port) for host in hosts]
        return port

    def spawn(self, *command, stdin=subprocess.DEVNULL, stdout=None, env=None, **options):
        """Starts a process of ours; what it prints goes to a file that a failed test shows."""
        log = open(self.dir / f"{next(self.logs):02}-{pathlib.Path(command[0]).name}.log", "wb")
        with log:
            child = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=stdout or log, stderr=log,
                                     env={**self.env, **(env or {})}, cwd=self.work, **options)
        child.log_path = pathlib.Path(log.name)
        self.children.append(child)
        return child

    def server(self, version, *arguments, port, host="127.0.0.1", **options):
        """server-v1 or server-v2 by hand, without rpctl; returns when it answers."""
        child = self.spawn(BIN_DIR / f"server-{version}", "--listen", format_address(host, port), *arguments, **options)
        wait_until(lambda: self._answered_by(child, host, port), f"server-{version} answers on port {port}")
        return child

    def _answered_by(self, child, host, port):
        if child.poll() is not None:
            raise AssertionError(f"{child.args[0]} exited: {child.returncode}: {child.log_path.read_text()}")
        try:
            return get(host, port).pid == child.pid
        except OSError:
            return False

    def rpctl_command(self, words, program=None, name=None, json_output=True):
        command = [str(BIN_DIR / (program or self.program))]
        if name:
            command += ["--name", name]
        if json_output:
            command += ["--json"]
        return command + [str(word) for word in words]

    def rpctl(self, *words, timeout=120, cwd=None, env=None, **options):
        """Runs rpctl to its end and returns the Outcome."""
        done = subprocess.run(self.rpctl_command(words, **options), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=timeout, env={**self.env, **(env or {})},
                              cwd=cwd or self.work, check=False, **self.identity)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def operation(self, *words, **options):
        """Starts rpctl and returns at once; see Operation."""
        return Operation(self, self.rpctl_command(words, **options))

    def status(self, **options):
        """The status event, or None when no such service is running."""
        outcome = self.rpctl("status", **options)
        found = [e for e in outcome.events if e["event"] == "status"]
        return found[0] if found and outcome.code == 0 else None

    def load(self, *connects, **options):
        return Load(self, connects, **options)

    def left_over(self):
        return processes_with(f"RPCTL_DIR={self.rpctl_dir}")

    def strays(self):
        """Files that nobody should have made: anything in the home or the working directory."""
        return [str(path) for folder in (self.home, self.work) for path in folder.rglob("*")]

    def describe(self, lines=25):
        """The end of the logs, for a failed test; of the generations' the newest."""
        found = sorted([*self.dir.rglob("*log*"), *self.dir.glob("sanitizer.*")], key=lambda path: path.stat().st_mtime)
        for path in found[-LOGS_SHOWN:]:
            if path.is_file():
                text = path.read_bytes().decode(errors="replace").replace("\0", "").splitlines()
                print(f"--- {path.relative_to(self.dir)}", *text[-lines:], sep="\n", flush=True)

    def sanitizer_reports(self):
        return [path.read_text(errors="replace") for path in self.dir.glob("sanitizer.*")]

    def destroy(self):
        if self in boxes:
            boxes.remove(self)
        left = self.left_over()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for pid in left:
            wait_gone(pid)
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream:
                    stream.close()
        for sock in self.held:
            sock.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Operation:
    """An rpctl command under way, its events read one by one."""

    def __init__(self, box, command):
        self.child = box.spawn(*command, stdout=subprocess.PIPE)
        self.pid = self.child.pid
        self.lines = LineReader(self.child.stdout.fileno())
        self.out = ""

    def next_event(self, timeout=DEADLINE):
        """The next event, or None at the end of the output."""
        while True:
            line = self.lines.next(timeout)
            if line is None:
                return None
            self.out += line + "\n"
            if line.startswith("{"):
                return json.loads(line)

    def until(self, wanted, timeout=DEADLINE):
        """Reads up to the first event of which wanted(event) is true."""
        while True:
            event = self.next_event(timeout)
            if event is None:
                raise AssertionError(f"the operation ended early:\n{self.finish()}")
            if wanted(event):
                return event

    def until_phase(self, phase, state="begin", timeout=DEADLINE):
        return self.until(lambda e: e["event"] == "phase" and (e["phase"], e["state"]) == (phase, state), timeout)

    def finish(self, timeout=120):
        while self.next_event(timeout) is not None:
            pass
        return Outcome(self.child.wait(timeout), self.out, self.child.log_path.read_text(errors="replace"))


class Load:
    """rp-load as a context manager: hammers from `with` until stop() or the end of the block."""

    def __init__(self, box, connects, fresh=0, keep_alive=0, options=(), wait=True):
        command = [BIN_DIR / "rp-load", "--json", "--fresh", fresh, "--keep-alive", keep_alive, *options]
        for address in connects:
            command += ["--connect", address]
        self.command, self.box, self.wait = command, box, wait
        self.child = self.lines = self.result = None

    def __enter__(self):
        self.child = self.box.spawn(*self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = LineReader(self.child.stdout.fileno())
        if self.wait:
            self.until("running")
        return self

    def __exit__(self, kind, *_):
        if self.result is None and kind is None:
            self.stop()
        elif self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def until(self, event):
        """The next of that kind; others are passed over. See tests/tools/load/report.h."""
        while (found := self.next_event())["event"] != event:
            pass
        return found

    def next_event(self):
        line = self.lines.next(DEADLINE)
        if line is None:
            raise AssertionError(f"rp-load ended: {self.details()}")
        return json.loads(line)

    def tell(self, line):
        """See tests/tools/load/command.h."""
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def mark(self, name):
        """Requests begun from now on belong to the window `name`."""
        self.tell(f"mark {name}")
        return self.until("mark")

    def answers(self, count):
        """Returns when `count` more requests have ended, well or badly."""
        self.tell(f"answers {count}")
        return self.until("answers")

    def settle(self):
        """Returns when every request that was begun before the last mark has ended."""
        self.tell("settle")
        return self.until("settled")

    def first_answer(self, *known):
        """Pid, and time.monotonic_ns() of its first answer, of the next process that is none of those."""
        while (event := self.until("pid"))["pid"] in known:
            pass
        return event["pid"], event["at_ns"]

    def stop(self):
        """Ends the run and returns its result; see tests/tools/load/report.h."""
        if self.result is None:
            self.tell("stop")
            self.result = self.until("result")
            self.child.wait(DEADLINE)
        return self.result

    def window(self, name):
        return next((w for w in self.result["windows"] if w["name"] == name), None)

    def details(self):
        return self.child.log_path.read_text(errors="replace")


@contextlib.contextmanager
def notify_socket(box):
    """The path of a socket that takes sd_notify messages and does nothing with them."""
    path = str(box.dir / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        yield path


class Case(unittest.TestCase):
    """A test with a box of its own, which must be empty at its end."""

    maxDiff = None

    def setUp(self):
        self.box = Box()
        self.addCleanup(self.box.destroy)

    def tearDown(self):
        self.assertEqual(self.box.sanitizer_reports(), [], "a sanitizer found something")
        if self._has_failed():
            self.box.describe()
            return
        for pid in self.box.left_over():
            self._wait_for_the_end_of(pid)
        running = [child.args for child in self.box.children if child.poll() is None]
        self.assertEqual(running, [], "processes are left")
        self.assertEqual(self.box.strays(), [], "files are left")

    def _wait_for_the_end_of(self, pid):
        """A supervisor may still be on its last lines when `rpctl stop` has returned."""
        what = command_line(pid)
        try:
            wait_gone(pid, LEFT_OVER_PATIENCE)
        except Timeout:
            self.fail(f"processes are left: {pid} {what}")

    def _has_failed(self):
        result = self._outcome.result
        return any(self in (test, getattr(test, "test_case", None)) for test, _ in result.failures + result.errors)

    def assert_code(self, outcome, code):
        self.assertEqual(outcome.code, code, str(outcome))
        return outcome

    def stop_child(self, child, code=0, timeout=DEADLINE):
        """SIGTERM, and the exit status that is expected."""
        child.send_signal(signal.SIGTERM)
        wait_gone(child.pid, timeout)
        self.assertEqual(child.wait(), code, child.log_path.read_text(errors="replace"))

    def assert_spotless(self, load):
        result = load.stop()
        self.assertGreater(result["total"]["answers"], 0)
        self.assertEqual(result["total"]["failed"], 0, f"{result['total']['failures']}\n{load.details()}")
        return result


def figure(text):
    """A measured figure: printed, and kept in the file that tests/run.sh shows at the end of a preset."""
    print(f"\n  {text}", flush=True)
    if "RP_FIGURES" in os.environ:
        with open(os.environ["RP_FIGURES"], "a", encoding="utf-8") as file:
            file.write(f"{text}\n")


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f} ms"
