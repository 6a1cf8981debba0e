"""MAKEFLAGS: what make tells the programs that it starts, as far as it is about running at once.

Options come first, separated by blanks; the first word may be letters without a dash (`ks`), and after a `--` come variables:

    ks -j8 --jobserver-auth=3,4 -- CC=gcc

`--jobserver-auth=R,W` names the two ends of a pipe that holds a byte for each job that may run besides (make before 4.2: `--jobserver-fds`); since
make 4.4 it may be `fifo:PATH`. R and W are negative where the recipe's line is none that make hands the jobserver to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

NAME = "MAKEFLAGS"

_AUTH = ("--jobserver-auth=", "--jobserver-fds=")
_FIFO = "fifo:"


class Jobserver(NamedTuple):
    """A jobserver as MAKEFLAGS names it.

    Args:
        jobs: How many jobs there are altogether; None where that is not told.
        read: Descriptor of the pipe to take from; -1 for none.
        write: Descriptor of the pipe to give back to.
        path: Of the fifo that is used for both; "" for a pipe.
    """

    jobs: int | None = None
    read: int = -1
    write: int = -1
    path: str = ""


def jobserver(environ: Mapping[str, str]) -> Jobserver | None:
    """The jobserver that an environment names; None if it names none."""
    auth, jobs = "", None
    for word in _options(environ.get(NAME, ""))[0]:
        if word.startswith(_AUTH):
            auth = word.partition("=")[2]
        elif word.startswith("-j") and word[2:].isdecimal():
            jobs = int(word[2:])
    if not auth:
        return None
    if auth.startswith(_FIFO):
        return Jobserver(jobs, path=auth[len(_FIFO) :])
    read, _, write = auth.partition(",")
    if not (read.isdecimal() and write.isdecimal()):
        return Jobserver(jobs)
    return Jobserver(jobs, int(read), int(write))


def without(environ: Mapping[str, str]) -> Mapping[str, str]:
    """An environment that names no jobserver; the same one if it did not."""
    if jobserver(environ) is None:
        return environ
    flags = _joined(*_kept(environ[NAME]))
    return {**{name: value for name, value in environ.items() if name != NAME}, **({NAME: flags} if flags.strip() else {})}


def naming(flags: str, jobs: int, read: int, write: int) -> str:
    """MAKEFLAGS that names a jobserver.

    Args:
        flags: What else it says.
        jobs: How many jobs there are altogether.
        read: Descriptor to take from.
        write: Descriptor to give back to.
    """
    options, variables = _kept(flags)
    return _joined([*options, f"-j{jobs}", f"{_AUTH[0]}{read},{write}"], variables)


def _options(flags: str) -> tuple[list[str], str]:
    """The options, and all from the `--` on."""
    found = re.search(r"(?:^|\s)--(?:\s|$)", flags)
    return (flags.split(), "") if found is None else (flags[: found.start()].split(), flags[found.start() :].strip())


def _kept(flags: str) -> tuple[list[str], str]:
    options, variables = _options(flags)
    return [word for word in options if not word.startswith((*_AUTH, "-j"))], variables


def _joined(options: list[str], variables: str) -> str:
    lead = "" if options and not options[0].startswith("-") else " "  # make takes a first word without a dash for letters
    return lead + " ".join([*options, *([variables] if variables else [])])
