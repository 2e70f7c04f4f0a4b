# SPDX-License-Identifier: Apache-2.0
"""Packets that are hard to tell: no leak though they look like one, or a leak though they do not."""
import json

from espial_lab import traffic
from espial_lab.count import OTHER_VLAN
from espial_lab.mesh import Node, Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.traffic import icmpv6, ipv4, ipv6, udp_payload
from espial_lab.wait import until

SHARED = Spec(layout="A")
SEPARATE = Spec()
PLAIN_NIC = Spec(underlay="eth0")
BOTH = ((1, 2), (2, 1))


def received(watch: Watch, number: int, peer: int, key: str) -> int:
    """A counter of espial's that has no independent twin: `spoofed`, `unattributed`."""
    return watch.espials[number].peer(f"node{peer}")["receive"][key]


# -- what is no leak -----------------------------------------------------------------------------

def flood(lab: Lab, family: str) -> None:
    """Multicast, broadcast, and unicast to a pod of the same node that nobody has, from a pod."""
    if family == "ipv4":
        lab.frames(1, "01:00:5e:00:00:fb", ipv4("10.101.1.10", "224.0.0.251", 17, udp_payload(5353)))
        lab.frames(1, "ff:ff:ff:ff:ff:ff", ipv4("10.101.1.10", "10.101.1.255", 17, udp_payload()))
        lab.frames(1, "02:00:00:00:00:77", ipv4("10.101.1.10", "10.101.1.77", 17, udp_payload(), 64))
    else:
        pod = "fd00:101:1::10"
        lab.frames(1, "33:33:00:00:00:fb", ipv6(pod, "ff02::fb", 17, udp_payload(5353)))
        lab.frames(1, "33:33:ff:00:00:77", icmpv6(pod, "ff02::1:ff00:77", 135))
        lab.frames(1, "33:33:00:00:00:16", icmpv6(pod, "ff02::16", 143))
        lab.frames(1, "02:00:00:00:00:77", ipv6(pod, "fd00:101:1::77", 17, udp_payload()))


def _flooded(lab: Lab, family: str) -> None:
    watch = lab.watch(1, 2)
    flood(lab, family)
    sent = lab.talk(1, 2)
    for number, peer in BOTH:
        watch.expect(number, peer, {"esp/ipv4": sent}, {"esp/ipv4": sent})
        watch.verdict(number, peer, "encrypted")
    watch.agree(flooded=True)
    for number, way in ((1, "transmit"), (2, "receive")):
        flooded = watch.wire(number)[way, "", "flooded", family][0]
        assert flooded >= 60, f"node{number} {way}: only {flooded} flooded"
    watch.calm()


@scenario(plays={"6.12": "shared"}, shared=SHARED)
def flooding(lab: Lab) -> None:
    """A pod's multicast, broadcast and unknown unicast reach the wire of all nodes; no leak."""
    _flooded(lab, "ipv4")


@scenario(shared=SHARED)
def flooding_ipv6(lab: Lab) -> None:
    _flooded(lab, "ipv6")


def _ninth_node(lab: Lab, prefix: str) -> None:
    """A route of node1 to a gateway that nobody configured; the gateway swallows all."""
    node = lab.mesh.node(1)
    node.namespace.ip("neigh add 10.45.0.19 lladdr 02:00:00:00:00:19 dev br-prd",
                      f"route add {prefix} via 10.45.0.19")
    lab.undo(lambda: node.namespace.ip(f"route del {prefix}", "neigh del 10.45.0.19 dev br-prd"))


@scenario(plays={"6.1": "separate"}, separate=SEPARATE)
def unknown_node(lab: Lab) -> None:
    """A subnet of the network that belongs to nobody leaves by the default route."""
    _ninth_node(lab, "default")
    watch = lab.watch(1)
    lab.routed(1, ipv4("10.101.1.10", "10.101.9.9", 17, udp_payload(), 64))
    watch.no_peer(1, "transmit", "unknown_node", {"ipv4": 20})
    watch.fires(1, "UnknownNode", hold_off=10)
    watch.agree()


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def candidate(lab: Lab) -> None:
    """A node that only a route names: its packets are counted for it, nothing fires for it."""
    _ninth_node(lab, "10.101.9.0/24")
    watch = lab.watch(1)
    lab.routed(1, ipv4("10.101.1.10", "10.101.9.9", 17, udp_payload(), 64))

    def counted() -> bool:
        peers = {peer["name"]: peer for peer in watch.espials[1].status()["peers"]}
        assert "10.45.0.19" in peers, f"peers {sorted(peers)}"
        seen = peers["10.45.0.19"]
        assert seen["state"] == "candidate", seen["state"]
        packets = seen["transmit"]["packets"]["cleartext"]
        assert packets == {"ipv4": 20, "ipv6": 0} or packets == {"ipv4": 20}, f"{packets}"
        return True
    until("node1: cleartext of the candidate", counted, every=0.2)
    assert watch.wire(1)["transmit", "", "unknown_node", "ipv4"][0] == 20
    watch.calm()


@scenario(plays={"6.12": "plain_nic"}, plain_nic=PLAIN_NIC)
def other_vlan(lab: Lab) -> None:
    """Backend addresses in a VLAN of a trunk port that is not ours: somebody else's."""
    watch = lab.watch(1, 2)
    lab.wire_frames(1, ipv4("10.101.1.10", "10.101.2.10", 17, udp_payload(), 64), vlan=OTHER_VLAN)
    for number, way in ((1, "transmit"), (2, "receive")):
        watch.no_peer(number, way, "other_vlan", {"ipv4": 20})
    watch.agree()
    for number, peer in BOTH:
        watch.verdict(number, peer, "silent")
    watch.calm()


# What pods may say to each other on the ports of IPsec: IKE, IKE behind the marker, ESP, a keepalive.
IPSEC_PORTS = ((500, bytes(28)), (4500, bytes(32)), (4500, b"\xc0\xde" * 20), (4500, b"\xff"))


def _on_ipsec_ports(lab: Lab) -> int:
    """Five datagrams of each, each family and each way; returns what each side sent."""
    sent = 0
    for port, payload in IPSEC_PORTS:
        for family in (4, 6):
            for source, target in BOTH:
                lab.udp(source, target, 5, family, port=port, payload=payload)
            sent += 5
    return sent


@scenario(plays={"6.12": "shared"}, separate=SEPARATE, shared=SHARED, plain_nic=PLAIN_NIC)
def pods_on_ipsec_ports(lab: Lab) -> None:
    """A pod's own UDP 500 and 4500, through the tunnel: decrypted like anything else."""
    watch = lab.watch(1, 2)
    sent = _on_ipsec_ports(lab)
    for number, peer in BOTH:
        watch.expect(number, peer, {"esp/ipv4": sent}, {"esp/ipv4": sent})
        opened = [watch.wire(number)["receive", f"node{peer}", "decrypted", family][0]
                  for family in ("ipv4", "ipv6")]
        assert opened == [sent // 2] * 2, f"node{number}: {opened} came back from IPsec"
        watch.verdict(number, peer, "encrypted")
    watch.agree()
    watch.calm()


@scenario(plays={"6.12": "plain_nic"}, separate=SEPARATE, plain_nic=PLAIN_NIC)
def pods_speak_ipsec(lab: Lab) -> None:
    """Protocols 50 and 51 between pods, through the tunnel."""
    one, two = lab.mesh.node(1).pod, lab.mesh.node(2).pod
    # No answer of a pod that does not know them.
    for number in (1, 2):
        lab.nft(number, "inet", "type filter hook forward priority 0; "
                                "oifname { obr_backendnet } meta l4proto { 50, 51 } drop;")
    watch = lab.watch(1, 2)
    sent = 0
    for protocol, payload in ((50, b"\xc0\xde" * 20), (51, bytes([17, 4]) + b"\xc0\xde" * 30)):
        for (number, _), (near, far) in zip(BOTH, ((one, two), (two, one))):
            lab.routed(number, ipv4(near.v4, far.v4, protocol, payload, 64))
            lab.routed(number, ipv6(near.v6, far.v6, protocol, payload))
        sent += 40
    for number, peer in BOTH:
        watch.expect(number, peer, {"esp/ipv4": sent}, {"esp/ipv4": sent})
        watch.verdict(number, peer, "encrypted")
    watch.agree()
    for number, peer in BOTH:
        watch.fires(number, "ForwardDrops", peer)  # the rule above
    watch.calm(but="ForwardDrops")


@scenario(separate=SEPARATE)
def esp_in_tcp(lab: Lab) -> None:
    """TCP port 4500 between underlays counts as ESP as a whole (RFC 9329)."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    watch = lab.watch(1, 2)
    before = {node: traffic.tcp_segments(node.namespace) for node in (one, two)}
    lab.sent += traffic.tcp(one.namespace, one.underlay[4], two.namespace, two.underlay[4],
                            20_000, 4500)[1]
    forth, back = ({"esp_tcp/ipv4": traffic.tcp_segments(node.namespace) - before[node]}
                   for node in (one, two))
    watch.expect(1, 2, forth, back)
    watch.expect(2, 1, back, forth)
    for number, peer in BOTH:
        watch.verdict(number, peer, "encrypted")
    watch.agree()
    watch.calm()


# -- leaks that look well ------------------------------------------------------------------------

@scenario(separate=SEPARATE)
def leak_on_ipsec_ports(lab: Lab) -> None:
    """The same ports without policies: no daemon speaks there, pods do."""
    lab.unload(1, 2)
    watch = lab.watch(1, 2)
    sent = _on_ipsec_ports(lab)
    clear = {f"cleartext/{family}": sent // 2 for family in ("ipv4", "ipv6")}
    for number, peer in BOTH:
        watch.expect(number, peer, clear, clear)
        watch.verdict(number, peer, "leaking")
        watch.fires(number, "CleartextTraffic", peer)
    watch.agree()


@scenario(plays={"6.12": "shared"}, shared=SHARED)
def past_the_remote_node(lab: Lab) -> None:
    """Without its policy an IPv6 packet of an IPv4 connection finds the remote pod over the link.

    charon's route in table 220 has no gateway: in layout A the target answers neighbour discovery
    itself. Nothing is lost, one direction is in clear.
    """
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    one.namespace.ip(f"xfrm policy delete src {one.backend[6]} dst {two.backend[6]} dir out")
    lab.undo(lambda: (lab.mesh.unload(1, 2), lab.mesh.reload(1, 2)))
    watch = lab.watch(1, 2)
    lab.talk(1, 2, families=(6,))
    clear, esp = {"cleartext/ipv6": 20}, {"esp/ipv4": 20}
    watch.expect(1, 2, transmit=clear, receive=esp)
    watch.expect(2, 1, transmit=esp, receive=clear)
    for number, peer in BOTH:
        watch.verdict(number, peer, "mixed")
        watch.fires(number, "CleartextTraffic", peer)
    watch.agree()


def _integrity_only(lab: Lab, wire: str, own: str, renew: bool = False) -> None:
    """Decrypted it is, encrypted it was not: coverage must not count it. `renew`: by SAs that come
    while espial runs."""
    watch = lab.watch(1, 2)

    def expiry(number: int, peer: int) -> str:
        """When the first SA of a pair expires, over HTTP: a command would make the daemon look."""
        status = json.loads(watch.espials[number].get("/api/v1/status")[1])
        return watch.espials[number].peer(f"node{peer}", status)["ipsec"]["sa_expires"]
    if renew:
        charon = lab.mesh.node(1).charon
        before = charon.installed()
        expiries = {pair: expiry(*pair) for pair in BOTH if pair[0] in watch.espials}
        for child in before:
            charon.rekey(child)

        def renewed() -> bool:
            now = charon.installed()    # once: while a child is rekeyed it may be without an SA
            return all(now.get(child) and not set(now[child]) & set(spis) for child, spis in before.items())
        until("new SAs instead of the former ones", renewed)
        # Until a node has heard of an SA, what it carries counts as encrypted.
        for pair, former in expiries.items():
            until(f"node{pair[0]} knows the new SAs", lambda: expiry(*pair) != former)
    sent = lab.talk(1, 2)
    for number, peer in BOTH:
        watch.expect(number, peer, {wire: sent}, {wire: sent})
        opened = sum(watch.wire(number)["receive", f"node{peer}", "decrypted", family][0]
                     for family in ("ipv4", "ipv6"))
        assert opened == sent, f"node{number}: {opened} came back from IPsec, sent {sent}"
        watch.verdict(number, peer, "leaking")
        watch.fires(number, "CleartextTraffic", peer)
        if number in watch.espials:
            def exact() -> bool:
                status = watch.espials[number].peer(f"node{peer}")
                seen = {way: {name: sum(values.values())
                              for name, values in status[way]["packets"].items()
                              if name != "ike" and any(values.values())}
                        for way in ("transmit", "receive")}
                assert seen == {"transmit": {own: sent}, "receive": {own: sent}}, f"{seen}"
                decrypted = sum(status["receive"]["decrypted"].values())
                assert decrypted == 0, f"{decrypted} decrypted packets pass for encrypted"
                assert status["receive"]["coverage"] == status["transmit"]["coverage"] == 0
                return True
            until(f"node{number}: all of it is {own}", exact, every=0.2)


@scenario(plays={"6.1": "separate"}, separate=Spec(esp="null-sha256", nodes=2))
def null_encryption(lab: Lab) -> None:
    """ESP without encryption is no protection: a leak, though it is decrypted."""
    _integrity_only(lab, "esp/ipv4", "esp_null", renew=True)


@scenario(plays={"6.12": "separate"}, separate=Spec(esp="sha256", ah=True, nodes=2))
def authentication_header(lab: Lab) -> None:
    """AH is no encryption: a leak, though IPsec accepts it."""
    _integrity_only(lab, "ah/ipv4", "ah")


# -- a source that is another's ------------------------------------------------------------------

def own_sa(lab: Lab, source: Node, target: Node, inside: str) -> None:
    """An SA by hand that lets `source` send packets from `inside` to `target`'s subnet."""
    ends = f"src {source.underlay[4]} dst {target.underlay[4]}"
    keys = f"0x{'01' * 20}"
    state = f"xfrm state add {ends} proto esp spi 0xc0de reqid 4711 mode tunnel " \
            f"aead 'rfc4106(gcm(aes))' {keys} 128"
    policy = f"src {inside} dst {target.backend[4]} dir out"
    for node in (source, target):
        node.namespace.ip(state)
        lab.undo(lambda node=node: node.namespace.ip(
            f"xfrm state delete {ends} proto esp spi 0xc0de"))
    source.namespace.ip(f"xfrm policy add {policy} priority 1 "
                        f"tmpl {ends} proto esp reqid 4711 mode tunnel")
    lab.undo(lambda: source.namespace.ip(f"xfrm policy delete {policy}"))


def _spoofed(lab: Lab, inside: str, address: str) -> None:
    own_sa(lab, lab.mesh.node(3), lab.mesh.node(1), inside)
    watch = lab.watch(1)
    lab.routed(3, ipv4(address, "10.101.1.10", 17, udp_payload(), 64))
    watch.expect(1, 3, receive={"esp/ipv4": 20})
    watch.expect(1, 2)
    if 1 not in watch.espials:
        return

    def told() -> bool:
        seen = received(watch, 1, 3, "spoofed"), received(watch, 1, 2, "spoofed")
        assert seen == (20, 0), f"spoofed: {seen[0]} of node3, {seen[1]} of node2; sent 20"
        return True
    until("node1: spoofed packets", told, every=0.2)
    watch.fires(1, "SpoofedInner", 3)
    watch.verdict(1, 3, "one_way")
    watch.verdict(1, 2, "silent")
    watch.agree(ignore=("decrypted",))
    assert watch.espials[1].firing() == {("SpoofedInner", "node3")}


@scenario(plays={"6.1": "separate"}, separate=SEPARATE)
def spoofed_source_of_another_peer(lab: Lab) -> None:
    """node3 sends, under its own SA, what claims to come from node2."""
    _spoofed(lab, "10.101.2.0/24", "10.101.2.99")


@scenario(plays={"6.12": "separate"}, separate=SEPARATE)
def spoofed_source_of_ours(lab: Lab) -> None:
    """node3 sends, under its own SA, what claims to come from node1 itself."""
    _spoofed(lab, "10.101.1.64/26", "10.101.1.77")
