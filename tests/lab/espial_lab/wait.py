# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, with a deadline. The only place of the lab that sleeps."""
import time
from typing import Callable, TypeVar

from .phases import phase

T = TypeVar("T")


class Timeout(AssertionError):
    """A condition did not come true in time; the text says which and what was seen last."""


def until(what: str, condition: Callable[[], T], seconds: float = 20.0, every: float = 0.02) -> T:
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
