# SPDX-License-Identifier: Apache-2.0
"""The tests labelled `bpf` or `kernels`, in the emulated kernel: the programs load there, with and
without CAP_PERFMON, and say and count what they must; the SPD and SAD of a large mesh are read.
`ctest -L "bpf|kernels"` runs them in the running one."""
import os
import pathlib
import re
import subprocess

from espial_lab.espial import executable
from espial_lab.phases import phase
from espial_lab.scenario import Lab, meshless

TESTS = pathlib.Path(__file__).resolve().parents[2]


def run(lab: Lab, program: pathlib.Path) -> None:
    """A GoogleTest executable passes if it ran some test, and skipped and disabled none."""
    path = pathlib.Path(executable()).parent / program
    assert path.exists(), f"{path} is not there: build it"
    with phase("tests"):
        done = subprocess.run([path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "ESPIAL_EMULATED": "1"})
    passed = re.search(r"^\[  PASSED  \] ([1-9]\d* tests?)\.", done.stdout, re.MULTILINE)
    bad = re.findall(r"^\[  (?:FAILED |SKIPPED) \] (\S+)$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and passed and not bad and "DISABLED TEST" not in done.stdout, \
        f"exit status {done.returncode}, not passed: {', '.join(bad) or 'some'}\n{done.stdout}"
    figures = [line for line in done.stdout.splitlines() if " CPU" in line]
    lab.notes.append("; ".join([passed[1], *figures]))


# What CMake labels, so that none is forgotten here.
for _cmake in sorted(TESTS.rglob("CMakeLists.txt")):
    for _name in re.findall(r'^espial_test\((\w+) "?(?:\w+;)*(?:bpf|kernels)\b', _cmake.read_text(), re.MULTILINE):
        meshless(_name, "What this test says, on this kernel.", lambda lab, program=_cmake.parent.relative_to(TESTS.parent) / _name:
                 run(lab, program))
