# SPDX-License-Identifier: Apache-2.0
"""SIGKILL on entering one certain system call: strace delivers it, so the call is not made."""
import collections
import dataclasses
import pathlib
import re
import signal
import subprocess

from espial_lab.wait import until

KINDS = "bpf,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,openat,sendto,sendmsg," \
        "write,fsync,chmod,fchmod"
# Nothing of espial's is read or written: a kill here is one at the next call.
_DULL = re.compile(r"MAP_LOOKUP_ELEM|GET_INFO_BY_FD|PROBE|openat\([^,]*, \"(/usr|/lib|/etc|/proc|/sys/dev)")


@dataclasses.dataclass(frozen=True)
class Point:
    call: str
    number: int     # the how manieth of its kind


def _of(trace: pathlib.Path) -> list[Point]:
    """The calls of the first process or thread in a trace that change something."""
    counts: collections.Counter = collections.Counter()
    points, first = [], None
    for line in trace.read_text(errors="replace").splitlines():
        match = re.match(r"(\d+) +(\w+)\(", line)
        if not match or match[1] != (first := first or match[1]):
            continue
        counts[match[2]] += 1
        if not _DULL.search(line):
            points.append(Point(match[2], counts[match[2]]))
    return points


def of_command(command: list[str], trace: pathlib.Path) -> list[Point]:
    """Runs the command to its end."""
    done = subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", f"trace={KINDS}",
                           *command], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return _of(trace)


def _kill_at(point: Point) -> list[str]:
    return ["-o", "/dev/null", "-e", f"trace={point.call}", "-e",
            f"inject={point.call}:signal=SIGKILL:when={point.number}"]


def kill_command(command: list[str], point: Point) -> bool:
    """False: this run came to its end with fewer calls of the kind than the one that was traced."""
    done = subprocess.run(["strace", "-f", "-qq", *_kill_at(point), *command],
                          capture_output=True, text=True)
    assert done.returncode in (0, -signal.SIGKILL), \
        f"not killed but ended with {done.returncode}: {done.stderr.strip()}"
    return done.returncode != 0


class _Attached:
    """strace on a running process."""

    def __init__(self, pid: int, options: list[str], log: pathlib.Path):
        with open(log, "w") as errors:
            self.process = subprocess.Popen(["strace", "-f", *options, "-p", str(pid)], stderr=errors)

        def attached() -> bool:
            assert self.process.poll() is None, f"strace ended: {log.read_text()}"
            return "attached" in log.read_text()
        until("strace is attached", attached, every=0.005)

    def end(self) -> None:
        """Leaves the process alone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def of_daemon(pid: int, act, trace: pathlib.Path) -> list[Point]:
    """What a daemon calls while `act` makes it do something, and waits for that."""
    tracer = _Attached(pid, ["-o", str(trace), "-e", f"trace={KINDS}"],
                       trace.with_suffix(".strace"))
    act()
    tracer.end()
    return _of(trace)


def kill_daemon(daemon: subprocess.Popen, act, point: Point, trace: pathlib.Path) -> None:
    """`act` does not wait. The daemon's timer goes on, so that it may be killed in a tick instead."""
    tracer = _Attached(daemon.pid, _kill_at(point), trace.with_suffix(".strace"))
    act()
    try:
        daemon.wait(3)
    except subprocess.TimeoutExpired:
        daemon.kill()   # it did not come to this call: what there was to do did not need it
        daemon.wait(60)
    finally:
        tracer.end()

