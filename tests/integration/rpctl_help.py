"""What `rpctl help` says, as values: the truth that the completion and the manual are held against."""

import re
import subprocess

import harness

RPCTL = harness.BIN_DIR / "rpctl"


class Option:
    """One line: "  -n, --name NAME   the service (…; default)"."""

    def __init__(self, words, text):
        self.names = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", words)
        self.takes_value = bool(re.search(r" [A-Z]", words))
        default = re.search(r"\(([^()]*)\)$", text)
        self.default = default.group(1) if default else None

    @property
    def name(self):
        return self.names[-1]


def text_of(*words, program=RPCTL):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def options_in(text):
    return [Option(*match) for match in re.findall(r"(?m)^  (-\S*(?:,? \S+)*?)  +(\S.*(?:\n {20,}\S.*)*)$", text)]


def commands():
    """In the order of the help."""
    return re.findall(r"(?m)^  ([a-z]+) +[a-z]", text_of("help").partition("Global options")[0])


def global_options():
    return options_in(text_of("help").partition("Global options:")[2])


def own_options(command):
    """Those that the command has beside the global ones."""
    return options_in(text_of("help", command).partition("Global options:")[0])


def names(options):
    return [name for option in options for name in option.names]
