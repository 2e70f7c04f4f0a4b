# SPDX-License-Identifier: Apache-2.0
"""What the kernel says is attached to a device: tcx programs, or bpf filters behind clsact."""
import ctypes
import errno
import os
import socket
import struct

from .netns import Namespace

_SYS_BPF, _BPF_PROG_QUERY = 321, 16
_HOOKS = {"ingress": 46, "egress": 47}     # enum bpf_attach_type: BPF_TCX_INGRESS, BPF_TCX_EGRESS
_libc = ctypes.CDLL(None, use_errno=True)


def ifindex(namespace: Namespace, device: str) -> int:
    with namespace:
        return socket.if_nametoindex(device)


def programs(namespace: Namespace, device: str, hook: str) -> int:
    """Number of programs at tc ingress or egress of a device; 0 also if there is no such device."""
    try:
        index = ifindex(namespace, device)
    except OSError:
        return 0
    # union bpf_attr, query: target, attach_type, query_flags, attach_flags, prog_ids, count, ...
    attributes = ctypes.create_string_buffer(struct.pack("IIII Q I", index, _HOOKS[hook], 0, 0, 0, 0),
                                             64)
    with namespace:
        done = _libc.syscall(_SYS_BPF, _BPF_PROG_QUERY, attributes, 64)
    if done == 0:
        count = struct.unpack_from("I", attributes.raw, 24)[0]
        if count:
            return count
    elif ctypes.get_errno() not in (errno.EINVAL, errno.ENOENT, errno.ENODEV):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    filters = namespace.run("tc", "filter", "show", "dev", device, hook, check=False).stdout
    return sum("handle 0x" in line for line in filters.splitlines())


def both_ways(namespace: Namespace, device: str) -> bool:
    return bool(programs(namespace, device, "ingress") and programs(namespace, device, "egress"))
