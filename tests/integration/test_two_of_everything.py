"""Two of everything: supervisors of one service, services on one port, users at one directory. One wins, the other is
told why, and no client of the first notices."""

import os
import pathlib
import shutil
import signal
import subprocess

import harness
import services

FOREIGN = pathlib.Path(__file__).resolve().with_name("foreign_server.py")
CLIENTS = 4 if harness.SANITIZED else 16
ROUNDS = 4 if harness.SANITIZED else 12
NOBODY = 65534


class TwoCase(services.ServiceCase):
    def of_services(self):
        """Pids of all supervisors and servers."""
        clients = {child.pid for child in self.box.children if pathlib.Path(child.args[0]).name == "rp-load"}
        return sorted(set(self.box.left_over()) - clients)


class SameInstantTest(TwoCase):
    """Started at once, so that nobody is there when either looks."""

    def at_once(self, *commands):
        """The processes of rpctl commands that all go at the same moment."""
        gate, opened = os.pipe()
        children = [self.box.spawn("/bin/sh", "-c", 'read -r _ <&0; exec "$0" "$@"', *self.box.rpctl_command(
            [command, "--health-interval", "10ms", services.V1, *self.listen], json_output=False), stdin=gate)
                    for command in commands]
        os.close(gate)
        os.write(opened, b"\n" * len(commands))
        os.close(opened)
        return children

    def losers(self, children, winner):
        for child in children:
            if child is winner:
                continue
            self.assertEqual(child.wait(harness.DEADLINE), 4, child.log_path.read_text())
            self.assertRegex(child.log_path.read_text(), r"\Arpctl: \S+/default: a supervisor is running already "
                             r"\(pid [1-9]\d*\); upgrade it with [^\n]*\n\Z")

    def assert_one_service(self):
        self.wait_for_generations({1: "serving"})
        supervisor = self.box.status()["supervisor"]["pid"]
        harness.wait_until(lambda: self.of_services() == sorted([supervisor, self.pid_of(1)]), "those who lost are gone")
        self.assertEqual(len(self.listener_inodes()), 2)
        self.assertEqual(self.get().generation, "1")

    def test_start(self):
        for _ in range(ROUNDS):
            children = self.at_once("start", "start", "start")
            codes = sorted(child.wait(harness.DEADLINE) for child in children)
            self.assertEqual(codes, [0, 4, 4], [child.log_path.read_text() for child in children])
            self.losers(children, next(child for child in children if child.returncode == 0))
            self.assert_one_service()
            self.stop()

    def test_run(self):
        for _ in range(ROUNDS):
            self.one_runs(self.at_once("run", "run", "run"))

    def test_run_and_start(self):
        for _ in range(ROUNDS // 2):
            children = self.at_once("run", "start")
            if children[1].wait(harness.DEADLINE) == 0:
                self.losers(children, children[1])
                self.assert_one_service()
                self.stop()
            else:
                self.one_runs(children)

    def one_runs(self, children):
        harness.wait_until(lambda: sum(child.poll() is None for child in children) == 1, "one is left")
        [winner] = [child for child in children if child.poll() is None]
        harness.wait_until(self.has_started, "it serves")
        self.losers(children, winner)
        self.assert_one_service()
        self.stop_child(winner)

    def has_started(self):
        status = self.box.status()
        return status and "operation" not in status

    def test_takeover(self):
        """Of two that want to take a service over one does, and its clients do not notice."""
        self.start()
        pid = self.pid_of(1)
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            for _ in range(ROUNDS // 2):
                supervisor = self.box.status()["supervisor"]["pid"]
                os.kill(supervisor, signal.SIGKILL)
                harness.wait_gone(supervisor)
                children = self.at_once("start", "start")
                self.assertEqual(sorted(child.wait(harness.DEADLINE) for child in children), [0, 4])
                self.losers(children, next(child for child in children if child.returncode == 0))
                self.assert_one_service()
            self.assert_spotless(load)
        self.assertEqual(self.pid_of(1), pid)
        self.stop()


class OnePortTest(TwoCase):
    """Another service wants the port: it is refused, and leaves nothing."""

    def beside(self, load, *words, code=1, reason=None):
        """The second service beside the clients of the first."""
        inodes = self.listener_inodes()
        load.answers(100)
        outcome = self.assert_code(self.box.rpctl(*words, name="second"), code)
        load.answers(100)
        self.assertEqual(self.listener_inodes(), inodes)
        said = "\n".join([outcome.result["reason"], *outcome.result["log"]])
        self.assertRegex(said, reason or rf"cannot listen on {self.address}: pid {self.pid_of(1)}, which is not of service second")
        return outcome

    def only_the_first(self, load):
        """Nothing failed, and no answer came from anybody else."""
        total = self.assert_spotless(load)["total"]
        self.assertEqual(set(total["pids"]), {str(self.pid_of(1))})

    def test_first_start(self):
        self.start()
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            self.beside(load, "start", services.V2, *self.listen)
            self.foreground(load)
            self.only_the_first(load)
        self.assertIsNone(self.box.status(name="second"))
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def foreground(self, load):
        outcome = self.assert_code(self.box.rpctl("run", services.V2, *self.listen, name="second", json_output=False), 1)
        self.assertIn(f"cannot listen on {self.address}", outcome.out + outcome.err)
        load.answers(100)

    def test_an_upgrade_to_that_port(self):
        """Also beside the addresses that the second service has."""
        other = ("--listen", f"127.0.0.1:{self.box.port('127.0.0.1')}")
        self.start()
        self.assert_code(self.box.rpctl("start", services.V1, *other, name="second"), 0)
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            self.beside(load, "upgrade", services.V2, *other, *self.listen)
            self.beside(load, "upgrade", "--allow-drop", services.V2, *self.listen)
            self.only_the_first(load)
        self.assertEqual([g["generation"] for g in self.box.status(name="second")["generations"]], [1])
        self.assert_code(self.box.rpctl("upgrade", "--bake", "0", services.V2, *other, name="second"), 0)
        self.assert_code(self.box.rpctl("stop", name="second"), 0)
        self.stop()

    def test_instances_are_no_strangers(self):
        """Those of one generation share its addresses, and so does an address that comes with an upgrade."""
        more = ("--listen", f"127.0.0.1:{self.box.port('127.0.0.1')}")
        self.start("--instances", "3")
        self.upgrade("--instances", "3", services.V2, *self.listen, *more)
        self.assertEqual(self.generation(2)["listeners"], 12)
        self.stop()

    def test_a_server_that_does_not_look(self):
        """Whatever it took at once, it is gone again, and the first service has its port for itself."""
        other = ("--listen", f"127.0.0.1:{self.box.port('127.0.0.1')}")
        self.start()
        self.assert_code(self.box.rpctl("start", services.V1, *other, name="second"), 0)
        stranger = rf"a stranger's listener on {self.address} would get connections: .*pid \d+"
        inodes = self.listener_inodes()
        for command, name in (("start", "third"), ("upgrade", "second")):
            allow = ("--allow-drop",) if command == "upgrade" else ()
            outcome = self.assert_code(self.box.rpctl(command, *allow, FOREIGN, *self.listen, name=name), 1)
            self.assertRegex(outcome.result["reason"], stranger)
            self.assertEqual(self.listener_inodes(), inodes)
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(500)
            self.only_the_first(load)
        self.assert_code(self.box.rpctl("stop", name="second"), 0)
        self.stop()


class UsersTest(TwoCase):
    """A directory, or a socket, that is somebody else's, or anybody's."""

    def setUp(self):
        super().setUp()
        self.there = []  # processes of the service that is there

    def refused(self, reason, *words, code=6, as_nobody=False, **options):
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if as_nobody else {}
        self.box.identity = identity
        try:
            outcome = self.assert_code(self.box.rpctl(*words, json_output=False, **options), code)
        finally:
            self.box.identity = {}
        self.assertRegex(outcome.err, rf"\Arpctl: [^\n]*{reason}[^\n]*\n\Z")
        self.assertEqual(outcome.out, "")

    def every_command(self, reason, **options):
        for words in (("start", services.V1, *self.listen), ("run", services.V1, *self.listen), ("upgrade", services.V1),
                      ("status",), ("stop",), ("abort",), ("logs",)):
            self.refused(reason, *words, **options)
        self.assertEqual(self.of_services(), self.there)

    def test_a_parent_that_all_may_write_to(self):
        for mode in (0o777, 0o1777, 0o770):
            self.box.rpctl_dir.mkdir(exist_ok=True)
            self.box.rpctl_dir.chmod(mode)
            self.every_command(rf"rpctl may be written to by others \(mode {mode:04o}\); chmod go-w it")
        self.assertEqual(list(self.box.rpctl_dir.iterdir()), [], "nothing was made there")

    def test_a_parent_that_is_opened_to_all_later(self):
        """The service goes on; whoever comes is refused until it is safe again."""
        self.start()
        self.box.rpctl_dir.chmod(0o777)
        self.there = self.of_services()
        with self.load(fresh=CLIENTS) as load:
            load.answers(50)
            self.every_command("may be written to by others")
            load.answers(50)
            self.assert_spotless(load)
        self.box.rpctl_dir.chmod(0o700)
        self.upgrade(services.V2, *self.listen)
        self.stop()

    def test_a_directory_of_another_user(self):
        self.needs_two_users()
        (self.box.rpctl_dir / "default").mkdir(parents=True, mode=0o700)
        os.chown(self.box.rpctl_dir / "default", NOBODY, NOBODY)
        self.every_command(rf"default belongs to user {NOBODY} and not to you \({os.geteuid()}\)")
        os.chown(self.box.rpctl_dir, NOBODY, NOBODY)
        self.every_command(rf"rpctl belongs to user {NOBODY} and not to you")

    def test_a_service_of_another_user(self):
        """Whoever has no way to the socket is told so; whoever has one (it was opened by hand) is turned away by it."""
        self.needs_two_users()
        self.start()
        rpctl = self.box.dir / "rpctl-for-all"
        shutil.copy(harness.BIN_DIR / "rpctl", rpctl)
        self.box.dir.chmod(0o711)
        self.box.work.chmod(0o755)
        supervisor = self.box.status()["supervisor"]["pid"]
        with self.load(fresh=CLIENTS) as load:
            load.answers(50)
            for words in (("status",), ("stop",), ("abort",), ("upgrade", "/bin/true"), ("start", "/bin/true")):
                self.refused("cannot open .*: Permission denied", *words, as_nobody=True, program=rpctl)
            self.box.rpctl_dir.chmod(0o711)
            (self.box.rpctl_dir / "default").chmod(0o711)
            (self.box.rpctl_dir / "default/control").chmod(0o666)
            for command in ("status", "stop", "abort", "reexec", "upgrade"):
                self.assertIn(f"this service belongs to user {os.geteuid()}, not to user {NOBODY}",
                              self.ask_as_nobody(f'{{"v":1,"command":"{command}"}}'))
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(self.box.status()["supervisor"]["pid"], supervisor)
        self.assertEqual(self.generations(), {1: "serving"})
        self.stop()

    def ask_as_nobody(self, line):
        script = ("import socket, sys\nsock = socket.socket(socket.AF_UNIX)\nsock.connect(sys.argv[1])\n"
                  "sock.sendall(sys.argv[2].encode() + b'\\n')\nprint(sock.makefile().read(), end='')")
        asked = subprocess.run(["/usr/bin/python3", "-c", script, str(self.box.rpctl_dir / "default/control"), line],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=harness.DEADLINE, check=True,
                               cwd="/", user=NOBODY, group=NOBODY, extra_groups=[])
        return asked.stdout

    def needs_two_users(self):
        """Root in a user namespace of its own has no other user to become."""
        if os.geteuid() != 0 or int(pathlib.Path("/proc/self/uid_map").read_text().split()[2]) <= NOBODY:
            self.skipTest("needs two users")


if __name__ == "__main__":
    harness.main()
