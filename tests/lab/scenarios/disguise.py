# SPDX-License-Identifier: Apache-2.0
"""Cleartext under another name: what the wire wraps it in, and what leaves again after IPsec."""
import select
import socket
import struct
from typing import Callable

from espial_lab import traffic
from espial_lab.mesh import Node, Spec
from espial_lab.netns import Namespace
from espial_lab.scenario import Lab, scenario
from espial_lab.wait import until
from scenarios.joins import evidence

BARE = Spec(secured=False)
UDP, DESTINATION_OPTIONS = 17, 60
VXLAN_PORT = 4789
Frames = list[bytes]


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(target: str, packet: bytes, *tags: int) -> bytes:
    """`tags`: the TPIDs of tags with VID 0, outermost first."""
    kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return mac(target) + mac("02:00:00:00:99:99") + \
        b"".join(struct.pack("!HH", tpid, 0) for tpid in tags) + struct.pack("!H", kind) + packet


def udp(payload: bytes, sport: int = traffic.PORT, dport: int = traffic.PORT) -> bytes:
    """Without checksum: allowed over IPv4."""
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def udp6(source: str, target: str, payload: bytes) -> bytes:
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    length = 8 + len(payload)
    pseudo = ends + struct.pack("!II", length, UDP)
    head = struct.pack("!HHHH", traffic.PORT, traffic.PORT, length, 0)
    total = traffic.checksum(pseudo + head + payload + bytes(len(payload) % 2)) or 0xFFFF
    return head[:6] + struct.pack("!H", total) + payload


def fragments(packet: bytes, first: int) -> Frames:
    """An IPv4 packet in two, the first with `first` bytes of payload."""
    head, payload = packet[:20], packet[20:]
    parts = []
    for offset, data, more in ((0, payload[:first], 0x2000), (first, payload[first:], 0)):
        part = head[:2] + struct.pack("!HHH", 20 + len(data), 7, more | offset // 8) + head[8:10] + \
            b"\0\0" + head[12:]
        parts.append(part[:10] + struct.pack("!H", traffic.checksum(part)) + part[12:] + data)
    return parts


class Disguises:
    """What node2, or a stranger beside it, sends at node1."""

    def __init__(self, one: Node, two: Node, device_mac: str, pod_mac: str):
        self._one, self._two, self._mac, self._pod_mac = one, two, device_mac, pod_mac
        self._pod, self._from = one.pod, two.pod

    def _clear(self, source: str | None = None) -> bytes:
        return traffic.ipv4(source or self._from.v4, self._pod.v4, UDP, udp(b"marker"), ttl=64)

    def _clear6(self, middle: Callable[[bytes], tuple[int, bytes]] = lambda data: (UDP, data)) -> bytes:
        kind, data = middle(udp6(self._from.v6, self._pod.v6, b"marker"))
        return traffic.ipv6(self._from.v6, self._pod.v6, kind, data, hops=64)

    def _vxlan(self, source: str | None = None, sport: int = 12345, *tags: int) -> bytes:
        inner = struct.pack("!II", 8 << 24, 42 << 8) + ethernet(self._pod_mac, self._clear(), *tags)
        return traffic.ipv4(source or self._two.underlay[4], self._one.underlay[4], UDP,
                            udp(inner, sport, VXLAN_PORT), ttl=64)

    def _to_us(self, *packets: bytes, tags: tuple[int, ...] = ()) -> Frames:
        return [ethernet(self._mac, packet, *tags) for packet in packets]

    def all(self) -> dict[str, Frames]:
        options = b"\x01\x04\0\0\0\0"
        return {
            "nothing": self._to_us(self._clear()),
            "nothing, IPv6": self._to_us(self._clear6()),
            "four priority tags": self._to_us(self._clear(), tags=(0x8100,) * 4),
            "eight priority tags of both kinds": self._to_us(self._clear(), tags=(0x8100, 0x88A8) * 4),
            "nine priority tags": self._to_us(self._clear(), tags=(0x8100,) * 9),
            "a source of our own": self._to_us(self._clear(self._pod.v4[:-1] + "9")),
            "nine destination options": self._to_us(self._clear6(lambda data: (
                DESTINATION_OPTIONS, b"".join(bytes((DESTINATION_OPTIONS, 0)) + options for _ in range(8)) +
                bytes((UDP, 0)) + options + data))),
            "fragments, 8 bytes first": self._to_us(*fragments(self._clear(), 8)),
            "VXLAN": self._to_us(self._vxlan()),
            "VXLAN from port 500": self._to_us(self._vxlan(None, 500)),
            "VXLAN from port 4500": self._to_us(self._vxlan(None, 4500)),
            "VXLAN from a stranger": self._to_us(self._vxlan("10.45.0.99")),
            "VXLAN with four tags inside": self._to_us(self._vxlan(None, 12345, *(0x8100,) * 4)),
            "VXLAN in fragments, 8 bytes first": self._to_us(*fragments(self._vxlan(), 8)),
            "VXLAN in fragments, 16 bytes first": self._to_us(*fragments(self._vxlan(), 16)),
            "VXLAN in fragments, 40 bytes first": self._to_us(*fragments(self._vxlan(), 40)),
        }


def opened(lab: Lab, node: Node) -> None:
    """A device that takes VXLAN apart and leads to the pods' bridge."""
    node.namespace.ip(
        f"link add disguise type vxlan id 42 dstport {VXLAN_PORT} local {node.underlay[4]}",
        f"link set disguise master {node.pod_bridge} up")
    lab.undo(lambda: node.namespace.ip("link del disguise"))


def delivered(lab: Lab, disguises: dict[str, Frames]) -> set[str]:
    """The names of those of which the pod of node1 got something."""
    two, pod, got = lab.mesh.node(2), lab.mesh.node(1).pod, set()
    with two.namespace:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with wire, traffic.Listener(pod.namespace, pod.v4) as four, \
            traffic.Listener(pod.namespace, pod.v6) as six:
        wire.bind((two.wire, 0))
        for name, frames in disguises.items():
            before = four.received + six.received
            for frame in frames:
                wire.send(frame)
                lab.sent += 1
            if four.drain(0.15) + six.drain(0.05) > before:
                got.add(name)
    return got


@scenario(plays={"running": "bare", "6.1": "bare"}, kernels=("6.1", "6.12", "running"), needs_espial=True,
          bare=BARE)
def disguised_cleartext(lab: Lab) -> None:
    """Whatever cleartext from the wire is wrapped in: what the kernel would deliver to a pod, enforce drops.
    Each is sent twice; in monitor the pod has to get it, or the disguise proves nothing."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    opened(lab, one)
    lab.talk(1, 2)      # neighbours are known

    def address(node_or_pod, device: str) -> str:
        return node_or_pod.namespace.run("ip", "-br", "link", "show", "dev", device).stdout.split()[2]
    disguises = Disguises(one, two, address(one, one.underlay_device), address(one.pod, "eth0")).all()
    watch = lab.watch(1, mode="monitor")
    possible = delivered(lab, disguises)
    missing = set(disguises) - possible
    assert not missing, f"the kernel itself does not deliver: {sorted(missing)}"
    watch.espials[1].set_mode("enforce")
    passed = delivered(lab, disguises)
    assert not passed, f"delivered in enforce: {sorted(passed)}"
    lab.notes.append(f"{len(disguises)} disguises")


@scenario(plays={"running": "bare"}, kernels=("6.1", "6.12", "running"), needs_espial=True, bare=BARE)
def tunnels_of_others(lab: Lab) -> None:
    """Tunnels that are none of the mesh, of more prefix lengths than a table has: espial starts, follows and
    enforces what is configured, and says what it does not watch."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    policies = [f"src 10.101.1.0/24 dst 172.{net}.0.0/{length} dir out"
                for net in range(16, 26) for length in range(16, 29)]
    template = f"tmpl src {one.underlay[4]} dst 10.45.0.99 proto esp mode tunnel"
    one.namespace.ip(*(f"xfrm policy add {policy} {template}" for policy in policies))
    lab.undo(lambda: one.namespace.ip(*(f"xfrm policy delete {policy}" for policy in policies)))
    watch = lab.watch(1, mode="enforce")
    espial, pod = watch.espials[1], one.pod

    def told() -> bool:
        status = espial.status()
        table = next(s for s in status["sources"] if s["source"] == "table")
        assert not table["up"] and "not watched" in table["detail"], table
        assert status["config"]["last_reload_successful"] is False, status["config"]
        return True
    until("node1 says what does not fit", told, every=0.2)
    assert ("ConfigRejected", "") in espial.firing(), espial.firing()
    with traffic.Listener(pod.namespace, pod.v4) as listener:
        lab.sent += traffic.frames(two.namespace, two.wire, f"0a:58:0a:2d:00:{one.number + 10:02x}",
                                   traffic.ipv4(two.pod.v4, pod.v4, UDP, udp(b"marker"), ttl=64), 20).sent
        watch.dropped(1, 2, receive={"cleartext": 20})
        assert listener.drain() == 0, "cleartext was delivered"


def filter_vlans(lab: Lab, number: int, vid: int) -> None:
    """Makes the bridge of a node filter VLANs, its own and its pod's `vid`, which is tagged on the wire."""
    node = lab.mesh.node(number)

    def bridge(*words: str) -> None:
        node.namespace.run("bridge", "vlan", *words, check=True)

    def member(device: str, *how: str) -> None:
        bridge("del", "vid", "1", "dev", device, *how[-1:] if how[-1:] == ("self",) else ())
        bridge("add", "vid", str(vid), "dev", device, *how)
    node.namespace.ip(f"link set {node.pod_bridge} type bridge vlan_filtering 1")
    lab.undo(lambda: node.namespace.ip(f"link set {node.pod_bridge} type bridge vlan_filtering 0"))
    member(node.wire)
    member(node.pod_bridge, "pvid", "untagged", "self")
    for line in node.namespace.run("ip", "-br", "link", "show", "master", node.pod_bridge).stdout.splitlines():
        port = line.split()[0].split("@")[0]
        if port != node.wire:
            member(port, "pvid", "untagged")


@scenario(plays={"6.12": "shared", "6.1": "bare"}, needs_espial=True,
          shared=Spec(layout="A"), bare=Spec(layout="A", secured=False))
def vlan_aware_bridge(lab: Lab) -> None:
    """A bridge that filters VLANs puts a tag on every frame of the mesh on its wire, and on none above it:
    what goes by the node's own VLAN is counted, and in enforce cleartext in it dropped. Set up while espial
    runs, it is followed."""
    watch, secured = lab.watch(1), lab.mesh.spec.secured
    for number in (1, 2):
        filter_vlans(lab, number, 45)
    espial, klass = watch.espials[1], "esp" if secured else "cleartext"

    def seen() -> dict[str, int]:
        return {way: sum(packets for (direction, peer, name, family), (packets, _) in espial.counts().items()
                         if (direction, peer, name) == (way, "node2", klass)) for way in ("receive", "transmit")}

    def followed() -> bool:
        before = seen()
        lab.talk(1, 2, 3, (4,))
        return min(seen()[way] - before[way] for way in before) >= 3
    until("node1 sees what is tagged", followed, every=0.3)
    before = seen()
    lab.talk(1, 2, 5, (4,))

    def exact() -> bool:
        grown = {way: count - before[way] for way, count in seen().items()}
        assert grown == {"receive": 5, "transmit": 5}, grown
        return True
    until("node1 counts each", exact, every=0.2)
    if secured:
        watch.verdict(1, 2, "encrypted")
        return
    espial.set_mode("enforce")
    two, pod = lab.mesh.node(2), lab.mesh.node(1).pod
    with traffic.Listener(pod.namespace, pod.v4) as listener:
        for vlan, delivered in ((45, 0), (99, 0)):
            lab.sent += traffic.frames(two.namespace, two.wire, f"0a:58:0a:2d:00:{lab.mesh.node(1).number + 10:02x}",
                                       traffic.ipv4(two.pod.v4, pod.v4, UDP, udp(b"marker"), ttl=64), 20,
                                       vlan=vlan).sent
            assert listener.drain() == delivered, f"VLAN {vlan}: {listener.received} were delivered"
        watch.dropped(1, 2, receive={"cleartext": 20})


class Marked:
    """Frames on a port of the switch that carry a marker: what anybody on the wire can read."""

    def __init__(self, namespace: Namespace, port: str, marker: bytes):
        with namespace:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind((port, 0))
        self._marker, self.seen = marker, 0

    def close(self) -> None:
        self._socket.close()

    def read(self, quiet: float = 0.5) -> int:
        """All that came until nothing did for `quiet` seconds."""
        while select.select([self._socket], [], [], quiet)[0]:
            self.seen += self._marker in self._socket.recv(65536)
        return self.seen


@scenario(plays={"6.1": "shared", "6.12": "shared"}, needs_espial=True, shared=Spec(layout="A"))
def decrypted_sent_again(lab: Lab) -> None:
    """What IPsec has just decrypted for a pod whose MAC the bridge no longer knows is flooded out of the wire
    in clear, by a mesh without a fault: a leak of this node, dropped in enforce."""
    one, two, marker = lab.mesh.node(1), lab.mesh.node(2), b"decrypted-and-sent-again"
    gone = one.pod.v4.rsplit(".", 1)[0] + ".99"
    one.namespace.ip(f"neigh replace {gone} lladdr 02:00:00:00:0f:99 dev {one.pod_bridge} nud permanent")
    lab.undo(lambda: one.namespace.ip(f"neigh del {gone} dev {one.pod_bridge}"))
    with two.pod.namespace:
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    lab.undo(sender.close)
    witness = Marked(lab.mesh.switch, one.ports[0], marker)
    lab.undo(witness.close)

    def send() -> None:
        for _ in range(20):
            sender.sendto(marker, (gone, traffic.PORT))
            lab.sent += 1
    watch = lab.watch(1, mode="monitor")
    send()
    assert witness.read() == 20, f"{witness.seen} of 20 in clear: the bridge does not flood"

    def counted() -> bool:
        seen = watch.espials[1].counts()["transmit", "node2", "cleartext_resent", "ipv4"][0]
        assert seen == 20, f"cleartext_resent: {seen}"
        return True
    until("node1 counts what it sent again", counted, every=0.1)
    evidence(watch, 1, "CleartextTraffic", "node2", "20 packets from node2 to this node left it again in clear")
    watch.espials[1].set_mode("enforce")
    send()
    watch.dropped(1, 2, {"cleartext_resent": 20})
    assert witness.read() == 20, f"{witness.seen - 20} more in clear, in enforce"
    lab.talk(1, 2)
