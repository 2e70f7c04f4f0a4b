# SPDX-License-Identifier: Apache-2.0
"""Network namespaces, entered by this very thread: no helper process, no remounted /sys.

`ip netns exec` would mount a fresh /sys and hide bpffs; setns(2) on the network alone does not.
Python 3.11 has no os.setns, hence ctypes. Sockets belong to the namespace they were made in, so a
socket made inside `with namespace:` keeps working outside.
"""
import ctypes
import os
import socket
import subprocess

from .phases import phase

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2
RUN_DIR = "/run/netns"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class Namespace:
    """A named network namespace (visible to `nsenter --net=/run/netns/NAME`), owned by this object."""

    def __init__(self, name: str):
        self.name = name
        self.path = f"{RUN_DIR}/{name}"
        self._outside: list[int] = []
        os.makedirs(RUN_DIR, exist_ok=True)
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _check(_libc.unshare(CLONE_NEWNET), f"{name}: unshare")
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o444))
                _check(_libc.mount(b"/proc/thread-self/ns/net", self.path.encode(), b"none",
                                   MS_BIND, None), f"{name}: mount")
            finally:
                _check(_libc.setns(here, CLONE_NEWNET), "setns")
        finally:
            os.close(here)
        self._fd = os.open(self.path, os.O_RDONLY)

    def __enter__(self) -> "Namespace":
        self._outside.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        _check(_libc.setns(self._fd, CLONE_NEWNET), f"{self.name}: setns")
        return self

    def __exit__(self, *_) -> None:
        outside = self._outside.pop()
        _check(_libc.setns(outside, CLONE_NEWNET), "setns")
        os.close(outside)

    def close(self) -> None:
        """Gives the namespace up; it ends with the last process or socket in it."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        _libc.umount2(self.path.encode(), MNT_DETACH)
        os.unlink(self.path)

    @phase("tools")
    def run(self, *command: str, input: str | None = None, check: bool = True,
            timeout: float = 60) -> subprocess.CompletedProcess:
        """Runs a program to its end inside; its output is in the result, and in the error."""
        with self:
            done = subprocess.run(command, input=input, text=True, timeout=timeout,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  stdin=None if input is not None else subprocess.DEVNULL)
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: exit status {done.returncode}: "
                               f"{done.stderr.strip() or done.stdout.strip()}")
        return done

    def spawn(self, *command: str, log: str, env: dict | None = None) -> subprocess.Popen:
        """Starts a program inside; stdout and stderr go to the file `log`. The caller stops it."""
        with self, open(log, "ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output,
                                    stdin=subprocess.DEVNULL, env=env)

    def ip(self, *lines: str) -> None:
        """`ip -batch`: one program start for many changes; starting is what costs when emulated."""
        if lines:
            self.run("ip", "-batch", "-", input="\n".join(lines) + "\n")

    def sysctl(self, values: dict[str, object]) -> None:
        """Writes kernel parameters; `net.ipv4.conf.br-prd.x` is spelled net/ipv4/conf/br-prd/x."""
        with self:
            for key, value in values.items():
                with open(f"/proc/sys/{key}", "w") as file:
                    file.write(f"{value}\n")


def ifindex(namespace: Namespace, device: str) -> int:
    """OSError when there is no such device."""
    with namespace:
        try:
            return socket.if_nametoindex(device)
        except OSError as error:
            raise OSError(error.errno, f"{namespace.name}: no device {device}") from None
