# SPDX-License-Identifier: Apache-2.0
"""What the kernel says is attached to a device: tcx programs, or bpf filters behind clsact."""
import ctypes
import errno
import json
import os
import struct
import subprocess

from .netns import Namespace, ifindex

_SYS_BPF, _BPF_PROG_QUERY = 321, 16
_HOOKS = {"ingress": 46, "egress": 47}     # enum bpf_attach_type: BPF_TCX_INGRESS, BPF_TCX_EGRESS
_libc = ctypes.CDLL(None, use_errno=True)


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


def clsact(namespace: Namespace, device: str) -> bool:
    """Has the device a clsact qdisc?"""
    return "clsact" in namespace.run("tc", "qdisc", "show", "dev", device).stdout


def everywhere(kind: str, of: str = "") -> list[str]:
    """All programs, maps or links (`prog`, `map`, `link`) of espial that this kernel holds, of
    every namespace: `bpftool`, told by the name or, a link, by its program. `of` is the type of
    program that the links hold: an older bpftool has no word for a tcx link."""
    def told(*what: str) -> list[dict]:
        done = subprocess.run(["bpftool", "-j", *what, "list"], capture_output=True, text=True,
                              check=True)
        return json.loads(done.stdout or "[]")
    if kind != "link":
        return [item.get("name", "") for item in told(kind) if item.get("name", "")[:3] == "ep_"]
    ours = {item["id"] for item in told("prog")
            if item.get("name", "")[:3] == "ep_" and of in ("", item.get("type"))}
    return [str(item["id"]) for item in told("link") if item.get("prog_id") in ours]


def both_ways(namespace: Namespace, device: str) -> bool:
    return bool(programs(namespace, device, "ingress") and programs(namespace, device, "egress"))
