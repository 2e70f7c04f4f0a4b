# SPDX-License-Identifier: Apache-2.0
"""Bounded traffic that knows exactly what it sent.

All senders and receivers are sockets of this process, made inside the namespaces concerned: no
program is started and nothing outlives a call. Every function returns a Sent.
"""
import dataclasses
import os
import select
import socket
import struct
import threading
import time

from .netns import Namespace
from .phases import phase
from .wait import until

PORT = 7007
# Beyond net.core.rmem_max: a device with XDP counts a page for each small packet.
SO_RCVBUFFORCE = 33
TCP_CLOSE = 7
# What is late by more than 32 packets is dropped by the kernel that decrypts (charon's replay window;
# XfrmInStateSeqError), and the processors of an emulated machine do overtake each other by that much
# when the host takes one of them away. No more than this is ever under way.
UNDER_WAY = 16


@dataclasses.dataclass
class Sent:
    """Datagrams given to the kernel, and how many of them came out of the other socket."""
    sent: int = 0
    received: int = 0

    def __add__(self, other: "Sent") -> "Sent":
        return Sent(self.sent + other.sent, self.received + other.received)


def _socket(namespace: Namespace, family: int, kind: int, address: str, port: int) -> socket.socket:
    with namespace:
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


@phase("traffic")
def udp(source: Namespace, source_address: str, target: Namespace, target_address: str, count: int,
        size: int = 64, lossy: bool = False, patience: float = 20.0, port: int = PORT,
        payload: bytes = b"") -> Sent:
    """Sends `count` datagrams of `payload`, or of `size` zeros, from one address to another's port.

    Returns when all have arrived, or, if `lossy`, none came for 0.3 s after the last was sent;
    without `lossy` the wait lasts `patience`.
    """
    family = 6 if ":" in target_address else 4
    payload = payload or bytes(size)
    result = Sent()
    with _socket(source, family, socket.SOCK_DGRAM, source_address, 0) as sender, \
            _socket(target, family, socket.SOCK_DGRAM, target_address, port) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        receiver.setblocking(False)

        def drain() -> int:
            taken = 0
            while True:
                try:
                    receiver.recv(65536)
                    taken += 1
                except BlockingIOError:
                    return taken

        quiet = 0.3 if lossy else patience
        paced = not lossy
        for _ in range(count):
            try:
                sender.sendto(payload, (target_address, port))
            except OSError:
                # The kernel refused (policy without SA, no route): nothing reached any device.
                continue
            result.sent += 1
            if paced:
                limit = time.monotonic() + quiet
                while result.sent - result.received >= UNDER_WAY and time.monotonic() < limit:
                    select.select([receiver], [], [], 0.05)
                    result.received += drain()
                # Lost: the others are sent without waiting for it again.
                paced = result.sent - result.received < UNDER_WAY
            elif result.sent % 32 == 0:
                result.received += drain()
        limit = time.monotonic() + quiet
        while result.received < result.sent and time.monotonic() < limit:
            select.select([receiver], [], [], 0.05)
            taken = drain()
            if taken:
                limit = time.monotonic() + quiet
            result.received += taken
    return result


@phase("traffic")
def ping(source: Namespace, source_address: str, target_address: str, count: int,
         patience: float = 20.0, all_of_them: bool = False) -> Sent:
    """ICMP echo requests, one after the other; `received` counts the replies. The first that gets none
    within `patience` is the last, unless all of them are to be sent."""
    family = 6 if ":" in target_address else 4
    protocol = socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6
    with source:
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW,
                             protocol)
    identifier = os.getpid() & 0xFFFF
    result = Sent()
    with sock:
        sock.bind((source_address, 0))
        for sequence in range(count):
            packet = struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, identifier, sequence)
            if family == 4:
                total = sum(struct.unpack("!4H", packet))
                packet = packet[:2] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) \
                    + packet[4:]
            sock.sendto(packet, (target_address, 0))
            result.sent += 1
            limit = time.monotonic() + patience
            while time.monotonic() < limit:
                if not select.select([sock], [], [], 0.05)[0]:
                    continue
                answer = sock.recv(2048)
                if family == 4:
                    answer = answer[(answer[0] & 15) * 4:]
                if answer[0] == (0 if family == 4 else 129) and \
                        struct.unpack("!HH", answer[4:8]) == (identifier, sequence):
                    result.received += 1
                    break
            if result.received < result.sent and not all_of_them:
                break
    return result


@phase("traffic")
def tcp(source: Namespace, source_address: str, target: Namespace, target_address: str,
        size: int, port: int = PORT) -> tuple[int, int, int]:
    """Moves `size` bytes over one connection and closes it on both sides.

    Returns the bytes that arrived and the segments that client and server sent, handshake and
    closing included, as the kernel counted them for the sockets (tcpi_segs_out).
    """
    family = 6 if ":" in target_address else 4
    with _socket(target, family, socket.SOCK_STREAM, target_address, port) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, UNDER_WAY * 1400)
        listener.listen(1)
        client = _socket(source, family, socket.SOCK_STREAM, source_address, 0)
        with client:
            client.setblocking(False)
            try:
                client.connect((target_address, port))
            except BlockingIOError:
                pass
            listener.settimeout(60)
            server, _ = listener.accept()
            with server:
                server.setblocking(False)
                arrived, left, limit = 0, size, time.monotonic() + 60
                while arrived < size and time.monotonic() < limit:
                    readable, writable, _ = select.select([server], [client] if left else [], [], 1)
                    if writable:
                        left -= client.send(bytes(min(left, 65536)))
                    if readable:
                        arrived += len(server.recv(1 << 20))
                for one, other in ((client, server), (server, client)):
                    one.shutdown(socket.SHUT_WR)
                    other.setblocking(True)
                    other.settimeout(60)
                    other.recv(1)
                # The acknowledgement of the last FIN is under way until the server has it.
                until("TCP connection closed", lambda: _tcp_info(server)[0] == TCP_CLOSE)
                return arrived, _tcp_info(client)[1], _tcp_info(server)[1]


def tcp_segments(namespace: Namespace) -> int:
    """TCP segments that a namespace has sent, those included that no socket counts any more: a FIN
    that comes again is answered without one. OutSegs is without those that carry only what was sent
    before (RFC 4022), which a slow machine does send."""
    with namespace, open("/proc/thread-self/net/snmp") as file:
        names, values = (line.split() for line in file if line.startswith("Tcp:"))
    return sum(int(values[names.index(name)]) for name in ("OutSegs", "RetransSegs"))


def losses(namespace: Namespace) -> dict[str, int]:
    """Counters of a namespace that tell where packets ended, those that are not 0."""
    found = {}
    with namespace:
        with open("/proc/thread-self/net/xfrm_stat") as file:
            found.update((name, int(count)) for name, count in (line.split() for line in file))
        with open("/proc/thread-self/net/snmp") as file:
            lines = [line.split() for line in file]
    for names, values in zip(lines[::2], lines[1::2]):
        found.update((names[0][:-1] + name, int(value)) for name, value in zip(names, values)
                     if name.endswith(("Errors", "Discards", "NoPorts")))
    return {name: count for name, count in found.items() if count}


def _tcp_info(sock: socket.socket) -> tuple[int, int]:
    """State and segments sent (struct tcp_info of linux/tcp.h: first byte; offset 136)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144)
    return info[0], struct.unpack_from("I", info, 136)[0]


# -- what goes on while something else happens ---------------------------------------------------

class Listener:
    """A UDP socket in a pod and how much it was given: what injected packets must never reach."""

    def __init__(self, namespace: Namespace, address: str, port: int = PORT):
        family = 6 if ":" in address else 4
        self._socket = _socket(namespace, family, socket.SOCK_DGRAM, address, port)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self._socket.setblocking(False)
        self.received = 0

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_) -> None:
        self._socket.close()

    @phase("traffic")
    def drain(self, quiet: float = 0.3) -> int:
        """All that came until none did for `quiet` seconds."""
        while select.select([self._socket], [], [], quiet)[0]:
            self._socket.recv(65536)
            self.received += 1
        return self.received


class _Background:
    """A thread that repeats `_step` from entering to leaving; what it raises, leaving raises."""

    def __init__(self, every: float):
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._error: Exception | None = None

    def _step(self) -> None:
        raise NotImplementedError

    def _work(self) -> None:
        try:
            while not self._ended.wait(self._every):
                self._step()
        except Exception as error:
            self._error = error

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ended.set()
        self._thread.join()


class Stream(_Background):
    """Datagrams from pod to pod, both families, without pause from entering to leaving."""

    def __init__(self, source: Namespace, sources: list[str], target: Namespace, targets: list[str],
                 every: float = 0.002):
        super().__init__(every)
        self.sent, self.refused, self.received = 0, 0, 0
        self._targets = targets
        self._senders = [_socket(source, 6 if ":" in address else 4, socket.SOCK_DGRAM, address, 0)
                         for address in sources]
        self._listeners = [Listener(target, address) for address in targets]

    def _step(self) -> None:
        for sender, target in zip(self._senders, self._targets):
            try:
                sender.sendto(bytes(64), (target, PORT))
                self.sent += 1
            except OSError:
                self.refused += 1
        for listener in self._listeners:
            listener.drain(0)

    def more(self, count: int = 20) -> None:
        """Waits until `count` more were sent."""
        goal = self.sent + count
        until(f"{count} more datagrams are sent", lambda: self.sent >= goal or not
              self._thread.is_alive(), every=0.005)

    def __exit__(self, *_) -> None:
        super().__exit__()
        self.received = sum(listener.drain() for listener in self._listeners)
        for one in self._senders + self._listeners:
            (one if isinstance(one, socket.socket) else one._socket).close()
        if self._error:
            raise self._error


class Heartbeat(_Background):
    """What an administrator and a cluster have between two nodes: a datagram each way per family
    and a byte each way over a TCP connection. Leaving fails if one did not arrive: within a time
    that an emulated machine on a busy one may take.

    `rest` is held by whoever does what may lose a datagram rightly: nothing is under way meanwhile."""
    LIMIT = 10      # s

    def __init__(self, one: Namespace, ones: list[str], two: Namespace, twos: list[str],
                 every: float = 0.02):
        super().__init__(every)
        self.beats = 0
        self.rest = threading.Lock()
        self._ends = (one, two)
        self._paths = []          # socket that sends, to whom, socket that receives
        for first, second in zip(ones, twos):
            family = 6 if ":" in first else 4
            ends = [_socket(one, family, socket.SOCK_DGRAM, first, 694),
                    _socket(two, family, socket.SOCK_DGRAM, second, 694)]
            self._paths += [(ends[0], (second, 694), ends[1]), (ends[1], (first, 694), ends[0])]
            with _socket(two, family, socket.SOCK_STREAM, second, 22) as listener:
                listener.listen(1)
                client = _socket(one, family, socket.SOCK_STREAM, first, 0)
                client.settimeout(60)
                client.connect((second, 22))
                server, _ = listener.accept()
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._paths += [(client, None, server), (server, None, client)]

    def _step(self) -> None:
        with self.rest:
            self._beat()
        self.beats += 1

    def _beat(self) -> None:
        for sender, target, _ in self._paths:
            sender.sendto(b".", target) if target else sender.send(b".")
        for number, (_, target, receiver) in enumerate(self._paths):
            if not select.select([receiver], [], [], self.LIMIT)[0]:
                kind = "UDP" if target else "TCP"
                raise AssertionError(
                    f"beat {self.beats}, path {number} ({kind}): nothing within {self.LIMIT} s; "
                    f"there {({end.name: losses(end) for end in self._ends})}")
            receiver.recv(1)

    def __exit__(self, *_) -> None:
        super().__exit__()
        for sender, _, _ in self._paths:
            sender.close()
        if self._error:
            raise self._error
        assert self.beats > 0, "the heart never beat"


# -- frames that no socket would send ------------------------------------------------------------

def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def ipv4(source: str, target: str, protocol: int, payload: bytes, ttl: int = 1) -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, ttl, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(target))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source: str, target: str, protocol: int, payload: bytes, hops: int = 255) -> bytes:
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, hops,
                       socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, target)) + payload


def udp_payload(port: int = PORT, size: int = 16) -> bytes:
    """A UDP header without checksum (allowed over IPv4 only; nothing here reads it) and zeros."""
    return struct.pack("!HHHH", port, port, 8 + size, 0) + bytes(size)


def icmpv6(source: str, target: str, kind: int, body: bytes = bytes(20)) -> bytes:
    """An ICMPv6 message in an IPv6 packet; nothing here reads its checksum."""
    return ipv6(source, target, socket.IPPROTO_ICMPV6, struct.pack("!BBH", kind, 0, 0) + body)


@phase("traffic")
def frames(namespace: Namespace, device: str, target_mac: str, packet: bytes, count: int,
           vlan: int = 0) -> Sent:
    """Sends the same IP packet `count` times as Ethernet frames out of a device, tagged or not."""
    with namespace:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with sock:
        sock.bind((device, 0))
        source_mac = sock.getsockname()[4]
        ethertype = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
        tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
        frame = bytes.fromhex(target_mac.replace(":", "")) + source_mac + tag + \
            struct.pack("!H", ethertype) + packet
        for _ in range(count):
            sock.send(frame)
    return Sent(count, 0)
