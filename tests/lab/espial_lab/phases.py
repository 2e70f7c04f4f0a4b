# SPDX-License-Identifier: Apache-2.0
"""Where a run's time goes, by phase. One clock per process: the runner reads it after each scenario."""
import contextlib
import threading
import time
from typing import Iterator

# In the order in which they are shown; `other` is what belongs to none.
NAMES = ("boot", "mesh", "start", "stop", "ask", "count", "traffic", "tools", "wait",
         "tests", "other")

_spent = dict.fromkeys(NAMES, 0.0)
_runner = threading.get_ident()
_under_way = False


@contextlib.contextmanager
def phase(name: str) -> Iterator[None]:
    """Counts a block, or a function that it decorates. A phase inside of another is part of that one;
    what other threads do costs the runner nothing."""
    global _under_way
    if _under_way or threading.get_ident() != _runner:
        yield
        return
    _under_way = True
    started = time.monotonic()
    try:
        yield
    finally:
        _under_way = False
        _spent[name] += time.monotonic() - started


def take(seconds: float) -> dict[str, float]:
    """The phases of the `seconds` since the former take; begins anew."""
    taken = dict(_spent)
    taken["other"] = max(0.0, seconds - sum(_spent.values()))
    for name in NAMES:
        _spent[name] = 0.0
    return taken


def only(name: str, seconds: float) -> dict[str, float]:
    """All of it is one phase."""
    return {**dict.fromkeys(NAMES, 0.0), name: seconds}


def told(taken: dict[str, float]) -> str:
    """The dearest first, without what is below a tenth of a second."""
    return " ".join(f"{name} {value:.1f}" for name, value in
                    sorted(taken.items(), key=lambda item: -item[1]) if value >= 0.1)


def added(several: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(taken[name] for taken in several) for name in NAMES}


def table(several: list[dict[str, float]], plays: int) -> str:
    """Seconds, share and seconds per scenario of each phase."""
    total = added(several)
    whole = sum(total.values()) or 1.0
    lines = [f"   {'phase':<8} {'seconds':>8} {'share':>6} {'per scenario':>13}"]
    for name, value in [*total.items(), ("all", sum(total.values()))]:
        lines.append(f"   {name:<8} {value:8.1f} {value / whole:6.0%} {value / max(1, plays):13.2f}")
    return "\n".join(lines)
