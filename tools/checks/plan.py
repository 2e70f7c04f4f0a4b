# SPDX-License-Identifier: Apache-2.0
"""The steps of the check, in their order. Fast ones that find most come first."""
import os
import pathlib
import shutil

import counts
from step import Step

ROOT = pathlib.Path(__file__).resolve().parents[2]
JOBS = str(os.cpu_count() or 2)

ESPIAL = ("ESPIAL", str(ROOT / "build/espial"))
SANITIZERS = (("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1"),
              ("UBSAN_OPTIONS", "print_stacktrace=1"), ("TSAN_OPTIONS", "halt_on_error=1"))


# Without the ports, devices and rules of this machine.
OWN_NETWORK = (str(ROOT / "tests/own_network"),)


def _build(name: str, preset: str, budget: int, targets: tuple[str, ...] = (), **more) -> Step:
    launcher = ("-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache") \
        if shutil.which("ccache") else ()
    build = ("cmake", "--build", "--preset", preset, "--parallel", JOBS)
    # Another checkout in another folder finds the same objects.
    more.setdefault("environment", (
        ("CCACHE_BASEDIR", str(ROOT)), ("CCACHE_NOHASHDIR", "1"),
        ("CCACHE_SLOPPINESS", "pch_defines,time_macros")))
    return Step(name, budget, (("cmake", "--preset", preset, "-DESPIAL_WERROR=ON", *launcher),
                               build + (("--target", *targets) if targets else ()) +
                               ("--", "-k", "0")), **more)


def _ctest(name: str, budget: int, label: str, folder: str = "build", jobs: str = JOBS,
           launcher: tuple[str, ...] = (), **more) -> Step:
    """The tests with one label. Their reports land in FOLDER/checks/NAME."""
    reports = ROOT / folder / "checks" / name
    environment = (("GTEST_OUTPUT", f"json:{reports}/"), ("GTEST_COLOR", "no"),
                   *more.pop("environment", ()))
    return Step(name, budget, (
        ("cmake", "-E", "rm", "-rf", str(reports)),
        (*launcher, "ctest", "--test-dir", folder, "-L", f"^({label})$", "-LE", "^lab$", "-j", jobs,
         "--no-tests=error", "--output-on-failure", "--timeout", "{limit}",
         "--output-junit", str(reports / "junit.xml"))),
        count=counts.of_ctest(reports), environment=environment, **more)


def _lab(kernel: str, budget: int, long: bool) -> Step:
    command = ("tests/lab/run", "--kernel", kernel, "--out", f"build/checks/lab-{kernel}")
    return Step(f"lab-{kernel}", budget, (command + (("--long",) if long else ()),),
                needs=("setup", "build"), count=counts.of_lab, live=True,
                # An emulated machine keeps one processor busy.
                beside="" if kernel == "running" else "emulated",
                environment=(ESPIAL, ("ESPIAL_LAB_TIMEOUT", "{limit}")))


def _demo_in_machine() -> Step:
    report = ROOT / "build/checks/demo-vm.json"
    return Step("demo-vm", 300, (("cmake", "-E", "rm", "-f", str(report)),
                                 ("tools/demo", "--vm", "--prometheus", "--json", str(report))),
                needs=("setup", "build"), count=counts.of_demo(report), live=True, long=True,
                environment=(ESPIAL, ("ESPIAL_LAB_TIMEOUT", "{limit}")))


def _bench() -> Step:
    report = ROOT / "build/checks/bench.json"
    return Step("bench", 120, (("cmake", "-E", "rm", "-f", str(report)),
                               ("tools/bench", "--gate", "--json", str(report))),
                needs=("build",), count=counts.of_bench(report))


def _grafana() -> Step:
    """Type-checks and makes the dashboards anew: what is committed must be the same."""
    npm = ("npm", "--prefix", "dashboards/grafana")
    return Step("grafana", 120, ((*npm, "ci", "--prefer-offline"), (*npm, "run", "check")),
                needs=("setup",), count=counts.of_commands)


def steps(long: bool) -> list[Step]:
    more = 4 if long else 1     # the long runs of the lab and the fuzzers
    built = ("build",)
    return [
        Step("setup", 600, (("tools/setup", "--lab", "--dashboards"),), live=True),
        _build("build", "release", 900),
        # Tests whose conditions have deadlines (web, netns) run one at a time.
        _ctest("unit", 60, "unit", needs=built, launcher=OWN_NETWORK),
        _ctest("golden", 30, "golden", needs=built),
        _ctest("bpf", 60, "bpf", needs=built, jobs="1"),
        _ctest("web", 30, "web", needs=built, jobs="1", launcher=OWN_NETWORK),
        _ctest("netns", 180, "netns", needs=built, jobs="1"),
        # Real Alertmanagers and the daemon's own delivery.
        _ctest("alerts", 90, "alerts", needs=("setup", "build"), jobs="1"),
        _ctest("install", 60, "install", needs=built),
        _ctest("lint", 60, "lint", needs=built),
        _grafana(),
        # The packet path beside that of a base revision.
        _bench(),
        # The second compiler, the sanitizers and the fuzzers in one build.
        _build("build-asan", "asan", 900, ("espial", "unprivileged_tests", "fuzz_targets")),
        _ctest("asan", 180, "unit|web", "build-asan", needs=("build-asan",), launcher=OWN_NETWORK,
               environment=SANITIZERS),
        Step("fuzz", 150 * more, (("tests/fuzz/run", "build-asan", str(10 * more)),),
             needs=("build-asan",), count=counts.of_fuzz, beside="fuzz"),
        _build("build-tsan", "tsan", 500, ("thread_tests",), beside="fuzz"),
        # ThreadSanitizer cannot place its shadow under the address randomization of new kernels.
        _ctest("tsan", 60, "threads", "build-tsan", needs=("build-tsan",), environment=SANITIZERS,
               launcher=(*OWN_NETWORK, "setarch", "-R")),
        # SIGKILL at single system calls; --long takes every one that changes something.
        Step("kill", 1800 if long else 240, (("tests/kill/run", *(("--long",) if long else ())),),
             needs=("setup", "build"), count=counts.of_lab, live=True),
        # To its end, interrupted, killed, and staying.
        Step("demo", 170, (("tests/demo/run",),), needs=("setup", "build"), count=counts.of_lab,
             live=True, environment=(ESPIAL,)),
        # A real Prometheus and Alertmanager over the demo's mesh; most of it is espial's sliding minute.
        Step("monitoring", 150, (("tests/monitoring/run",),), needs=("setup", "build"),
             count=counts.of_lab, live=True, environment=(ESPIAL,)),
        Step("monitoring-shipped", 450, (("tests/monitoring/run", "--shipped"),),
             needs=("setup", "build"), count=counts.of_lab, live=True, long=True, environment=(ESPIAL,)),
        _lab("running", 90 * more, long),
        _lab("6.12", 8800 if long else 480, long),
        _lab("6.1", 8800 if long else 480, long),
        # The steps above on a machine that has everything a test could stumble over.
        Step("beside", 1500, (("tests/beside/run",),), needs=("setup", "build"), count=counts.of_lab,
             live=True, long=True),
        # 10^4 exchanges of tables and programs under 10^8 packets.
        _ctest("swap", 1800, "swap", needs=built, jobs="1", long=True),
        _demo_in_machine(),
        # The other Debian release, beginning with nothing but apt: its compilers and libraries.
        Step("debian-13", 1800, (("tests/distribution/run", "trixie"),), count=counts.of_lab, live=True,
             long=True),
        # The mistakes of tests/mutants/mistakes.txt: each turns the default check red (--mutants).
        Step("mistakes", 3600, (("tests/mutants/mistakes",),), needs=("setup",),
             count=counts.of_lab, live=True, long=True),
        Step("mutants", 3600, (("tests/mutants/parser", "build"),), needs=built,
             count=counts.of_commands, long=True),
        # Each file alone: no include leans on a neighbour of the batch.
        _build("build-plain", "plain", 1800, long=True),
        Step("tidy", 3600, (("tools/lint", "tidy"),), needs=("build-plain",), count=counts.of_commands,
             long=True),
    ]


# Labels that several steps share, or that say something else than when to run.
OTHER_LABELS = {"lab", "threads", "kernels"}
