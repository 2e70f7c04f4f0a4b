# SPDX-License-Identifier: Apache-2.0
"""tools/check after it has made sure of python3: runs the plan, prints one line per step."""
import argparse
import dataclasses
import itertools
import json
import pathlib
import subprocess
import sys
import time

import plan
import stress
from progress import Progress
from step import Interrupted, Outcome, Step, Runner, Tally, interruptible, run_at_once

SHOWN = 60  # lines of a failed step's log


def chosen(steps: list[Step], only: list[str], long: bool) -> list[Step]:
    """The steps to run: with --only the named ones, long ones included, and the steps they need."""
    if not only:
        return [step for step in steps if long or not step.long]
    by_name = {step.name: step for step in steps}
    unknown = set(only) - set(by_name)
    if unknown:
        sys.exit(f"check: {', '.join(sorted(unknown))}: no such step (known: {' '.join(by_name)})")
    wanted: set[str] = set()
    todo = list(only)
    while todo:
        name = todo.pop()
        wanted.add(name)
        todo += by_name[name].needs
    return [step for step in steps if step.name in wanted]


def unplanned(steps: list[Step]) -> list[str]:
    """Tests in the build that no step would run."""
    shown = subprocess.run(["ctest", "--test-dir", "build", "--show-only=json-v1"], cwd=plan.ROOT,
                           stdout=subprocess.PIPE, check=True).stdout
    known = {step.name for step in steps}
    lost = []
    for test in json.loads(shown)["tests"]:
        labels = {label for item in test.get("properties", []) if item["name"] == "LABELS"
                  for label in item["value"]}
        if "lab" not in labels and (not labels & known or labels - known - plan.OTHER_LABELS):
            lost.append(f"{test['name']}: no step runs the labels {sorted(labels) or 'it lacks'}")
    return lost


def report(step: Step, outcome: Outcome, progress: Progress) -> None:
    tally = outcome.tally
    verdict = "FAILED" if tally.failed else "over budget" if outcome.took > step.budget else "ok"
    tests = f"  {tally.passed} passed, {tally.failed} failed" if step.count else ""
    progress.say(f"== {step.name:<12} budget {step.budget:4d} s  took {outcome.took:5.0f} s  "
                 f"cpu {outcome.worked:5.0f} s  {verdict}{tests}")
    if tally.failed and not step.live:
        lines = outcome.log.splitlines()[-SHOWN:]
        progress.say("\n".join(f"   {line}" for line in lines))
    for remark in tally.remarks:
        progress.say(f"   {remark}")


def stress_of(every: list[Step], names: list[str], times: int, logs: pathlib.Path) -> int:
    """The tree must be built: --only NAME chooses steps, and the steps they need are not run."""
    by_name = {step.name: step for step in every}
    unknown = set(names) - set(by_name)
    if unknown:
        sys.exit(f"check: {', '.join(sorted(unknown))}: no such step (known: {' '.join(by_name)})")
    try:
        reds = stress.stressed([by_name[name] for name in names], times, logs, plan.ROOT,
                               lambda step: Runner(logs, plan.ROOT, Progress()).run(step))
    except Interrupted:
        print("check: interrupted", file=sys.stderr)
        return 130
    return 1 if reds else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/check", description="Builds and runs every test.")
    parser.add_argument("--long", action="store_true", help="add the long runs")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--patience", type=int, default=1, metavar="N",
                        help="multiply the budgets by N, for a busy or slow machine")
    parser.add_argument("--mutants", action="store_true",
                        help="make each mistake of tests/mutants/mistakes.txt: does the check catch it?")
    parser.add_argument("--list", action="store_true", help="print the steps and stop")
    parser.add_argument("--stress", action="store_true",
                        help="run the steps whose tests wait many times beside busy loops, and list the failures")
    parser.add_argument("--times", type=int, default=20, metavar="N", help="with --stress: how many times (20)")
    options = parser.parse_args()
    if options.mutants:
        options.only.append("mistakes")
    every = [dataclasses.replace(step, budget=step.budget * options.patience)
             for step in plan.steps(options.long)]
    if options.list:
        for step in every:
            print(f"{step.name:<12} {step.budget:4d} s{'  (--long)' if step.long else ''}")
        return 0

    logs = plan.ROOT / "build" / "checks"
    logs.mkdir(parents=True, exist_ok=True)
    interruptible()
    if options.stress:
        return stress_of(every, options.only or list(stress.USUAL), options.times, logs)
    progress = Progress()
    started = time.monotonic()
    passed = failed = 0
    bad: list[str] = []

    def done(step: Step, outcome: Outcome) -> None:
        nonlocal passed, failed
        if step.name == "build" and not outcome.tally.failed:
            lost = unplanned(every)
            outcome.tally = Tally(0, len(lost), tuple(lost))
        report(step, outcome, progress)
        passed += outcome.tally.passed
        failed += outcome.tally.failed
        if outcome.tally.failed:
            bad.append(step.name)

    def blocked(step: Step) -> bool:
        missing = [name for name in step.needs if name in bad]
        if missing:
            done(step, Outcome(Tally(0, 1, (f"not run: {', '.join(missing)} failed",))))
        return bool(missing)

    try:
        planned = chosen(every, options.only, options.long)
        for _, steps in itertools.groupby(planned, lambda step: step.beside or step.name):
            ready = [step for step in steps if not blocked(step)]
            if ready:
                progress.say(f"-- {', '.join(step.name for step in ready)}")
                run_at_once(ready, logs, plan.ROOT, done, progress)
    except Interrupted:
        print("check: interrupted", file=sys.stderr)
        return 130
    took = int(time.monotonic() - started)
    print(f"\n{took // 60} min {took % 60} s; logs in build/checks" +
          (f"; failed: {' '.join(bad)}" if bad else ""))
    if passed == 0 and failed == 0 and not any(step.count for step in planned):
        print(f"0 failed; no tests in {', '.join(step.name for step in planned)}")
        return 0
    if passed == 0 and failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
