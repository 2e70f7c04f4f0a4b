# SPDX-License-Identifier: Apache-2.0
"""Counters of enforcement straight out of the pinned maps (bpf/wire.h, struct ep_peer_stat)."""
import ctypes
import os
import struct

_SYS_BPF, _MAP_LOOKUP, _OBJ_GET = 321, 1, 7
_STAT, _ENFORCED, _NAME = 1648, 1088, 64     # bytes: the struct, what is before `enforced`, a name
_ACTIONS = {"would_drop": 0, "dropped": 1}
_REASONS = ("cleartext", "cleartext_tunnel", "cleartext_host", "cleartext_transit", "ah",
            "esp_null", "spoofed", "unknown_node")
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes) -> int:
    done = _libc.syscall(_SYS_BPF, command, ctypes.create_string_buffer(attributes, 64), 64)
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def _open(path: str) -> int:
    name = ctypes.create_string_buffer(path.encode())
    return _bpf(_OBJ_GET, struct.pack("QII", ctypes.addressof(name), 0, 0))


def _lookup(map_: int, index: int, size: int) -> bytes:
    key, value = ctypes.c_uint32(index), ctypes.create_string_buffer(size)
    _bpf(_MAP_LOOKUP, struct.pack("II QQ Q", map_, 0, ctypes.addressof(key),
                                  ctypes.addressof(value), 0))
    return value.raw


def _possible_cpus() -> int:
    with open("/sys/devices/system/cpu/possible") as file:
        return int(file.read().strip().replace(",", "-").split("-")[-1]) + 1


def enforced(pins: str, peer: str, what: str) -> dict[tuple[str, str], tuple[int, int]]:
    """(direction, reason) to (packets, bytes) of the peer that espial calls so; "": of none."""
    stats, names = _open(f"{pins}/maps/ep_peer_stat"), _open(f"{pins}/maps/ep_peer_meta")
    try:
        index = 0
        while index < 64 and peer and _lookup(names, index, _NAME).rstrip(b"\0") != peer.encode():
            index += 1
        raw = _lookup(stats, index, _STAT * _possible_cpus())
    finally:
        os.close(stats)
        os.close(names)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for start in range(0, len(raw), _STAT):
        for number, way in enumerate(("receive", "transmit")):
            for reason, name in enumerate(_REASONS):
                at = ((_ACTIONS[what] * 2 + number) * len(_REASONS) + reason) * 16
                packets, size = struct.unpack_from("QQ", raw, start + _ENFORCED + at)
                before = found.get((way, name), (0, 0))
                found[way, name] = (before[0] + packets, before[1] + size)
    return {key: value for key, value in found.items() if value[0]}
