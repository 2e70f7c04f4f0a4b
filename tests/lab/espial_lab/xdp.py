# SPDX-License-Identifier: Apache-2.0
"""XDP on a device as the kernel tells it, programs of others, and a witness between XDP and tc."""
import ctypes
import json
import os
import socket
import struct

from .netns import Namespace

_SYS_BPF, _BPF_PROG_LOAD, _BPF_OBJ_PIN, _TYPE_XDP = 321, 5, 6, 6
_libc = ctypes.CDLL(None, use_errno=True)
_OUTGOING = 4       # PACKET_OUTGOING, linux/if_packet.h


def attached(namespace: Namespace, device: str) -> dict:
    """{"mode": …, "id": …} of the XDP program of a device; empty when it has none.
    Mode 1 is native, 2 generic (XDP_ATTACHED_DRV, XDP_ATTACHED_SKB)."""
    shown = json.loads(namespace.run("ip", "-j", "-d", "link", "show", "dev", device).stdout)[0]
    xdp = shown.get("xdp")
    return {"mode": xdp["mode"], "id": xdp["prog"]["id"]} if xdp else {}


def _bpf(command: int, attributes: bytes) -> int:
    result = _libc.syscall(_SYS_BPF, command, ctypes.create_string_buffer(attributes, 128), 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command}): {os.strerror(ctypes.get_errno())}")
    return result


class Foreign:
    """Somebody else's program that passes everything (r0 = XDP_PASS; exit), attached natively by
    netlink, as `ip link` does; off again by `off`."""

    def __init__(self, namespace: Namespace, device: str):
        self._namespace, self._device = namespace, device
        self._pin = f"/sys/fs/bpf/lab-foreign-{namespace.name}"
        code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 2, 0x95, 0, 0, 0))
        licence = ctypes.create_string_buffer(b"GPL")
        program = _bpf(_BPF_PROG_LOAD, struct.pack(
            "<IIQQIIQII16s", _TYPE_XDP, 2, ctypes.addressof(code), ctypes.addressof(licence),
            0, 0, 0, 0, 0, b"lab_foreign"))
        try:
            path = ctypes.create_string_buffer(self._pin.encode())
            _bpf(_BPF_OBJ_PIN, struct.pack("<QI", ctypes.addressof(path), program))
        finally:
            os.close(program)
        try:
            namespace.run("ip", "link", "set", "dev", device, "xdpdrv", "pinned", self._pin)
        finally:
            os.unlink(self._pin)

    def off(self) -> None:
        self._namespace.run("ip", "link", "set", "dev", self._device, "xdpdrv", "off")


class Tap:
    """What became an skb on a device: a packet socket stands after native XDP and before tc.
    Counts the incoming UDP whose IP source begins with `sources` (bytes), tagged or not: on a shared
    bridge pods also send neighbour discovery, which nobody drops."""

    def __init__(self, namespace: Namespace, device: str, sources: tuple[bytes, ...]):
        self._sources = sources
        with namespace:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind((device, 3))
        self._socket.setblocking(False)
        self.seen = 0

    def read(self) -> int:
        """Frames so far."""
        while True:
            try:
                frame, address = self._socket.recvfrom(2048)
            except BlockingIOError:
                return self.seen
            if address[2] != _OUTGOING:
                self.seen += self._source(frame).startswith(self._sources)

    @staticmethod
    def _source(frame: bytes) -> bytes:
        at = 18 if frame[12:14] == b"\x81\x00" else 14
        kind = frame[at - 2:at]
        if kind == b"\x08\x00" and frame[at + 9] == socket.IPPROTO_UDP:
            return frame[at + 12:at + 16]
        if kind == b"\x86\xdd" and frame[at + 6] == socket.IPPROTO_UDP:
            return frame[at + 8:at + 24]
        return b""

    def close(self) -> None:
        self._socket.close()
