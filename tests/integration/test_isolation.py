"""From launch to shift a new version gets the probes and nothing else, and a wrong one does not even listen."""

import pathlib

import harness

START_DELAY_MS = 5000
COUNTING = pathlib.Path(__file__).resolve().with_name("counting_release.py")
PROBES = 50
PROVING_MS = 3000  # in which more than so many probes are answered, and far fewer than would prove it


class IsolationTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.port = self.box.port("127.0.0.1", "0.0.0.0")

    def start(self, listen="127.0.0.1"):
        self.listen = ("--listen", f"{listen}:{self.port}", "--workers", "2")
        self.assert_code(self.box.rpctl("start", "--bake", "0", harness.BIN_DIR / "server-v1", *self.listen), 0)

    def load(self):
        return self.box.load(f"127.0.0.1:{self.port}", fresh=8, keep_alive=8)

    def check_only_the_old_one(self, load):
        """No answer came from anything but generation 1."""
        total = self.assert_spotless(load)["total"]
        self.assertEqual(total["versions"], {"v1": total["answers"]})
        self.assertEqual(total["generations"], {"1": total["answers"]})

    def test_slow_start(self):
        self.start()
        with self.load() as load:
            upgrade = self.box.operation("upgrade", "--health", "http:/slow?ms=200", "--health-count", "20", "--bake", "0",
                                         harness.BIN_DIR / "server-v2", *self.listen,
                                         "--start-delay", f"{START_DELAY_MS}ms")
            upgrade.until_phase("launch", "end")
            load.mark("not ready")
            upgrade.until_phase("ready", "end")
            load.mark("after")  # twenty probes of 200 ms are still to come
            outcome = self.assert_code(upgrade.finish(), 0)
            load.answers(100)
            self.assert_spotless(load)
        before = load.window("not ready")
        self.assertGreaterEqual(before["open_ms"], START_DELAY_MS * 0.9)
        self.assertEqual(before["versions"], {"v1": before["answers"]})
        self.assertIn("v2", load.window("after")["versions"])
        self.assertEqual(outcome.result["generation"], 2)
        self.assert_code(self.box.rpctl("stop"), 0)

    def test_counted_on_both_sides(self):
        """It listens for 5 s before it is ready, answers many probes, and is never shifted to."""
        record = self.box.dir / "record"
        self.start()
        with self.load() as load:
            upgrade = self.box.operation("upgrade", "--health", "http:/healthz", "--health-count", "1000",
                                         "--health-interval", "10ms", "--ready-timeout", "5m", COUNTING, "--record", record, "--ready-after",
                                         START_DELAY_MS / 1000, "--listen", f"127.0.0.1:{self.port}")
            harness.wait_until(lambda: record.exists(), "the new version listens")
            load.mark("both listen")
            upgrade.until_phase("ready", "end")
            upgrade.until(lambda e: e["event"] == "phase" and e["phase"] == "health" and e.get("done", 0) >= PROVING_MS)
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 1)
            load.answers(100)
            self.check_only_the_old_one(load)
        self.assertGreaterEqual(load.window("both listen")["open_ms"], START_DELAY_MS * 0.9)
        first, *others = record.read_text().splitlines()
        self.assertEqual(first, "ready", "a connection came before it was ready")
        self.assertGreaterEqual(len(others), PROBES)
        self.assertEqual(set(others), {"GET /healthz HTTP/1.1"})
        self.assert_code(self.box.rpctl("stop"), 0)

    def test_proven_but_never_shifted(self):
        """The same with a release of ours: many probes, then an abort; no client has seen the new version."""
        self.start()
        with self.load() as load:
            upgrade = self.box.operation("upgrade", "--health", "http:/slow?ms=50", "--health-count", "1000",
                                         "--ready-timeout", "5m", harness.BIN_DIR / "server-v2", *self.listen)
            upgrade.until(lambda e: e["event"] == "phase" and e["phase"] == "health" and e.get("done", 0) >= PROVING_MS)
            load.answers(500)
            self.assert_code(self.box.rpctl("abort"), 0)
            self.assert_code(upgrade.finish(), 1)
            load.answers(100)
            self.check_only_the_old_one(load)
        self.assert_code(self.box.rpctl("stop"), 0)

    def test_the_count_sees_what_is_not_steered(self):
        """By hand, without rpctl: the same release gets its part of the connections at once."""
        record = self.box.dir / "record"
        old = self.box.server("v1", "--workers", "2", port=self.port)
        with self.load() as load, harness.notify_socket(self.box) as path:
            new = self.box.spawn(COUNTING, "--record", record, "--ready-after", 1000, "--listen",
                                 f"127.0.0.1:{self.port}", env={"NOTIFY_SOCKET": path})
            harness.wait_until(lambda: record.exists() and "GET / HTTP/1.1" in record.read_text(), "a request reaches it")
            self.assertGreater(load.stop()["total"]["failures"]["bad_body"], 0)
        self.stop_child(new, -15)
        self.stop_child(old)

    def test_shadowing_address(self):
        """127.0.0.1 where the old one has 0.0.0.0 would take all local traffic the instant it listens."""
        self.start("0.0.0.0")
        with self.load() as load:
            outcome = self.box.rpctl("upgrade", harness.BIN_DIR / "server-v2", "--listen", f"127.0.0.1:{self.port}")
            self.assert_code(outcome, 1)
            self.assertIn("0.0.0.0", outcome.result["reason"] + "\n".join(outcome.result["log"]))
            load.answers(100)
            self.check_only_the_old_one(load)
        self.assertEqual([g["generation"] for g in self.box.status()["generations"]], [1])
        self.assert_code(self.box.rpctl("stop"), 0)

    def test_other_port(self):
        self.start()
        with self.load() as load:
            other = self.box.port("127.0.0.1")
            outcome = self.box.rpctl("upgrade", harness.BIN_DIR / "server-v2", "--listen", f"127.0.0.1:{other}")
            self.assert_code(outcome, 1)
            self.check_only_the_old_one(load)
        self.assert_code(self.box.rpctl("stop"), 0)


if __name__ == "__main__":
    harness.main()
