# SPDX-License-Identifier: Apache-2.0
"""The tests labelled `bpf`, in the emulated kernel: the programs load there, with and without
CAP_PERFMON, and say and count what they must. `ctest -L bpf` runs them in the running one."""
import pathlib
import re
import subprocess

from espial_lab.espial import executable
from espial_lab.scenario import Lab, meshless

TESTS = pathlib.Path(__file__).resolve().parents[2]


def run(lab: Lab, program: pathlib.Path) -> None:
    """A GoogleTest executable passes if it ran some test, and skipped and disabled none."""
    path = pathlib.Path(executable()).parent / program
    assert path.exists(), f"{path} is not there: build it"
    done = subprocess.run([path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    passed = re.search(r"^\[  PASSED  \] ([1-9]\d* tests?)\.", done.stdout, re.MULTILINE)
    bad = re.findall(r"^\[  (?:FAILED |SKIPPED) \] (\S+)$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and passed and not bad and "DISABLED TEST" not in done.stdout, \
        f"exit status {done.returncode}, not passed: {', '.join(bad) or 'some'}\n{done.stdout}"
    lab.notes.append(passed[1])


# What CMake labels, so that none is forgotten here.
for _cmake in sorted(TESTS.rglob("CMakeLists.txt")):
    for _name in re.findall(r'^espial_test\((\w+) "?(?:\w+;)*bpf\b', _cmake.read_text(), re.MULTILINE):
        meshless(_name, lambda lab, program=_cmake.parent.relative_to(TESTS.parent) / _name:
                 run(lab, program))
