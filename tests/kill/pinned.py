# SPDX-License-Identifier: Apache-2.0
"""What is pinned and attached, read by system calls of this test's own, not by espial."""
import ctypes
import os
import pathlib
import re
import struct

_SYS_BPF, _LOOKUP, _OBJ_PIN, _OBJ_GET, _INFO, _QUERY = 321, 1, 6, 7, 15, 16
_HOOKS = (46, 47)      # BPF_TCX_INGRESS, BPF_TCX_EGRESS
_libc = ctypes.CDLL(None, use_errno=True)
_BPF = pathlib.Path(__file__).resolve().parents[2] / "bpf"


def _bpf(command: int, packed: bytes) -> tuple[int, bytes]:
    attributes = ctypes.create_string_buffer(packed, 128)
    done = _libc.syscall(_SYS_BPF, command, attributes, 128)
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done, attributes.raw


def _slots(name: str) -> int:
    """How many classes or reasons a record of counters has room for (bpf/wire.h)."""
    return int(re.search(rf"#define EP_{name}_SLOTS (\d+)", (_BPF / "wire.h").read_text())[1])


CLASSES, REASONS = _slots("CLASS"), _slots("REASON")
_ENFORCED = 16 * 2 * 2 * CLASSES + 32 + 16 + 16     # offset in struct ep_peer_stat
_DROPPED = _ENFORCED + 16 * 2 * REASONS             # EP_ACTION_DROP follows EP_ACTION_WOULD_DROP
_SIZE = _DROPPED + 16 * 2 * REASONS + 16 + 32


class Map:
    def __init__(self, path: str):
        name = ctypes.create_string_buffer(path.encode())
        self.fd, _ = _bpf(_OBJ_GET, struct.pack("QII", ctypes.addressof(name), 0, 0))
        info = ctypes.create_string_buffer(88)
        _bpf(_INFO, struct.pack("IIQ", self.fd, 88, ctypes.addressof(info)))
        self.kind, _, _, self.size, self.entries = struct.unpack_from("5I", info.raw)

    def values(self, index: int) -> list[bytes]:
        """The value of each possible CPU, or the only one."""
        cpus = 1
        if self.kind == 6:      # BPF_MAP_TYPE_PERCPU_ARRAY
            text = pathlib.Path("/sys/devices/system/cpu/possible").read_text().strip()
            cpus = int(text.split("-")[-1]) + 1
        stride = (self.size + 7) // 8 * 8
        key, value = ctypes.c_uint32(index), ctypes.create_string_buffer(stride * cpus)
        _bpf(_LOOKUP, struct.pack("IIQQQ", self.fd, 0, ctypes.addressof(key),
                                  ctypes.addressof(value), 0))
        return [value.raw[cpu * stride:(cpu + 1) * stride] for cpu in range(cpus)]

    def write(self, index: int, value: bytes) -> None:
        key, buffer = ctypes.c_uint32(index), ctypes.create_string_buffer(value, self.size)
        _bpf(2, struct.pack("IIQQQ", self.fd, 0, ctypes.addressof(key),     # BPF_MAP_UPDATE_ELEM
                            ctypes.addressof(buffer), 0))

    def __enter__(self) -> "Map":
        return self

    def __exit__(self, *_) -> None:
        os.close(self.fd)


def dropped(pins: str, peer: str) -> int:
    """Packets of the peer that were dropped, for any reason, both ways."""
    with Map(f"{pins}/maps/ep_peer_meta") as names:
        index = next(i for i in range(1, names.entries)
                     if names.values(i)[0].split(b"\0")[0].decode() == peer)
    total = 0
    for name in ("ep_peer_stat", "ep_peer_base"):
        with Map(f"{pins}/maps/{name}") as stat:
            # A later build's record may be longer, at its end.
            assert stat.size >= _SIZE, f"{name}: {stat.size} bytes, {_SIZE} known here"
            for value in stat.values(index):
                total += sum(struct.unpack_from("Q", value, _DROPPED + 16 * cell)[0]
                             for cell in range(2 * REASONS))
    return total


def attached(ifindex: int) -> list[int]:
    """How many programs are at ingress and at egress, in the network namespace of the caller."""
    return [struct.unpack_from("I", _bpf(_QUERY, struct.pack("IIIIQI", ifindex, hook, 0, 0, 0, 0))[1],
                               24)[0] for hook in _HOOKS]


def attached_ids(ifindex: int) -> list[int]:
    """The kernel's ids of these programs."""
    found = []
    for hook in _HOOKS:
        ids = (ctypes.c_uint32 * 8)()
        _, raw = _bpf(_QUERY, struct.pack("IIIIQI", ifindex, hook, 0, 0, ctypes.addressof(ids), 8))
        found += ids[:struct.unpack_from("I", raw, 24)[0]]
    return found


def _open(path: str) -> int:
    name = ctypes.create_string_buffer(path.encode())
    return _bpf(_OBJ_GET, struct.pack("QII", ctypes.addressof(name), 0, 0))[0]


def program_ids(pins: str) -> dict[str, int]:
    """The ids of the pinned programs, by name."""
    found = {}
    for path in pathlib.Path(f"{pins}/programs").glob("ep_*x*"):
        fd, info = _open(str(path)), ctypes.create_string_buffer(64)
        _bpf(_INFO, struct.pack("IIQ", fd, 64, ctypes.addressof(info)))
        os.close(fd)
        found[path.name] = struct.unpack_from("I", info.raw, 4)[0]
    return found


def pin(source: str, path: str) -> None:
    """What is pinned at one path is pinned at another, in the place of what is there."""
    fd, name = _open(source), ctypes.create_string_buffer(path.encode())
    pathlib.Path(path).unlink()
    _bpf(_OBJ_PIN, struct.pack("QII", ctypes.addressof(name), fd, 0))
    os.close(fd)


def names(pins: str) -> set[str]:
    """Every pin and folder of an instance."""
    return {str(path.relative_to(pins)) for path in pathlib.Path(pins).rglob("*")}
