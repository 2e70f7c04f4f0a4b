# SPDX-License-Identifier: Apache-2.0
"""A step of the check: commands with a time budget, in a process group of their own."""
import dataclasses
import os
import pathlib
import resource
import signal
import subprocess
import threading
import time
from typing import Callable

GRACE = 15  # seconds between asking a step to end and ending it


@dataclasses.dataclass(frozen=True)
class Tally:
    """How many tests of a step passed and failed, and what to say about those that failed."""
    passed: int = 0
    failed: int = 0
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Step:
    """`count` turns (log, all commands succeeded) into a Tally; without it the step holds no tests
    and fails as one when a command does. Budgets are seconds on two idle cores; "{budget}" in a command
    or in the environment becomes the number."""
    name: str
    budget: int
    commands: tuple[tuple[str, ...], ...]
    needs: tuple[str, ...] = ()
    count: Callable[[str, bool], Tally] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    live: bool = False          # show the output as it comes
    long: bool = False          # with --long only


class Interrupted(Exception):
    pass


def processor_seconds() -> float:
    """What the children that have ended worked. Far below the elapsed time: the machine was busy."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Runner:
    """Runs steps one after the other; what is under way ends with it."""

    def __init__(self, logs: pathlib.Path, root: pathlib.Path):
        self._logs = logs
        self._root = root
        self._child: subprocess.Popen | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupt)

    def _interrupt(self, *_) -> None:
        raise Interrupted

    def run(self, step: Step) -> tuple[Tally, float, float]:
        """The step's tally, how long it took and how much of a processor. Twice the budget ends and
        fails a step."""
        started, worked = time.monotonic(), processor_seconds()
        log = self._logs / f"{step.name}.log"
        good, late = True, False
        with open(log, "w", errors="replace") as output:
            for command in step.commands:
                left = 2 * step.budget - (time.monotonic() - started)
                good, late = self._execute(step, command, output, left)
                if not good:
                    break
        took = time.monotonic() - started
        text = log.read_text(errors="replace")
        tally = step.count(text, good) if step.count else Tally(0, 0 if good else 1)
        if late:
            tally = dataclasses.replace(tally, failed=max(1, tally.failed), remarks=tally.remarks + (
                f"ended after twice its budget of {step.budget} s",))
        elif not good and not tally.failed:
            tally = dataclasses.replace(tally, failed=1)
        return tally, took, processor_seconds() - worked

    def _execute(self, step: Step, command: tuple[str, ...], output,
                 seconds: float) -> tuple[bool, bool]:
        def filled(text: str) -> str:
            return text.replace("{budget}", str(step.budget))

        command = tuple(filled(part) for part in command)
        environment = os.environ | {name: filled(value) for name, value in step.environment}
        self._child = subprocess.Popen(command, cwd=self._root, env=environment, text=True,
                                       errors="replace", stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        late = threading.Event()

        def end() -> None:
            late.set()
            self._signal(signal.SIGTERM)

        timers = [threading.Timer(max(1, seconds), end),
                  threading.Timer(max(1, seconds) + GRACE, self._signal, (signal.SIGKILL,))]
        try:
            for timer in timers:
                timer.daemon = True
                timer.start()
            for line in self._child.stdout:
                output.write(line)
                if step.live:
                    print("   " + line, end="", flush=True)
            return self._child.wait() == 0 and not late.is_set(), late.is_set()
        finally:
            for timer in timers:
                timer.cancel()
            self.close()

    def _signal(self, number: int) -> None:
        child = self._child
        try:
            if child is not None:
                os.killpg(child.pid, number)
        except ProcessLookupError:
            pass  # The whole group has ended.

    def close(self) -> None:
        """Ends what is under way, the whole group: gently first, so that it cleans up."""
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                pass
        self._signal(signal.SIGKILL)  # Whatever the child left behind in its group.
        child.wait()
        child.stdout.close()
        self._child = None
