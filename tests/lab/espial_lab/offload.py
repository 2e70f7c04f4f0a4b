# SPDX-License-Identifier: Apache-2.0
"""Segmentation and checksum offloads of a device, through SIOCETHTOOL (linux/ethtool.h).

With them on, one skb stands for many packets and nft or tcpdump count skbs: switched off, what a
counter says is what the wire carried.
"""
import array
import errno
import fcntl
import socket
import struct

from .netns import Namespace

SIOCETHTOOL = 0x8946
GSTRINGS, GSSET_INFO, SFEATURES, FEATURES = 0x1B, 0x37, 0x3B, 4
SETTERS = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}


def set_offloads(namespace: Namespace, device: str, **values: bool) -> None:
    """set_offloads(ns, "eth0", gso=False, gro=True); what a device does not have stays as it is."""
    with namespace, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for name, on in values.items():
            request = array.array("B", struct.pack("II", SETTERS[name], int(on)))
            address, _ = request.buffer_info()
            try:
                fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", device.encode(), address))
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise OSError(error.errno, f"{namespace.name}: {device}: {name}") from error


def all_off(namespace: Namespace, *devices: str) -> None:
    for device in devices:
        set_offloads(namespace, device, tso=False, gso=False, gro=False, tx=False, sg=False)


def _strings(ask, count: int) -> list[str]:
    answer = ask(struct.pack("III", GSTRINGS, FEATURES, count) + bytes(count * 32))[12:]
    return [answer[at:at + 32].split(b"\0")[0].decode() for at in range(0, count * 32, 32)]


def set_features(namespace: Namespace, device: str, on: bool, *names: str) -> None:
    """What `ethtool -K DEVICE NAME on|off` does, by the kernel's names."""
    with namespace, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        def ask(request: bytes) -> bytes:
            data = array.array("B", request)
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", device.encode(), data.buffer_info()[0]))
            return data.tobytes()
        count = struct.unpack_from("I", ask(struct.pack("IIQI", GSSET_INFO, 0, 1 << FEATURES, 0)), 16)[0]
        known = _strings(ask, count)
        chosen = [0] * ((count + 31) // 32)
        for name in names:
            chosen[known.index(name) // 32] |= 1 << known.index(name) % 32
        blocks = b"".join(struct.pack("II", bits, bits if on else 0) for bits in chosen)
        ask(struct.pack("II", SFEATURES, len(chosen)) + blocks)


def show_tags(namespace: Namespace, device: str, switch: Namespace, port: str) -> None:
    """VLAN tags stay in the bytes of frames from `port` to `device`, as on a NIC without VLAN
    offload. A veth does not take them off itself: its other end need not put them in."""
    set_features(namespace, device, False, "rx-vlan-hw-parse", "rx-vlan-stag-hw-parse")
    set_features(switch, port, False, "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert")
