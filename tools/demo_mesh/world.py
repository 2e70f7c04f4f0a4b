# SPDX-License-Identifier: Apache-2.0
"""A world of its own for the demo: mounts, network and process ids that end with one process.

The process that builds the mesh is process 1 of its world. When it ends, however it ends, the
kernel kills all others and gives namespaces, pins and programs back: nothing can be left over.
"""
import ctypes
import os
import signal
import stat
import subprocess
from typing import Callable

_NEWNS, _NEWIPC, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_PATIENCE = 30     # seconds that cleaning up may take after a signal
NAME = "espial-demo-1"     # of process 1, at most 15 characters: how `find` knows it

_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived; not an Exception, so that nothing takes it for a failure."""


def interruptible() -> None:
    """Makes the first signal raise Interrupted; later ones cannot disturb cleaning up."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupted(*_) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted
    for number in signals:
        signal.signal(number, interrupted)


def inside(work: Callable[[], int]) -> int:
    """Runs `work` as process 1 of a new world and returns its exit status, 130 if interrupted."""
    if _libc.unshare(_NEWNS | _NEWIPC | _NEWPID | _NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "unshare: " + os.strerror(ctypes.get_errno()))
    child = os.fork()
    if child == 0:
        os._exit(_first(work))

    def forward(*_) -> None:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
        signal.alarm(_PATIENCE)
        os.kill(child, signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 130


def _first(work: Callable[[], int]) -> int:
    """What process 1 does. Its own session: a terminal's Ctrl-C reaches the parent only."""
    status = 70
    try:
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _libc.prctl(_PR_SET_NAME, NAME.encode())
        interruptible()
        _mounts()
        status = work()
    except Interrupted:
        status = 130
    except BaseException as error:
        print(f"demo: {type(error).__name__}: {error}", flush=True)
        if os.environ.get("ESPIAL_LAB_TRACE"):
            raise
    finally:
        os.sys.stdout.flush()
        os.sys.stderr.flush()
        os._exit(status)


def _mounts() -> None:
    for kind, point in (("", "/"), ("proc", "/proc"), ("tmpfs", "/run"), ("sysfs", "/sys"),
                        ("bpf", "/sys/fs/bpf")):
        command = ["mount", "-t", kind, kind, point] if kind else ["mount", "--make-rprivate", point]
        subprocess.run(command, check=True)
    os.makedirs("/run/lock")
    if not os.path.exists("/dev/net/tun"):
        _devices()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _devices() -> None:
    """A /dev with a tun, where the machine's own (a container's) has none; that one stays as it is."""
    known = {name: os.stat(f"/dev/{name}").st_rdev
             for name in ("null", "zero", "full", "random", "urandom", "tty")}
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev"], check=True)
    os.makedirs("/dev/net")
    os.makedirs("/dev/shm")
    for name, number in (known | {"net/tun": os.makedev(10, 200)}).items():
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, number)


def find() -> int | None:
    """Process id, seen from here, of process 1 of a demo that runs now. One that ended and that nobody
    has waited for keeps its name, and has no namespaces any more."""
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/comm") as file:
                named = file.read().strip() == NAME
            if named and os.stat(f"/proc/{entry}").st_uid == 0 and os.readlink(f"/proc/{entry}/ns/net"):
                return int(entry)
        except (OSError, ValueError):
            continue
    return None


def enter(namespace: str, command: list[str]) -> None:
    """Becomes `command` (or a shell) in a node or pod of the demo that runs now."""
    process = find()
    if process is None:
        raise LookupError("no demo is running (start one: sudo tools/demo --stay)")
    root = f"/proc/{process}/root"
    network = f"{root}/run/netns/{namespace}" if namespace != "prometheus" else \
        f"/proc/{process}/ns/net"
    if not os.path.exists(network):
        known = ", ".join(sorted(os.listdir(f"{root}/run/netns")))
        raise LookupError(f"{namespace}: no such node or pod; there are {known}")
    environment = [f"PATH=/run/demo/{namespace}:{os.environ.get('PATH', '/usr/sbin:/usr/bin')}",
                   f"PS1={namespace}# "]
    os.execvp("nsenter", ["nsenter", f"--target={process}", "--mount", "--pid", f"--net={network}",
                          f"--wd={root}", "env", *environment, *(command or ["bash", "--norc"])])
