# SPDX-License-Identifier: Apache-2.0
"""tools/check --stress: the steps whose tests wait for something, many times beside busy loops.

Every run counts, nothing is tried again. A test is calm if it has no red here.
"""
import collections
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from typing import Callable, Iterator

from step import Outcome, Step

# Those of the emulated kernels when named with --only: an hour each time.
USUAL = ("unit", "web", "bpf", "netns", "alerts", "install", "kill", "demo", "monitoring", "lab-running")
PATIENCE = 10       # times the budgets
LOOPS = 2
# Ends with this process, however it ends.
LOOP = "import os\nwhile os.getppid() == {}:\n for _ in range(1000000): pass"

Causes = dict[str, str]     # of a test its first complaint, empty if it passed


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Keeps the machine busy with something else."""
    loops = [subprocess.Popen([sys.executable, "-c", LOOP.format(os.getpid())]) for _ in range(LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no output")


def _of_ctest(folder: pathlib.Path) -> Causes:
    """Each GoogleTest case, and each test that is none, of the reports in a folder."""
    found: Causes = {}
    junit = folder / "junit.xml"
    tests = xml.etree.ElementTree.parse(junit).getroot().iter("testcase") if junit.exists() else ()
    for test in tests:
        name, report, bad = test.get("name"), folder / f"{test.get('name')}.json", 0
        suites = json.loads(report.read_text())["testsuites"] if report.exists() else ()
        for case in (case for suite in suites for case in suite["testsuite"]):
            failures = case.get("failures", [])
            lines = [line for one in failures for line in one["failure"].splitlines() if line.strip()]
            # The first line is the place.
            cause = " ".join(lines[:3]) if lines else \
                "" if case["result"] == "COMPLETED" else case["result"].lower()
            found[f"{name}: {case['classname']}.{case['name']}"] = cause
            bad += bool(cause)
        if not suites or (test.get("status") != "run" and not bad):
            # What a script says last is why it ended.
            said = (test.findtext("system-out") or "").splitlines()[::-1]
            why = [failure.get("message", "") for failure in test.iter("failure")] + said
            found[name] = "" if test.get("status") == "run" else \
                f"{test.get('status')}: {_first_line(chr(10).join(why))}"
    return found


def causes(step: Step, outcome: Outcome, root: pathlib.Path) -> Causes:
    """The result of each test of a step; of the step itself if its runner names no tests, or failed
    although all did."""
    reports = [pathlib.Path(value.removeprefix("json:")) for name, value in step.environment
               if name == "GTEST_OUTPUT"]
    found = _of_ctest(root / reports[0]) if reports else {
        name: cause or "" for _, name, cause in
        re.findall(r"^(ok|FAIL) ([\w-]+)(?:: (.*))?", outcome.log, re.MULTILINE)}
    if not found or (outcome.tally.failed and not any(found.values())):
        lines = [*outcome.tally.remarks, *reversed(outcome.log.splitlines())]
        found[step.name] = _first_line("\n".join(lines)) if outcome.tally.failed else ""
    return found


class Table:
    def __init__(self) -> None:
        self.runs: collections.Counter = collections.Counter()
        self.reds: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)

    def add(self, step: Step, found: Causes) -> None:
        for name, cause in found.items():
            self.runs[step.name, name] += 1
            if cause:
                self.reds[step.name, name][cause] += 1

    def print(self) -> None:
        print(f"\n{'runs':>4} {'reds':>4}  test")
        for (step, name), count in self.runs.items():
            reds = self.reds.get((step, name), {})
            print(f"{count:4} {sum(reds.values()):4}  {step}: {name}")
            for cause, times in reds.items():
                print(f"{'':11}{times} times: {cause}")
        reds = sum(sum(one.values()) for one in self.reds.values())
        print(f"{sum(self.runs.values())} runs of {len(self.runs)} tests, {reds} reds", flush=True)


def stressed(steps: list[Step], times: int, logs: pathlib.Path, root: pathlib.Path,
             run: Callable[[Step], Outcome]) -> int:
    """Runs each of the steps so many times; the number of reds. Logs of red runs stay in LOGS/stress."""
    kept = logs / "stress"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    table = Table()
    try:
        with busy():
            for step in steps:
                patient = dataclasses.replace(step, budget=step.budget * PATIENCE, live=False)
                for number in range(1, times + 1):
                    outcome = run(patient)
                    found = causes(step, outcome, root)
                    table.add(step, found)
                    bad = {name: cause for name, cause in found.items() if cause}
                    print(f"-- {step.name} {number} of {times}: {outcome.took:.0f} s, "
                          f"{len(found) - len(bad)} passed, {len(bad)} failed", flush=True)
                    for name, cause in bad.items():
                        print(f"   {name}: {cause}", flush=True)
                    if bad:
                        (kept / f"{step.name}-{number}.log").write_text(outcome.log)
    finally:
        table.print()
    return sum(sum(one.values()) for one in table.reds.values())
