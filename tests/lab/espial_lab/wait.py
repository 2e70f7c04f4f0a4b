# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, with a deadline. The only place of the lab that sleeps.

The deadline guards against hanging: it says nothing about how soon something has to come, costs nothing
when it comes, and is long enough for a machine that does other things, too. It is shorter than the minute
over which espial judges traffic: what is waited for may not become true because time passes.
"""
import os
import time
from typing import Callable, TypeVar

from .phases import phase

T = TypeVar("T")
PATIENCE = 40.0     # seconds
STARTS = 180.0      # of a program that starts: nothing is judged meanwhile


def whole_lines(path: str | os.PathLike) -> list[str]:
    """The lines of a file that a running program writes, but for one that it has only begun."""
    with open(path, errors="replace") as file:
        return [line[:-1] for line in file if line.endswith("\n")]


class Timeout(AssertionError):
    """A condition did not come true in time; the text says which and what was seen last."""


def until(what: str, condition: Callable[[], T], seconds: float = PATIENCE, every: float = 0.02) -> T:
    """Returns the first truthy value of `condition`. Raises Timeout naming `what`.

    An AssertionError out of `condition` means "not yet"; the last one is told when time is up.
    """
    deadline = time.monotonic() + seconds
    last = ""
    while True:
        try:
            value = condition()
            if value:
                return value
            last = ""
        except AssertionError as error:
            last = f": {error}"
        if time.monotonic() >= deadline:
            raise Timeout(f"{what}: not within {seconds:g} s{last}")
        with phase("wait"):
            time.sleep(every)
