# SPDX-License-Identifier: Apache-2.0
"""What an espial loaded, kept for the next one of the node: `espial detach` ends with nothing pinned
and nothing attached as ever, then the same programs are pinned again before the next start, which
adopts them. Their maps are zeroed in between, from outside: no scenario sees another's counters,
identities, policies, flows or events. That spares the verifier, most of what a scenario takes.

By system calls of the lab's own."""
import ctypes
import mmap
import os
import platform
import struct

from .phases import phase

_SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
_LOOKUP, _UPDATE, _PIN, _GET, _INFO, _UPDATE_BATCH = 1, 2, 6, 7, 15, 26
_PERCPU_ARRAY = 6
_libc = ctypes.CDLL(None, use_errno=True)
_kept: dict[str, dict[str, int]] = {}       # folder of the pins to (path there, descriptor)


def _bpf(command: int, packed: bytes) -> int:
    done = _libc.syscall(_SYS_BPF, command, ctypes.create_string_buffer(packed, 128), 128)
    if done < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf command {command}: {os.strerror(error)}")
    return done


def _pin(command: int, path: str, fd: int) -> int:
    name = ctypes.create_string_buffer(path.encode())
    return _bpf(command, struct.pack("QII", ctypes.addressof(name), fd, 0))


def _possible_cpus() -> int:
    with open("/sys/devices/system/cpu/possible") as file:
        return int(file.read().strip().split("-")[-1]) + 1


def _zero(fd: int) -> None:
    info = ctypes.create_string_buffer(88)
    _bpf(_INFO, struct.pack("IIQ", fd, 88, ctypes.addressof(info)))
    kind, _, _, size, entries = struct.unpack_from("5I", info.raw)
    stride = (size + 7) // 8 * 8 * _possible_cpus() if kind == _PERCPU_ARRAY else size
    keys = (ctypes.c_uint32 * entries)(*range(entries))
    values = ctypes.create_string_buffer(stride * entries)
    _bpf(_UPDATE_BATCH, struct.pack("QQQQIIQQ", 0, 0, ctypes.addressof(keys), ctypes.addressof(values),
                                    entries, fd, 0, 0))


def _drain(fd: int) -> None:
    """Nobody has read these events: the reader's position becomes the writer's."""
    with mmap.mmap(fd, mmap.PAGESIZE) as reader, \
            mmap.mmap(fd, mmap.PAGESIZE, prot=mmap.PROT_READ, offset=mmap.PAGESIZE) as writer:
        reader[:8] = writer[:8]


def _begin_anew(name: str, fd: int) -> None:
    if name == "maps/ep_events":
        _drain(fd)
    elif name == "maps/ep_layout":
        key, value = ctypes.c_uint32(0), ctypes.create_string_buffer(40)
        where = struct.pack("IIQQQ", fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0)
        _bpf(_LOOKUP, where)
        value[36:40] = bytes(4)     # `carried`, its last member
        _bpf(_UPDATE, where)
    elif name == "programs/ep_own_drops" or name.startswith("maps/") and name != "maps/ep_tables":
        _zero(fd)


def forget(pins: str) -> None:
    for fd in _kept.pop(pins, {}).values():
        os.close(fd)


def forget_all() -> None:
    """Nothing that a former scenario loaded lives on."""
    for pins in list(_kept):
        forget(pins)


@phase("stop")
def hold(pins: str) -> None:
    """Before `espial detach`."""
    forget(pins)
    if os.path.isdir(f"{pins}/programs"):
        _kept[pins] = {f"{part}/{name}": _pin(_GET, f"{pins}/{part}/{name}", 0)
                       for part in ("maps", "programs") for name in os.listdir(f"{pins}/{part}")}


@phase("start")
def lay_out(pins: str) -> None:
    """Before a start, where nothing is pinned."""
    if pins not in _kept or os.path.exists(pins):
        return
    for part in ("", "/maps", "/programs"):
        os.mkdir(f"{pins}{part}", 0o700)
    for name, fd in _kept[pins].items():
        _begin_anew(name, fd)
        _pin(_PIN, f"{pins}/{name}", fd)
