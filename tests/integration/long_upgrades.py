"""The long form of test_upgrade.py, started by tests/long.sh: a table with one row per shape and number of clients."""

import os
import sys
import unittest

import harness
import upgrades

COUNT = int(os.environ.get("RP_LONG_UPGRADES", "200"))
CLIENTS = [int(word) for word in os.environ.get("RP_LONG_CLIENTS", "64 256").split()]  # of each kind
SHAPES = [s for s in upgrades.SHAPES if s.name in os.environ.get("RP_LONG_SHAPES", s.name).split(",")]
MEMORY_SLACK_KIB = 1024

rows = []


def print_table():
    widths = [max(len(row[i]) for row in rows + [upgrades.Figures.HEADINGS]) for i in range(len(upgrades.Figures.HEADINGS))]
    for row in [upgrades.Figures.HEADINGS, *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)), flush=True)


class LongTest(harness.Case):
    def run_shape(self, shape, clients):
        service = upgrades.Upgrades(self, shape)
        service.start()
        supervisor = self.box.status()["supervisor"]["pid"]
        seen = {}

        def look(done):
            seen[done] = harness.descriptor_count(supervisor), harness.memory_kib(supervisor)
            if done % 50 == 0:
                print(f"{shape.name}, {clients}+{clients} clients: {done} upgrades, supervisor has {seen[done][0]} "
                      f"descriptors, {seen[done][1]} KiB", flush=True)

        figures = service.run(COUNT, clients, clients, look)
        rows.append(figures.row())
        early = seen[min(10, COUNT)]
        # The connection of the last command may be open for a moment yet.
        harness.wait_until(lambda: harness.descriptor_count(supervisor) <= early[0], "the supervisor has no more descriptors than early")
        service.stop()
        self.assertEqual(figures.result["total"]["failed"], 0, f"{figures.result['total']['failures']}\n{service.details}")
        self.assertLessEqual(seen[COUNT][1], early[1] + MEMORY_SLACK_KIB, "memory of the supervisor grows")


def add_tests():
    for clients in CLIENTS:
        for shape in SHAPES:
            def test(self, shape=shape, clients=clients):
                self.run_shape(shape, clients)

            setattr(LongTest, f"test_{clients:04}_{shape.name}", test)


class Program(unittest.TestProgram):
    """Prints the table also when a shape has failed."""

    def runTests(self):
        super().runTests()
        print_table()


if __name__ == "__main__":
    if not CLIENTS or not SHAPES:
        sys.exit("nothing to do: see tests/long.sh")
    add_tests()
    harness.main(Program)
