# SPDX-License-Identifier: Apache-2.0
"""What the SA mirror has pinned, read by system calls of this test's own, not by espial."""
import ctypes
import os
import re
import struct

from .netns import Namespace

_SYS_BPF, _LOOKUP, _NEXT, _GET = 321, 1, 4, 7
_KEY = struct.Struct("=QQII")      # struct ep_sa_key of bpf/wire.h
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, packed: bytes) -> int:
    attributes = ctypes.create_string_buffer(packed, 128)
    return _libc.syscall(_SYS_BPF, command, attributes, 128)


def mirrored(pins: str) -> dict[int, bool]:
    """SPIs of the map to whether their SA is there (else it was deleted)."""
    path = ctypes.create_string_buffer(f"{pins}/programs/ep_sas".encode())
    fd = _bpf(_GET, struct.pack("QII", ctypes.addressof(path), 0, 0))
    assert fd >= 0, f"{pins}/programs/ep_sas: {os.strerror(ctypes.get_errno())}"
    try:
        found, key, after, value = {}, None, ctypes.create_string_buffer(24), ctypes.c_uint64()
        while _bpf(_NEXT, struct.pack("IIQQ", fd, 0, ctypes.addressof(key) if key else 0,
                                      ctypes.addressof(after))) == 0:
            key = ctypes.create_string_buffer(after.raw[:24], 24)
            if _bpf(_LOOKUP, struct.pack("IIQQ", fd, 0, ctypes.addressof(key),
                                         ctypes.addressof(value))) == 0:
                found[_KEY.unpack(key.raw)[2]] = value.value == 0
        return found
    finally:
        os.close(fd)


def in_kernel(namespace: Namespace) -> set[int]:
    """SPIs of ESP in the SAD that have keys."""
    text = namespace.run("ip", "xfrm", "state").stdout
    return {int(spi, 16) for spi, rest in re.findall(
        r"proto esp spi (0x[0-9a-f]+)(.*?)(?=^src|\Z)", text, re.DOTALL | re.MULTILINE) if "aead" in rest or
        "enc " in rest}
