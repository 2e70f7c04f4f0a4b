# SPDX-License-Identifier: Apache-2.0
"""The independent count: nft rules at the ingress and egress of a wire device, or of the port of
the switch that it is plugged into.

nft is told the same definitions in its own language and shares no line with espial. Offloads are
off in the lab, so its skbs are the wire's packets; lengths at ingress exclude the link header and
at egress include it, which `read` takes away.

In a node nft stands inside of tc: it sees before tc what leaves, after tc what comes in. What was
really on the wire, when something drops in tc, is seen from the switch.
"""
import socket
import struct

from .mesh import BACKEND_V4, BACKEND_V6, Node
from .netns import Namespace, ifindex
from .phases import phase

ETHERNET = 14
OTHER_VLAN = 99         # of frames that are no business of the mesh
FAMILIES = {4: "ipv4", 6: "ipv6"}
PROTECTED = ("esp", "esp_udp", "esp_tcp")
UNPROTECTED = ("esp_null", "ah", "cleartext", "cleartext_tunnel", "cleartext_host",
               "cleartext_transit", "esp_foreign")
CLASSES = PROTECTED + UNPROTECTED + ("ike",)

# (direction, peer, class, family) to (packets, bytes); class "decrypted" on receive only.
Counts = dict[tuple[str, str, str, str], tuple[int, int]]

_MULTICAST = {
    4: ["ip daddr { 224.0.0.0/4, 255.255.255.255, 10.45.0.255 }"],
    6: ["ip6 daddr ff00::/8", "icmpv6 type { 133, 134, 135, 136, 137, 143 }"],
}


def _rules(node: Node, peer: Node, direction: str, table: list[str]) -> list[str]:
    """nft rules that count the packets of one peer; also appends the counters to `table`."""
    lines = []
    here, there = ("daddr", "saddr") if direction == "receive" else ("saddr", "daddr")

    def count(name: str, family: int, match: str) -> None:
        counter = f"{direction}-{peer.name}-{name}-{FAMILIES[family]}"
        if f"counter {counter} {{ }}" not in table:
            table.append(f"counter {counter} {{ }}")
        lines.append(f'{match} counter name {counter} accept')

    for family, ip, other in ((4, "ip", 6), (6, "ip6", 4)):
        mine, its = node.backend[family], peer.backend[family]
        near, far = node.underlay[family], peer.underlay[family]
        between = f"{ip} {there} {far} {ip} {here} {near} meta l4proto"
        count("esp", family, f"{between} 50")
        count("ah", family, f"{between} 51")
        count("esp_tcp", family, f"{between} 6 tcp dport 4500")
        count("esp_tcp", family, f"{between} 6 tcp sport 4500")
        # A UDP length below 12 cannot hold a SPI (a keepalive has 9); a zero SPI is IKE's marker.
        for port in ("dport", "sport"):
            count("esp_udp", family,
                  f"{between} 17 udp {port} 4500 udp length > 11 @th,64,32 != 0")
            count("ike", family, f"{between} 17 udp {port} {{ 500, 4500 }}")
        count("cleartext", family, f"{ip} {there} {its} {ip} {here} {mine}")
        count("cleartext_host", family, f"{ip} {there} {far} {ip} {here} {mine}")
        count("cleartext_host", family, f"{ip} {there} {its} {ip} {here} {near}")
        if direction == "transmit":
            count("cleartext_transit", family, f"{ip} daddr {its} {ip} saddr != {mine}")
        # Inner source (IPv4: 12 bytes in, IPv6: 8), behind nothing or a plain GRE header.
        sender = (peer if direction == "receive" else node).number
        inner = {4: (96, 24, f"0x0a65{sender:02x}"),
                 6: (64, 64, f"0xfd000101{sender:04x}0000")}
        for inside, protocol, ethertype in ((4, 4, "0x0800"), (6, 41, "0x86dd")):
            offset, width, value = inner[inside]
            count("cleartext_tunnel", family, f"{between} {protocol} @th,{offset},{width} {value}")
            # VXLAN: UDP, eight bytes of header, an Ethernet frame.
            count("cleartext_tunnel", family,
                  f"{between} 17 udp dport 4789 @th,224,16 {ethertype} "
                  f"@th,{offset + 240},{width} {value}")
            count("cleartext_tunnel", family,
                  f"{between} 47 @th,16,16 {ethertype} @th,{offset + 32},{width} {value}")
    return lines


def _decrypted(node: Node, peer: Node, table: list[str]) -> list[str]:
    lines = []
    for family, ip in ((4, "ip"), (6, "ip6")):
        counter = f"receive-{peer.name}-decrypted-{FAMILIES[family]}"
        table.append(f"counter {counter} {{ }}")
        lines.append(f"meta secpath exists {ip} saddr {peer.backend[family]} "
                     f'{ip} daddr {node.backend[family]} counter name {counter} accept')
    return lines


def _flooded(node: Node, direction: str, table: list[str]) -> list[str]:
    lines = []
    for family, ip in ((4, "ip"), (6, "ip6")):
        counter = f"{direction}-none-flooded-{FAMILIES[family]}"
        table.append(f"counter {counter} {{ }}")
        matches = list(_MULTICAST[family])
        for other in node.mesh.nodes:
            matches.append(f"{ip} saddr {other.backend[family]} {ip} daddr {other.backend[family]}")
        lines += [f'{match} counter name {counter} accept' for match in matches]
    return lines


def _other_vlan(direction: str, table: list[str]) -> list[str]:
    """Tagged frames, whatever they carry; the lab tags with OTHER_VLAN only."""
    counter = f"{direction}-none-other_vlan-ipv4"
    table.append(f"counter {counter} {{ }}")
    return [f"vlan id {OTHER_VLAN} counter name {counter} accept"]


def _unknown(node: Node, direction: str, table: list[str]) -> list[str]:
    """Addresses of the backend networks that belong to no node; flooded ones are counted before."""
    lines = []
    for family, ip, network in ((4, "ip", BACKEND_V4), (6, "ip6", BACKEND_V6)):
        counter = f"{direction}-none-unknown_node-{FAMILIES[family]}"
        table.append(f"counter {counter} {{ }}")
        known = ", ".join(other.backend[family] for other in node.mesh.nodes)
        lines += [f"{ip} {end} {network} {ip} {end} != {{ {known} }} counter name {counter} accept"
                  for end in ("saddr", "daddr")]
    return lines


_GETOBJ, _DUMP = (10 << 8) | 19, 0x301     # linux/netfilter/nfnetlink.h, nf_tables.h
_NETDEV, _DONE, _ERROR = 5, 3, 2


def _attributes(raw: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(raw):
        length, kind = struct.unpack_from("HH", raw, at)
        found[kind & 0x3FFF] = raw[at + 4:at + length]
        at += (length + 3) & ~3
    return found


def _counters(namespace: Namespace, table: str) -> dict[str, tuple[int, int]]:
    """Named counters of a netdev table: what `nft list counters` asks, without starting it.

    nft takes a quarter of a second in an emulated machine, this a few milliseconds.
    """
    name = table.encode() + b"\0"
    body = struct.pack("!BBH", _NETDEV, 0, 0) + struct.pack("HH", 4 + len(name), 1) + \
        name.ljust((len(name) + 3) & ~3, b"\0")
    with namespace:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    counters = {}
    with sock:
        sock.settimeout(60)
        sock.send(struct.pack("IHHII", 16 + len(body), _GETOBJ, _DUMP, 1, 0) + body)
        while True:
            data, at = sock.recv(1 << 17), 0
            while at < len(data):
                length, kind = struct.unpack_from("IH", data, at)
                if kind == _DONE:
                    return counters
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("i", data, at + 16)[0], f"nf_tables: {table}")
                found = _attributes(data[at + 20:at + length])
                if found[1] == name:
                    value = _attributes(found[4])
                    counters[found[2].rstrip(b"\0").decode()] = (
                        int.from_bytes(value[2], "big"), int.from_bytes(value[1], "big"))
                at += (length + 3) & ~3


class Count:
    """Named counters of one nft table: direction-peer-class-family."""

    @phase("count")
    def __init__(self, namespace: Namespace, name: str, devices: tuple[str, ...], framed: str,
                 table: list[str], chains: list[str]):
        """`devices`: what the chains hook into; `framed`: the direction whose lengths include the
        Ethernet header."""
        self._namespace, self._framed = namespace, framed
        self._devices = {device: ifindex(namespace, device) for device in devices}
        self._table = f"lab_{name.replace('-', '_').replace('.', '_')}"
        namespace.run("nft", "-f", "-", input=f"table netdev {self._table} {{\n" +
                      "\n".join(table + chains) + "\n}\n")

    @phase("count")
    def read(self) -> Counts:
        counts: Counts = {}
        for counter, (packets, size) in _counters(self._namespace, self._table).items():
            direction, peer, name, family = counter.split("-")
            if direction == self._framed:
                size -= ETHERNET * packets
            counts[direction, "" if peer == "none" else peer, name, family] = (packets, size)
        return counts

    @property
    def alive(self) -> bool:
        """False after a device was replaced: its chain went with it and counts nothing any more."""
        try:
            return all(ifindex(self._namespace, device) == index
                       for device, index in self._devices.items())
        except OSError:
            return False

    def close(self) -> None:
        self._namespace.run("nft", "delete", "table", "netdev", self._table, check=False)


class WireCount(Count):
    """Counts on the wire device of a node until close() or the end of its namespace."""

    def __init__(self, node: Node, device: str | None = None, reentry: str | None = None):
        self.node, self.device = node, device or node.wire
        table: list[str] = []
        # What comes out of IPsec enters again at the device that holds the underlay address; with
        # ESP GRO the wire device shows it too, and it is not cleartext there.
        decrypted = [line for peer in node.peers for line in _decrypted(node, peer, table)]
        entry = reentry or node.underlay_device
        chains = [f"chain decrypted {{ type filter hook ingress device "
                  f"\"{entry}\" priority -210; policy accept;\n" +
                  "\n".join(decrypted) + "\n}"]
        for direction, hook in (("receive", "ingress"), ("transmit", "egress")):
            rules = ["meta secpath exists accept"] if direction == "receive" else []
            rules += _other_vlan(direction, table)
            rules += _flooded(node, direction, table)
            for peer in node.peers:
                rules += _rules(node, peer, direction, table)
            rules += _unknown(node, direction, table)
            chains.append(f"chain {direction} {{ type filter hook {hook} device \"{self.device}\" "
                          f"priority -200; policy accept;\n" + "\n".join(rules) + "\n}")
        super().__init__(node.namespace, self.device, (self.device, entry), "transmit", table,
                         chains)


class SwitchCount(Count):
    """Counts at the switch's ports of a node, out of reach of whatever the node does: `transmit`
    is what really left it, `receive` what was really sent to it. Ends with the ports."""

    def __init__(self, node: Node):
        self.node, switch = node, node.mesh.switch
        devices = ", ".join(f'"{port}"' for port in node.ports)
        table: list[str] = []
        chains = []
        for direction, hook in (("transmit", "ingress"), ("receive", "egress")):
            rules = _flooded(node, direction, table)
            for peer in node.peers:
                rules += _rules(node, peer, direction, table)
            rules += _unknown(node, direction, table)
            chains.append(f"chain {direction} {{ type filter hook {hook} devices = {{ {devices} }} "
                          f"priority -200; policy accept;\n" + "\n".join(rules) + "\n}")
        super().__init__(switch, node.name, tuple(node.ports), "receive", table, chains)


def since(now: Counts, before: Counts) -> Counts:
    """The difference of two readings; what is zero is left out."""
    result = {}
    for key, (packets, size) in now.items():
        old = before.get(key, (0, 0))
        if packets != old[0]:
            result[key] = (packets - old[0], size - old[1])
    return result


def of_peer(counts: Counts, direction: str, peer: str) -> dict[str, int]:
    """{"esp/ipv4": 40} of one peer and direction: packets, without IKE and decrypted ones."""
    return {f"{name}/{family}": packets
            for (way, who, name, family), (packets, _) in counts.items()
            if (way, who) == (direction, peer) and name not in ("ike", "decrypted")}



def unprotected(counts: Counts) -> dict[str, int]:
    """{"transmit node2 cleartext/ipv4": 20} of everything that would be readable on the wire."""
    return {f"{way} {who} {name}/{family}": packets
            for (way, who, name, family), (packets, _) in counts.items()
            if name in UNPROTECTED + ("unknown_node",) and packets}
