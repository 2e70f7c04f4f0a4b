# SPDX-License-Identifier: Apache-2.0
"""A step of the check: commands with a time budget, in a process group of their own."""
import dataclasses
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
from typing import Callable

from progress import Progress

MORE = 300  # seconds after twice the budget at which a step is taken to hang
GRACE = 15  # seconds between asking a step to end and ending it


@dataclasses.dataclass(frozen=True)
class Tally:
    """How many tests of a step passed and failed, and remarks about those that failed."""
    passed: int = 0
    failed: int = 0
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Step:
    """`count` turns (log, all commands succeeded) into a Tally; without it the step holds no tests
    and counts as one failed test when a command fails. Budgets are seconds on two idle cores; `limit` ends a
    step: it guards against hanging, and is long enough for a busy machine. "{budget}" in a command or in
    the environment becomes the number, "{limit}" a time shortly before the limit."""
    name: str
    budget: int
    commands: tuple[tuple[str, ...], ...]
    needs: tuple[str, ...] = ()
    count: Callable[[str, bool], Tally] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    live: bool = False          # show the output as it comes
    beside: str = ""            # neighbours in the plan with the same word run at once; none
                                # needs another of them
    long: bool = False          # with --long only

    @property
    def limit(self) -> int:
        return 2 * self.budget + MORE


class Interrupted(Exception):
    pass


@dataclasses.dataclass
class Outcome:
    """The result of a step, how long it took and the CPU time of its processes, in seconds. CPU time far
    below the elapsed time means that the machine was busy."""
    tally: Tally
    took: float = 0.0
    worked: float = 0.0
    log: str = ""


class Runner:
    """Runs one step, and ends its processes with it. `label` is printed before every line."""

    def __init__(self, logs: pathlib.Path, root: pathlib.Path, progress: Progress,
                 label: str = ""):
        self._logs = logs
        self._progress = progress
        self._root = root
        self._label = label
        self._child: subprocess.Popen | None = None
        self._worked = 0.0
        self._closed = False

    def run(self, step: Step) -> Outcome:
        """A step that exceeds its limit is ended and fails."""
        started = time.monotonic()
        path = self._logs / f"{step.name}.log"
        good, late = True, False
        self._progress.begin(step.name, step.budget)
        try:
            with open(path, "w", errors="replace") as output:
                for command in step.commands:
                    left = step.limit - (time.monotonic() - started)
                    good, late = self._execute(step, command, output, left)
                    if not good or self._closed:
                        break
        finally:
            self._progress.end(step.name)
        took = time.monotonic() - started
        log = path.read_text(errors="replace")
        tally = step.count(log, good) if step.count else Tally(0, 0 if good else 1)
        if late:
            tally = dataclasses.replace(tally, failed=max(1, tally.failed), remarks=tally.remarks + (
                f"ended after {step.limit} s, its budget is {step.budget} s",))
        elif not good and not tally.failed:
            tally = dataclasses.replace(tally, failed=1)
        return Outcome(tally, took, self._worked, log)

    def _execute(self, step: Step, command: tuple[str, ...], output,
                 seconds: float) -> tuple[bool, bool]:
        def filled(text: str) -> str:
            return text.replace("{budget}", str(step.budget)).replace(
                "{limit}", str(step.limit - 2 * GRACE))

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
                self._progress.heard(step.name, line)
                if step.live:
                    self._progress.say(f"   {self._label}" + line.rstrip("\n"))
            return self._reap() == 0 and not late.is_set(), late.is_set()
        finally:
            for timer in timers:
                timer.cancel()
            self._signal(signal.SIGKILL)    # Whatever the child left behind in its group.
            self._child.stdout.close()

    def _reap(self) -> int:
        """Waits for the child and returns its exit status. Adds the CPU time of it and its children."""
        child = self._child
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self._worked += used.ru_utime + used.ru_stime
        return child.returncode

    def _signal(self, number: int) -> None:
        child = self._child
        try:
            if child is not None:
                os.killpg(child.pid, number)
        except ProcessLookupError:
            pass  # The whole group has ended.

    def close(self) -> None:
        """From another thread: asks the running command to end; no more are started."""
        self._closed = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)


def run_at_once(steps: list[Step], logs: pathlib.Path, root: pathlib.Path,
                done: Callable[[Step, Outcome], None], progress: Progress) -> None:
    """Runs the steps in parallel and calls `done` for each, in the order in which they end. An
    interrupt of this process ends all of them, with SIGTERM first, so that they clean up."""
    runners = [Runner(logs, root, progress, f"{step.name}: " if len(steps) > 1 else "") for step in steps]
    ended: queue.Queue = queue.Queue()

    def work(step: Step, runner: Runner) -> None:
        try:
            ended.put((step, runner.run(step)))
        except Exception as error:  # a step that cannot be run has failed; the others go on
            ended.put((step, Outcome(Tally(0, 1, (str(error),)))))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(steps, runners)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            done(*ended.get())
    except Interrupted:
        for runner in runners:
            runner.close()
        for thread in threads:
            thread.join(GRACE)
        for runner in runners:
            runner.kill()
        raise
    finally:
        for thread in threads:
            thread.join()


def interruptible() -> None:
    """SIGINT, SIGTERM and SIGHUP raise Interrupted in the main thread from now on."""
    def interrupt(*_) -> None:
        raise Interrupted
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
