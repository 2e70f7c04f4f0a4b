# SPDX-License-Identifier: Apache-2.0
"""A client of strongSwan's VICI protocol (strongswan: src/libcharon/plugins/vici/README.md).

swanctl does the same through the same socket, but starting it costs a quarter of a second in an
emulated machine, and the lab asks often.
"""
import socket
import struct

_REQUEST, _RESPONSE, _UNKNOWN, _REGISTER, _UNREGISTER, _CONFIRM, _NO_EVENT, _EVENT = range(8)
_SECTION, _SECTION_END, _VALUE, _LIST, _ITEM, _LIST_END = range(1, 7)


class Refused(RuntimeError):
    """charon answered success=no; the text is its own."""


def _name(text: str) -> bytes:
    raw = text.encode()
    return bytes([len(raw)]) + raw


def _value(text: object) -> bytes:
    raw = str(text).encode()
    return struct.pack(">H", len(raw)) + raw


def encode(message: dict) -> bytes:
    out = b""
    for key, value in message.items():
        if isinstance(value, dict):
            out += bytes([_SECTION]) + _name(key) + encode(value) + bytes([_SECTION_END])
        elif isinstance(value, (list, tuple)):
            items = b"".join(bytes([_ITEM]) + _value(item) for item in value)
            out += bytes([_LIST]) + _name(key) + items + bytes([_LIST_END])
        else:
            out += bytes([_VALUE]) + _name(key) + _value(value)
    return out


def decode(raw: bytes) -> dict:
    root: dict = {}
    stack, at, items = [root], 0, []

    def take(width: int) -> str:
        nonlocal at
        length = int.from_bytes(raw[at:at + width], "big")
        text = raw[at + width:at + width + length].decode(errors="replace")
        at += width + length
        return text

    while at < len(raw):
        kind = raw[at]
        at += 1
        if kind == _SECTION:
            stack.append(stack[-1].setdefault(take(1), {}))
        elif kind == _SECTION_END:
            stack.pop()
        elif kind == _VALUE:
            key = take(1)
            stack[-1][key] = take(2)
        elif kind == _LIST:
            items = stack[-1].setdefault(take(1), [])
        elif kind == _ITEM:
            items.append(take(2))
        elif kind != _LIST_END:
            raise ValueError(f"VICI element {kind}")
    return root


class Vici:
    """One connection to a charon; close it, or use it in `with`."""

    def __init__(self, path: str, timeout: float = 30):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout)
        try:
            self._sock.connect(path)
        except OSError:
            self._sock.close()
            raise

    def __enter__(self) -> "Vici":
        return self

    def __exit__(self, *_) -> None:
        self._sock.close()

    def _send(self, kind: int, name: str, body: bytes = b"") -> None:
        packet = bytes([kind]) + _name(name) + body
        self._sock.sendall(struct.pack(">I", len(packet)) + packet)

    def _receive(self) -> tuple[int, bytes]:
        def exactly(count: int) -> bytes:
            data = b""
            while len(data) < count:
                part = self._sock.recv(count - len(data))
                if not part:
                    raise ConnectionError("charon closed the VICI connection")
                data += part
            return data

        packet = exactly(struct.unpack(">I", exactly(4))[0])
        return packet[0], packet[1:]

    def call(self, command: str, message: dict | None = None) -> dict:
        """Sends a command; raises Refused when charon says that it failed."""
        self._send(_REQUEST, command, encode(message or {}))
        kind, body = self._receive()
        if kind != _RESPONSE:
            raise Refused(f"{command}: unknown to charon")
        answer = decode(body)
        if answer.get("success", "yes") != "yes":
            raise Refused(f"{command}: {answer.get('errmsg', 'failed')}")
        return answer

    def stream(self, command: str, event: str, message: dict | None = None) -> list[dict]:
        """Sends a command that answers with a series of events, such as list-sas."""
        self._send(_REGISTER, event)
        self._receive()
        self._send(_REQUEST, command, encode(message or {}))
        found = []
        while True:
            kind, body = self._receive()
            if kind != _EVENT:
                break
            found.append(decode(body[1 + body[0]:]))
        self._send(_UNREGISTER, event)
        self._receive()
        return found
