"""Upgrades in a row lose nothing, whatever old and new look like; without steering they do."""

import harness
import upgrades

COUNT = 10
CLIENTS = 16 if harness.SANITIZED else 64  # of each kind
WARM_UP = 4  # upgrades, until every buffer has its size; even, like COUNT: then the same release serves
MEMORY_SLACK_KIB = 512


class UpgradeTest(harness.Case):
    def check_shape(self, name):
        shape = next(s for s in upgrades.SHAPES if s.name == name)
        service = upgrades.Upgrades(self, shape)
        service.start()
        first = self.box.status()
        idle_descriptors = harness.idle_descriptor_count(upgrades.serving_instance(first))
        seen = {}

        def look(done):
            pid = first["supervisor"]["pid"]
            seen[done] = harness.descriptor_count(pid), harness.memory_kib(pid)

        figures = service.run(COUNT, CLIENTS, CLIENTS, look)
        self.check_figures(figures, service)
        self.check_growth(first["supervisor"]["pid"], *seen[WARM_UP])
        self.check_end(idle_descriptors)
        service.stop()

    def check_figures(self, figures, service):
        total = figures.result["total"]
        harness.figure(f"{figures.shape}: {total['answers']} answers in {COUNT} upgrades of {figures.upgrade_ms:.0f} ms, "
                       f"{total['failed']} failed; slowest {harness.milliseconds(figures.upgrade['latency_us']['max'])} in "
                       f"the upgrades, steady p99.9 {harness.milliseconds(figures.steady['latency_us']['p999'])}")
        self.assertEqual(total["failed"], 0, f"{total['failures']}\n{service.details}")
        for kind in ("fresh", "keep_alive"):
            self.assertGreater(total[kind]["answers"], 0)
        self.assertEqual(set(total["generations"]), {str(g) for g in range(1, COUNT + 2)})
        self.assertEqual(set(total["versions"]), {"v1", "v2"})
        self.assertEqual(len(total["pids"]), COUNT + 1)

    def check_growth(self, supervisor, descriptors, memory):
        harness.wait_until(lambda: harness.descriptor_count(supervisor) <= descriptors,
                           f"the supervisor is back at {descriptors} descriptors")
        if not harness.SANITIZED:  # freed memory is kept in quarantine there
            self.assertLessEqual(harness.memory_kib(supervisor), memory + MEMORY_SLACK_KIB)

    def check_end(self, idle_descriptors):
        """One generation is left, of the first release, with as many descriptors as the first one had."""
        status = self.box.status()
        self.assertEqual([(g["generation"], g["state"]) for g in status["generations"]], [(COUNT + 1, "serving")])
        pid = upgrades.serving_instance(status)
        harness.wait_until(lambda: harness.descriptor_count(pid) <= idle_descriptors,
                           f"the server is back at {idle_descriptors} descriptors")

    def test_1_to_1(self):
        self.check_shape("1->1")

    def test_2_to_2(self):
        self.check_shape("2->2")

    def test_4_to_3(self):
        self.check_shape("4->3")

    def test_2_to_1(self):
        self.check_shape("2->1")

    def test_1_to_3(self):
        self.check_shape("1->3")

    def test_dual_stack(self):
        self.check_shape("dual stack")

    def test_two_addresses(self):
        self.check_shape("two addresses")

    def test_migration_is_off(self):
        """What the kernel could mend by itself must not be what makes these tests pass."""
        try:
            with open("/proc/sys/net/ipv4/tcp_migrate_req", encoding="ascii") as setting:
                self.assertEqual(setting.read().strip(), "0")
        except FileNotFoundError:
            self.skipTest("this kernel has no tcp_migrate_req")

    def test_without_steering_there_is_loss(self):
        """The same harness, with an rpctl whose steering does nothing: else a pass would prove nothing."""
        options = ("--bake", "0", "--health", "none", "--witness", "off", "--quiesce-timeout", "100ms")
        service = upgrades.Upgrades(self, upgrades.SHAPES[1], "rpctl-unsteered", options)
        service.start()
        with self.box.load(*service.connects(), fresh=CLIENTS, keep_alive=CLIENTS) as load:
            for _ in range(COUNT):
                service.upgrade()
            total = load.stop()["total"]
        kinds = {kind: count for kind, count in total["failures"].items() if count}
        harness.figure(f"without steering: {total['failed']} failed in {COUNT} upgrades: {kinds}")
        self.assertGreater(total["failed"], 0)
        service.stop()


if __name__ == "__main__":
    harness.main()
