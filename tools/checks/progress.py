# SPDX-License-Identifier: Apache-2.0
"""The bottom line of a terminal while steps run: which, how far, for how long. In a log there is none."""
import os
import re
import shutil
import sys
import threading
import time

NINJA = re.compile(r"\[(\d+)/(\d+)\] ")
ONE_DONE = re.compile(r"(ok|FAIL) |\s*\d+/\d+ Test ")


class Progress:
    """Everything that is printed while steps run goes through say(). For any thread."""

    def __init__(self, out=sys.stdout):
        self._out = out
        self._lock = threading.Lock()
        self._running: dict[str, list] = {}     # name: began, budget, how far, tests done
        if out.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            threading.Thread(target=self._redraw, daemon=True).start()

    def say(self, text: str) -> None:
        with self._lock:
            self._clear()
            self._out.write(text + "\n")
            self._out.flush()

    def begin(self, name: str, budget: int) -> None:
        with self._lock:
            self._running[name] = [time.monotonic(), budget, "", 0]

    def heard(self, name: str, line: str) -> None:
        """A line of the step's output: it may tell how far the step is."""
        with self._lock:
            state = self._running.get(name)
            if state is None:
                return
            if far := NINJA.match(line):
                done, whole = int(far[1]), int(far[2])
                state[2] = f" {done} of {whole}, {100 * done // max(1, whole)} %,"
            elif ONE_DONE.match(line):
                state[3] += 1
                state[2] = f" {state[3]} done,"

    def end(self, name: str) -> None:
        with self._lock:
            self._running.pop(name, None)
            self._clear()

    def _clear(self) -> None:
        if self._out.isatty():
            self._out.write("\r\033[K")

    def _redraw(self) -> None:
        while True:
            time.sleep(0.5)
            with self._lock:
                now = time.monotonic()
                words = "; ".join(f"{name}:{far} {now - began:.0f} of {budget} s"
                                  for name, (began, budget, far, _) in self._running.items())
                if words:
                    self._out.write("\r" + words[:shutil.get_terminal_size().columns - 1] + "\033[K")
                    self._out.flush()
