"""A terminal of a given size with a program on it, and what a person sees there.

The screen knows what rpctl may send: text, newline, carriage return, home, erase to the end of the line or of the
screen, colours. Anything else is an error. It counts the lines that were wider than the terminal.
"""

import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time

import harness

SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")


class Screen:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.wrapped = 0
        self.colours = []
        self.blank_moments = 0  # all that was to be seen was erased

    def resize(self, columns, rows):
        """What is there is cut; a program that draws again sets it right."""
        old, count = self.cells, min(rows, self.rows)
        self.cells = [(line + [" "] * columns)[:columns] for line in old[:count]] + [[" "] * columns for _ in range(rows - count)]
        self.columns, self.rows = columns, rows
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns - 1)

    def feed(self, text):
        while text:
            found = SEQUENCE.match(text)
            if found:
                self._sequence(*found.groups())
                text = text[found.end():]
            else:
                self._character(text[0])
                text = text[1:]

    def _sequence(self, arguments, final):
        before = self.text()
        self._carry_out(arguments, final)
        self.blank_moments += bool(before) and not self.text()

    def _carry_out(self, arguments, final):
        if final == "m":
            self.colours.append(arguments)
        elif (final, arguments) == ("H", ""):
            self.row = self.column = 0
        elif (final, arguments) == ("K", ""):
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif (final, arguments) == ("J", ""):
            self._carry_out("", "K")
            for row in range(self.row + 1, self.rows):
                self.cells[row] = [" "] * self.columns
        else:
            raise AssertionError(f"ESC [ {arguments} {final}: not expected")

    def _character(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._next_row()
        elif character < " ":
            raise AssertionError(f"a control character: {character!r}")
        else:
            if self.column == self.columns:
                self.wrapped += 1
                self.column = 0
                self._next_row()
            self.cells[self.row][self.column] = character
            self.column += 1

    def _next_row(self):
        if self.row < self.rows - 1:
            self.row += 1
        else:
            self.cells = self.cells[1:] + [[" "] * self.columns]

    def lines(self):
        return ["".join(cells).rstrip() for cells in self.cells]

    def text(self):
        return "\n".join(self.lines()).rstrip("\n")


class Terminal:
    """A context manager: the program runs on a terminal of its own, and is gone at the end."""

    def __init__(self, box, words, columns=80, rows=24, env=None):
        self.screen = Screen(columns, rows)
        self.raw = ""
        self.master, self.slave = os.openpty()
        self._set_size()
        self.child = subprocess.Popen([str(word) for word in words], stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                      env={**box.env, "TERM": "xterm", **(env or {})}, cwd=box.work, start_new_session=True,
                                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        box.children.append(self.child)
        os.close(self.slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.master)

    def _set_size(self):
        size = struct.pack("4H", self.screen.rows, self.screen.columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        self._set_size()

    def interrupt(self):
        """Ctrl-C."""
        os.write(self.master, b"\x03")

    def _read(self, timeout):
        """False at the end."""
        if not select.select([self.master], [], [], timeout)[0]:
            return True
        data = b""
        with contextlib.suppress(OSError):  # EIO: the program has ended
            data = os.read(self.master, 65536)
        text = data.decode()
        self.raw += text
        self.screen.feed(text)
        return bool(data)

    def until(self, predicate, what, timeout=harness.DEADLINE):
        """Reads on until predicate(the text on the screen) is true, and returns the text."""
        end = time.monotonic() + timeout
        while not predicate(self.screen.text()):
            if time.monotonic() > end:
                raise harness.Timeout(f"not within {timeout} s: {what}; on the screen:\n{self.screen.text()}")
            if not self._read(0.1) and not predicate(self.screen.text()):
                raise AssertionError(f"the program ended before: {what}; on the screen:\n{self.screen.text()}")
        return self.screen.text()

    def finish(self, timeout=harness.DEADLINE):
        """Reads to the end; the exit status."""
        end = time.monotonic() + timeout
        while self._read(0.1):
            if time.monotonic() > end:
                raise harness.Timeout(f"it does not end; on the screen:\n{self.screen.text()}")
        return self.child.wait(timeout)
