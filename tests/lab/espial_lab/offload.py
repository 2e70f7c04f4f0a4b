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
