# SPDX-License-Identifier: Apache-2.0
"""Counts tests in the reports of the runners. A skipped, disabled or missing test is a failure, and
so is a runner that ran nothing."""
import json
import pathlib
import re
import xml.etree.ElementTree
from typing import Callable

from step import Tally


def _checked(passed: int, failed: int, remarks: list[str]) -> Tally:
    if passed + failed == 0:
        return Tally(0, 1, ("no test ran",))
    return Tally(passed, failed, tuple(remarks))


def _googletest(report: pathlib.Path) -> tuple[int, list[str]]:
    """The cases of one executable that passed, and the names of those that did not."""
    passed, bad = 0, []
    for suite in json.loads(report.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            name = f"{report.stem}: {suite['name']}.{case['name']}"
            if case["status"] != "RUN" or case["result"] != "COMPLETED":
                bad.append(f"{name}: skipped")
            elif case.get("failures"):
                bad.append(f"{name}: failed")
            else:
                passed += 1
    return passed, bad


def of_ctest(folder: pathlib.Path) -> Callable[[str, bool], Tally]:
    """Reads folder/junit.xml and, per GoogleTest executable, folder/NAME.json."""
    def count(_: str, __: bool) -> Tally:
        junit = folder / "junit.xml"
        if not junit.exists():
            return Tally(0, 1, ("ctest left no report",))
        passed, bad = 0, []
        for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
            name, status = case.get("name"), case.get("status")
            report = folder / f"{name}.json"
            cases, wrong = _googletest(report) if report.exists() else (int(status == "run"), [])
            if status != "run" and not wrong:
                wrong.append(f"{name}: {'failed' if status == 'fail' else status}")
            passed += cases
            bad += wrong
        return _checked(passed, len(bad), bad)
    return count


def of_lab(log: str, _: bool) -> Tally:
    """The runner's own last line, and a remark per scenario that failed."""
    lines = re.findall(r"^(\d+) passed, (\d+) failed$", log, re.MULTILINE)
    if not lines:
        return Tally(0, 1, ("the runner did not finish",))
    remarks = re.findall(r"^FAIL (.*)$", log, re.MULTILINE)
    return _checked(int(lines[-1][0]), int(lines[-1][1]), remarks)


def of_demo(report: pathlib.Path) -> Callable[[str, bool], Tally]:
    """One test per verdict that the demo asked for."""
    def count(_: str, __: bool) -> Tally:
        try:
            shown = json.loads(report.read_text())["steps"]
        except (OSError, ValueError, KeyError):
            return Tally(0, 1, ("the demo left no report",))
        bad = [f"{step['name']}: {step.get('node')} about {step.get('peer')}: expected "
               f"{step['expected']}, seen {step['seen']}" for step in shown if not step["ok"]]
        return _checked(len(shown) - len(bad), len(bad), bad)
    return count


def of_bench(report: pathlib.Path) -> Callable[[str, bool], Tally]:
    """One test per row that was compared with a base; without a base, one for having measured."""
    def count(_: str, __: bool) -> Tally:
        try:
            shown = json.loads(report.read_text())
            rows = shown["rows"]
        except (OSError, ValueError, KeyError):
            return Tally(0, 1, ("the bench left no report",))
        if shown["without_base"]:
            return Tally(1, 0, (f"0 of {len(rows)} rows compared with a base: {shown['without_base']}",))
        bad = [f"{row['name']}: {row['tree_ns']:.1f} ns, the base {row['base_ns']:.1f}"
               for row in rows if row["verdict"] == "worse"]
        other = [f"{row['name']}: {row['verdict']}: {row['ratio']:.2f} of the base"
                 for row in rows if row["verdict"] not in ("same", "worse")]
        return _checked(len(rows) - len(bad), len(bad), [f"base: {shown['base']}", *bad, *other])
    return count


def of_fuzz(log: str, _: bool) -> Tally:
    """One test per fuzz target; a target that ran no input failed."""
    runs = re.findall(r"^(\w+): (\d+) runs, no finding$", log, re.MULTILINE)
    bad = [f"{name}: ran no input" for name, number in runs if not int(number)]
    bad += [f"{name}: failed" for name in re.findall(r"^(\w+): failed$", log, re.MULTILINE)]
    return _checked(sum(1 for _, number in runs if int(number)), len(bad), bad)


def of_commands(log: str, good: bool) -> Tally:
    """A command that is one test."""
    return Tally(1, 0) if good else Tally(0, 1)
