"""The machine runs out of something in the middle of an upgrade: the old generation goes on, and the reason is clear.

ENFILE and want of memory cannot be had for one process alone; they are injected, see test_torture.py.
"""

import contextlib
import functools
import os
import pathlib
import resource
import shutil
import subprocess

import harness
import services

CLIENTS = 4 if harness.SANITIZED else 16
ANOTHER_USER = 60123  # has no other processes, so that its limit is about ours alone
SPARE_DESCRIPTORS = 40  # more than an upgrade of one address needs


class ScarcityCase(services.ServiceCase):
    def supervisor(self):
        return self.box.status()["supervisor"]["pid"]

    def failed_upgrade(self, reason, binary=services.V2):
        """Beside clients; then all is as before."""
        inodes = self.listener_inodes()
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            outcome = self.upgrade(binary, *self.listen, code=1)
            load.answers(50)
            self.assert_spotless(load)
        self.assertRegex(outcome.result["reason"], reason)
        self.assertEqual(self.generations(), {1: "serving"})
        self.assertEqual(self.listener_inodes(), inodes)
        self.assertEqual(self.get().generation, "1")

    def good_upgrade(self, binary=services.V2):
        with self.load(fresh=CLIENTS, keep_alive=CLIENTS) as load:
            load.answers(50)
            self.upgrade(binary, *self.listen)
            load.answers(50)
            self.assert_spotless(load)


class LogDirectoryTest(ScarcityCase):
    def setUp(self):
        super().setUp()
        self.start()
        self.log_dir = self.box.rpctl_dir / "default/log"

    def test_it_was_removed(self):
        """It is made again, and the log of the new release is there."""
        shutil.rmtree(self.log_dir)
        self.good_upgrade()
        self.assertEqual(self.log_dir.stat().st_mode & 0o777, 0o700)
        self.assertIn("event=ready", (self.log_dir / "generation-2.log").read_text())
        self.assertIn("event=ready", self.box.rpctl("logs", json_output=False).out)
        self.stop()

    def test_something_else_stands_in_its_place(self):
        shutil.rmtree(self.log_dir)
        self.log_dir.write_text("")
        self.failed_upgrade("cannot open .*/log: Not a directory")
        self.log_dir.unlink()
        self.good_upgrade()
        self.stop()


@harness.needs_namespace
class FullDiskTest(ScarcityCase):
    @contextlib.contextmanager
    def small_disk(self, options):
        """A file system of its own for the service, as small as the options say."""
        self.box.rpctl_dir.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "tmpfs", self.box.rpctl_dir], check=True)
        try:
            yield self.box.rpctl_dir
        finally:
            subprocess.run(["umount", "-l", self.box.rpctl_dir], check=True)

    def fill(self, directory):
        """Until not one byte more goes in."""
        with open(directory / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def test_no_space(self):
        """A log is worth less than an upgrade: it works, and what the server logs is lost."""
        with self.small_disk("size=256k") as directory:
            self.start()
            self.fill(directory)
            self.good_upgrade()
            self.assertEqual((directory / "default/log/generation-2.log").read_text(), "")
            (directory / "filler").unlink()
            self.stop()

    def test_no_inode(self):
        with self.small_disk("size=1m,nr_inodes=24") as directory:
            self.start()
            names = []
            with contextlib.suppress(OSError):
                while True:
                    names.append(directory / f"filler-{len(names)}")
                    names[-1].touch()
            self.failed_upgrade("generation-2.log: No space left on device")
            for name in names[:-1]:
                name.unlink()
            self.good_upgrade()
            self.stop()


class DescriptorsTest(ScarcityCase):
    def test_none_is_left(self):
        """With none to spare, with one, … until it works: each time the reason names what ran out."""
        self.start()
        supervisor = self.supervisor()
        held = harness.idle_descriptor_count(supervisor)
        refused = 0
        # Few clients: the new server has the same limit, and would rightly refuse more.
        with self.load(fresh=1, keep_alive=1) as load:
            for spare in range(1, SPARE_DESCRIPTORS):  # the client's own connection takes the first
                outcome = self.upgrade_with(supervisor, held + spare)
                if outcome.code == 0:
                    break
                refused += 1
                self.assert_code(outcome, 1)
                self.assertRegex(outcome.result["reason"], "(?i)too many open files|exit status 1")
                self.assertEqual(self.generations(), {1: "serving"})
            load.answers(50)
            self.assert_spotless(load)
        self.assertEqual(outcome.code, 0, outcome)
        self.assertGreater(refused, 3)
        self.assertEqual(self.generations(), {refused + 2: "serving"})
        self.assertLessEqual(harness.idle_descriptor_count(supervisor), held)
        self.stop()

    def upgrade_with(self, supervisor, descriptors):
        before = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (descriptors, before[1]))
        outcome = self.box.rpctl("upgrade", "--bake", "0", "--ready-timeout", "2s", "--health-interval", "20ms",
                                 services.V2, *self.listen)
        resource.prlimit(supervisor, resource.RLIMIT_NOFILE, before)
        return outcome


class ProcessesTest(ScarcityCase):
    def test_no_more_processes(self):
        """RLIMIT_NPROC of a user who has nothing but this service."""
        self.run_service_as_another_user()
        v2 = self.box.dir / "programs/server-v2"
        supervisor = self.supervisor()
        self.limit_processes(supervisor, "1")
        self.failed_upgrade(r"too many processes \(ulimit -u", v2)
        self.limit_processes(supervisor, "1000")
        self.good_upgrade(v2)
        self.stop()

    def limit_processes(self, pid, count):
        """The soft limit. As the user whose process it is: not every root may do that to others."""
        subprocess.run(["prlimit", "--pid", str(pid), f"--nproc={count}:"], check=True, **self.box.identity)

    def run_service_as_another_user(self):
        """Root has no such limit. In a user namespace root is the user that all processes of the test belong to."""
        programs = self.box.dir / "programs"  # the user may have no way to where they were built
        programs.mkdir()
        for name in ("rpctl", "server-v1", "server-v2"):
            shutil.copy(harness.BIN_DIR / name, programs / name)
        if can_change_user():
            self.hand_the_box_over()
        self.box.rpctl = functools.partial(self.box.rpctl, program=programs / "rpctl")
        self.box.spawn(programs / "rpctl", "run", programs / "server-v1", *self.listen, **self.box.identity)
        harness.wait_until(lambda: harness.answers("127.0.0.1", self.port), "the service answers")
        harness.wait_until(lambda: "operation" not in self.box.status(), "its start is over")

    def hand_the_box_over(self):
        self.box.identity = {"user": ANOTHER_USER, "group": ANOTHER_USER, "extra_groups": []}
        self.box.dir.chmod(0o711)
        self.box.work.chmod(0o755)
        self.box.rpctl_dir.mkdir(mode=0o700)
        os.chown(self.box.rpctl_dir, ANOTHER_USER, ANOTHER_USER)
        for sock in self.box.held:  # a port belongs to one user
            sock.close()


def can_change_user():
    """Root in a user namespace of its own has no other user to become."""
    return os.geteuid() == 0 and int(pathlib.Path("/proc/self/uid_map").read_text().split()[2]) > ANOTHER_USER


if __name__ == "__main__":
    harness.main()
