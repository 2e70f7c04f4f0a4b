# SPDX-License-Identifier: Apache-2.0
"""Encrypt or drop: with enforce no leak gets onto the wire, and nothing else is lost.

What was on the wire is seen from the switch: in the node, nft looks before tc at what leaves.
"""
from typing import Callable

from espial_lab import traffic
from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.traffic import Listener, ipv4, udp_payload
from espial_lab.wait import until
from scenarios.mesh import exchanged, only_one_family, rekeyed
from scenarios.packets import flood, own_sa

SHARED = Spec(layout="A")
SEPARATE = Spec()
UPLINKS = {"plain_nic": Spec(underlay="eth0"), "vlan": Spec(underlay="vlan")}
OUTER6 = Spec(outer=6)
BARE = Spec(secured=False)
BOTH = ((1, 2), (2, 1))


def undisturbed(lab: Lab) -> None:
    """ARP, neighbour discovery and everything else between the underlays go on."""
    lab.forget_neighbours(1, 2)
    for family in (4, 6):
        for number, peer in BOTH:
            lab.underlay_udp(number, peer, 5, family)


def stopped(lab: Lab, send: Callable[[], object], one: dict[str, int], two: dict[str, int],
            received: dict[int, dict[str, int]] | None = None, null: bool = False) -> None:
    """`send` leaks between node1 and node2. With enforce on both, each drops exactly what it sends
    of it (packets by reason) and nothing readable is on the wire; with audit it all passes, and
    each says that it would drop the same, and what the other lets through (or `received`)."""
    transmitted = {1: one, 2: two}
    received = received if received is not None else {1: two, 2: one}
    watch = lab.watch(1, 2, mode="enforce")
    send()
    for number, peer in BOTH:
        watch.dropped(number, peer, transmitted[number])
        if transmitted[number]:
            watch.fires(number, "EnforcementDropping", peer)
    watch.balanced(null=null)
    watch.sealed()
    # What audit says does not depend on the mesh.
    if lab.mesh.spec in (SHARED, OUTER6, *UPLINKS.values()):
        return
    for number, espial in watch.espials.items():
        espial.set_mode("audit")
        watch.zero(number)
    send()
    for number, peer in BOTH:
        watch.dropped(number, peer, transmitted[number], received[number], what="would_drop")
        if transmitted[number] or received[number]:
            watch.fires(number, "WouldDrop", peer)
        watch.dropped(number, peer, transmitted[number])
    watch.untouched()
    if not null:
        watch.agree()


# -- leaks ---------------------------------------------------------------------------------------

@scenario(plays={"6.1": "separate vlan", "6.12": "shared"}, needs_espial=True, shared=SHARED,
          separate=SEPARATE, **UPLINKS)
def enforce_policies_missing_on_both(lab: Lab) -> None:
    """No packet of a leak gets onto the wire; audit says the same and lets all pass."""
    lab.unload(1, 2)
    stopped(lab, lambda: lab.talk(1, 2, lossy=True), {"cleartext": 40}, {"cleartext": 40})
    undisturbed(lab)


@scenario(plays={"6.1": "separate"}, needs_espial=True, shared=SHARED, separate=SEPARATE, outer6=OUTER6)
def enforce_policies_missing_on_the_sender(lab: Lab) -> None:
    """The end that leaks stops it itself."""
    one, two, family = lab.mesh.node(1), lab.mesh.node(2), lab.mesh.spec.outer
    one.namespace.ip(
        f"xfrm policy delete src {one.backend[family]} dst {two.backend[family]} dir out")
    lab.undo(lambda: (lab.mesh.unload(1, 2), lab.mesh.reload(1, 2)))
    stopped(lab, lambda: lab.udp(1, 2, 20, family, lossy=True), {"cleartext": 20}, {})


@scenario(plays={"6.12": "shared"}, needs_espial=True, shared=SHARED, separate=SEPARATE)
def enforce_one_family_forgotten(lab: Lab) -> None:
    """What is protected passes, what is not does not."""
    only_one_family(lab)

    def send() -> None:
        lab.talk(1, 2, families=(4,))
        lab.talk(1, 2, families=(6,), lossy=True)
    stopped(lab, send, {"cleartext": 20}, {"cleartext": 20})


@scenario(plays={"6.1": "separate"}, needs_espial=True, shared=SHARED, separate=SEPARATE, outer6=OUTER6)
def enforce_host_originated(lab: Lab) -> None:
    """From a node to a pod, and from a pod to a node."""
    family = lab.mesh.spec.outer
    one, two = lab.mesh.node(1), lab.mesh.node(2)

    def send() -> None:
        lab.host_udp(1, 2, 20, family, lossy=True)
        # Back: the pod of node1 to the other node itself.
        lab.sent += traffic.udp(one.pod.namespace, one.pod.address(family), two.namespace,
                                two.underlay[family], 20, lossy=True).sent
        lab.talk(1, 2, 5)
    stopped(lab, send, {"cleartext_host": 40}, {})


@scenario(plays={"6.12": "separate"}, needs_espial=True, separate=SEPARATE)
def enforce_source_nat_before_ipsec(lab: Lab) -> None:
    """The receiver sees a foreign source: nothing that it could call ours."""
    lab.nft(1, "ip", "type nat hook postrouting priority 90; "
                     "ip saddr 10.101.1.0/24 ip daddr 10.101.2.0/24 snat to 192.0.2.7")
    stopped(lab, lambda: lab.udp(1, 2, 20, lossy=True), {"cleartext_transit": 20}, {},
            received={1: {}, 2: {}})


@scenario(needs_espial=True, separate=SEPARATE)
def enforce_masquerade_before_ipsec(lab: Lab) -> None:
    """Pod traffic that looks like the node's own."""
    lab.nft(1, "ip", "type nat hook postrouting priority 90; "
                     "ip saddr 10.101.1.0/24 ip daddr 10.101.2.0/24 snat to 10.45.0.11")
    stopped(lab, lambda: lab.udp(1, 2, 20, lossy=True), {"cleartext_host": 20}, {})


def _tunnel(lab: Lab, kind: str) -> None:
    lab.unload(1, 2)
    lab.tunnel(kind, 1, 2)
    stopped(lab, lambda: lab.talk(1, 2, lossy=True), {"cleartext_tunnel": 40},
            {"cleartext_tunnel": 40})


@scenario(plays={"6.12": "shared"}, needs_espial=True, shared=SHARED, separate=SEPARATE)
def enforce_ipip(lab: Lab) -> None:
    """No tunnel without IPsec gets onto the wire."""
    _tunnel(lab, "ipip")


@scenario(needs_espial=True, separate=SEPARATE)
def enforce_gre(lab: Lab) -> None:
    _tunnel(lab, "gre")


@scenario(needs_espial=True, separate=SEPARATE)
def enforce_sit(lab: Lab) -> None:
    _tunnel(lab, "sit")


@scenario(plays={"6.1": "separate"}, needs_espial=True, separate=SEPARATE)
def enforce_vxlan(lab: Lab) -> None:
    """No VXLAN without IPsec gets onto the wire."""
    _tunnel(lab, "vxlan")


@scenario(needs_espial=True, shared=SHARED)
def enforce_past_the_remote_node(lab: Lab) -> None:
    """The packet that would reach the remote pod straight over the link (see the leak's own)."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    one.namespace.ip(f"xfrm policy delete src {one.backend[6]} dst {two.backend[6]} dir out")
    lab.undo(lambda: (lab.mesh.unload(1, 2), lab.mesh.reload(1, 2)))

    def send() -> None:
        assert lab.udp(1, 2, 20, 6, lossy=True).received == 0, "it arrived"
        lab.udp(2, 1, 20, 6)
    stopped(lab, send, {"cleartext": 20}, {})


@scenario(plays={"6.12": "separate"}, needs_espial=True, separate=SEPARATE)
def enforce_fragments(lab: Lab) -> None:
    """Every fragment counts and none passes."""
    lab.unload(1, 2)

    def send() -> None:
        for family in (4, 6):
            lab.udp(1, 2, 10, family, size=3000, lossy=True)
    stopped(lab, send, {"cleartext": 60}, {})


@scenario(needs_espial=True, separate=Spec(esp="null-sha256", nodes=2))
def enforce_null_encryption(lab: Lab) -> None:
    stopped(lab, lambda: lab.talk(1, 2, lossy=True), {"esp_null": 40}, {"esp_null": 40}, null=True)


@scenario(needs_espial=True, separate=Spec(esp="sha256", ah=True, nodes=2))
def enforce_authentication_header(lab: Lab) -> None:
    stopped(lab, lambda: lab.talk(1, 2, lossy=True), {"ah": 40}, {"ah": 40}, null=True)


# -- one side alone ------------------------------------------------------------------------------

@scenario(needs_espial=True, bare=BARE, bare_shared=Spec(layout="A", secured=False))
def enforce_sender_without_receiver(lab: Lab) -> None:
    """The sender alone prevents disclosure."""
    watch = lab.watch(1, mode="enforce")
    for family in (4, 6):
        lab.udp(1, 2, 20, family, lossy=True)
    watch.dropped(1, 2, {"cleartext": 40})
    watch.balanced()
    watch.sealed()


@scenario(plays={"6.1": "bare"}, needs_espial=True, bare=BARE, bare_shared=Spec(layout="A",
          secured=False))
def enforce_receiver_without_sender(lab: Lab) -> None:
    """The receiver alone prevents injection: no socket is given any of it."""
    watch, one, two = lab.watch(1, mode="enforce"), lab.mesh.node(1), lab.mesh.node(2)
    for family in (4, 6):
        assert lab.udp(2, 1, 20, family, lossy=True).received == 0, "a clear packet was delivered"
    assert lab.host_udp(2, 1, 20, lossy=True).received == 0, "a node's packet was delivered"
    inner = ipv4(two.pod.v4, one.pod.v4, 17, udp_payload(), 64)
    mac = f"0a:58:0a:2d:00:{one.number + 10:02x}"
    with Listener(one.pod.namespace, one.pod.v4) as listener:
        for protocol in (4, 51):
            lab.sent += traffic.frames(two.namespace, two.wire, mac, ipv4(
                two.underlay[4], one.underlay[4], protocol, inner, 64), 20).sent
        assert listener.drain() == 0, "injected packets were delivered"
    watch.dropped(1, 2, receive={"cleartext": 40, "cleartext_host": 20, "cleartext_tunnel": 20,
                                 "ah": 20})
    watch.balanced()


@scenario(plays={"6.12": "separate"}, needs_espial=True, separate=SEPARATE)
def enforce_spoofed(lab: Lab) -> None:
    """node3 sends, under its own SA, what claims to come from node1 itself."""
    one, three = lab.mesh.node(1), lab.mesh.node(3)
    own_sa(lab, three, one, "10.101.1.64/26")
    # Somebody lets it through, of whatever peer, or the kernel itself would refuse what no policy
    # asks for. One that named node3 would make the subnet node3's, and nothing spoofed.
    policy = f"src 10.101.1.64/26 dst {one.backend[4]} dir fwd"
    one.namespace.ip(f"xfrm policy add {policy} priority 1 tmpl src 0.0.0.0 "
                     f"dst {one.underlay[4]} proto esp reqid 4711 mode tunnel")
    lab.undo(lambda: one.namespace.ip(f"xfrm policy delete {policy}"))
    watch, pod = lab.watch(1, mode="enforce"), one.pod
    packet = ipv4("10.101.1.77", pod.v4, 17, udp_payload(), 64)
    with Listener(pod.namespace, pod.v4) as listener:
        lab.routed(3, packet)
        watch.dropped(1, 3, receive={"spoofed": 20})
        assert listener.drain() == 0, "spoofed packets were delivered"
        watch.espials[1].set_mode("audit")
        lab.routed(3, packet)
        watch.dropped(1, 3, receive={"spoofed": 20}, what="would_drop")
        assert listener.drain() == 20, "audit lost packets"
    watch.dropped(1, 3, receive={"spoofed": 20})
    watch.dropped(1, 2)


@scenario(plays={"6.12": "separate"}, needs_espial=True, separate=SEPARATE)
def relayed_by_a_hub(lab: Lab) -> None:
    """node3 passes on what node2 sends: node1's own policy for that subnet and that tunnel says so,
    and enforce drops nothing. What the policy does not name is spoofed as before."""
    one, two, three = (lab.mesh.node(number) for number in (1, 2, 3))
    own_sa(lab, three, one, "10.101.2.0/24")
    watch, pod = lab.watch(1, mode="enforce"), one.pod
    policy = f"src 10.101.2.64/26 dst {one.backend[4]} dir fwd"
    one.namespace.ip(f"xfrm policy add {policy} priority 1 tmpl src {three.underlay[4]} "
                     f"dst {one.underlay[4]} proto esp reqid 4711 mode tunnel")
    lab.undo(lambda: one.namespace.ip(f"xfrm policy delete {policy}"))
    inside = ipv4("10.101.2.99", pod.v4, 17, udp_payload(), 64)
    outside = ipv4("10.101.2.10", pod.v4, 17, udp_payload(), 64)
    with Listener(pod.namespace, pod.v4) as listener:
        def known() -> bool:
            lab.routed(3, inside)
            return listener.drain() > 0
        until("node1: espial knows the policy", known, every=0.3)
        before, delivered_before = watch.espials[1].drops("node3", "dropped"), listener.drain()
        for _ in range(3):
            lab.routed(3, inside)

        def delivered() -> bool:
            got = listener.drain() - delivered_before
            assert got >= 60, f"{got} of 60 that the hub passed on were delivered"
            return True
        until("node1: the hub's packets", delivered, every=0.1)
        assert watch.espials[1].drops("node3", "dropped") == before, "the hub's packets were dropped"
        spoofed, got = 20 + sum(packets for packets, _ in before.values()), listener.drain()
        lab.routed(3, outside)

        def dropped() -> bool:
            seen = watch.espials[1].drops("node3", "dropped")
            assert sum(packets for packets, _ in seen.values()) == spoofed, f"dropped: {seen}, before: {before}"
            return True
        until("node1: what the policy does not name is dropped", dropped, every=0.2)
        assert listener.drain() == got, "spoofed packets were delivered"
    assert two.backend[4] == "10.101.2.0/24"


# -- what must not be lost -----------------------------------------------------------------------

def unharmed(watch: Watch) -> None:
    """espial dropped nothing, nor would it have; the wire had what was sent."""
    for number, espial in watch.espials.items():
        for peer in [node.name for node in espial.node.peers] + [""]:
            for what in ("dropped", "would_drop"):
                seen = espial.drops(peer, what)
                assert not seen, f"node{number}: {what} of {peer or 'no peer'}: {seen}"
    watch.sealed()


@scenario(plays={"6.1": "separate", "6.12": "shared encap"}, needs_espial=True, shared=SHARED,
          separate=SEPARATE, shared_outer6=Spec(layout="A", outer=6), encap=Spec(encap=True),
          encap_outer6=Spec(outer=6, encap=True), **UPLINKS)
def enforce_healthy(lab: Lab) -> None:
    """Enforced, a mesh at work loses nothing: datagrams, pings, TCP, ARP and neighbour discovery."""
    watch = lab.watch(1, 2, mode="enforce")
    lab.talk(1, 2, 100)
    for family in (4, 6):
        lab.ping(1, 2, 5, family)
        lab.tcp(1, 2, 50_000, family)
    undisturbed(lab)
    watch.balanced()
    # What comes out of IPsec is merged again: nft counts skbs there.
    watch.agree(ignore=("decrypted",))
    unharmed(watch)
    watch.calm()


@scenario(plays={"6.1": "separate"}, needs_espial=True, separate=SEPARATE)
def enforce_rekeyed(lab: Lab) -> None:
    """Enforced, a rekey under traffic loses nothing to espial."""
    watch = lab.watch(1, 2, mode="enforce")
    exchanged(watch, rekeyed(lab))
    watch.balanced()
    unharmed(watch)


@scenario(plays={"6.12": "shared"}, needs_espial=True, shared=SHARED)
def enforce_flooding(lab: Lab) -> None:
    """What a shared bridge floods to the wire goes on to every node."""
    watch = lab.watch(1, 2, mode="enforce")
    flood(lab, "ipv4")
    flood(lab, "ipv6")
    lab.talk(1, 2)
    watch.balanced()
    for number, way in ((1, "transmit"), (2, "receive")):
        for family in ("ipv4", "ipv6"):
            def passed() -> bool:
                inside, outside = (counts.get((way, "", "flooded", family), (0, 0))
                                   for counts in (watch.wire(number), watch.outside(number)))
                assert inside == outside and inside[0] >= 60, f"nft {inside}, switch {outside}"
                return True
            # One may come between the two readings: neighbours are still asked for.
            until(f"node{number} {way} flooded {family}", passed, every=0.2)
    unharmed(watch)


@scenario(plays={"6.1": "separate", "6.12": "shared"}, needs_espial=True, separate=Spec(gro=True),
          shared=Spec(gro=True, layout="A"))
def enforce_gro(lab: Lab) -> None:
    """With ESP GRO the wire device shows inner packets: they came from IPsec and pass."""
    lab.mesh.node(1).namespace.run("modprobe", "-a", "esp4_offload", "esp6_offload")
    watch = lab.watch(1, 2, mode="enforce")
    sent = lab.talk(1, 2, 100)
    for number, peer in BOTH:
        opened = sum(watch.wire(number)["receive", f"node{peer}", "decrypted", family][0]
                     for family in ("ipv4", "ipv6"))
        assert opened == sent, f"node{number}: decrypted {opened} of {sent}"
    for family in (4, 6):
        lab.tcp(1, 2, 200_000, family)
    unharmed(watch)


# -- nobody is locked out ------------------------------------------------------------------------

@scenario(plays={"6.1": "separate"}, needs_espial=True, separate=Spec(start="trap"),
          shared=Spec(layout="A", start="trap"), spoils=True)
def enforce_before_ipsec(lab: Lab) -> None:
    """Enforced before any IPsec is there: the mesh comes up by itself through it."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    for node in lab.mesh.nodes:
        node.charon.stop()
    assert not one.namespace.run("ip", "xfrm", "policy").stdout, "policies are left"
    watch = lab.watch(1, 2, mode="enforce")
    with lab.heartbeat(1, 2) as heart:
        lab.talk(1, 2, lossy=True)
        for number, peer in BOTH:
            watch.dropped(number, peer, {"cleartext": 40})
        watch.sealed()
        lab.forget_neighbours(1, 2)
        for node in (one, two):
            node.charon.start()
        for node in (one, two):
            node.charon.ready()
            node.load()
        for family in (4, 6):
            until(f"IPv{family} flows by itself",
                  lambda: lab.udp(1, 2, 1, family, lossy=True).received == 1)
        lab.talk(1, 2)
        # The SAs go, their policies stay: traffic makes them anew.
        for node in (one, two):
            node.namespace.ip("xfrm state flush")
            node.charon.terminate(*(peer.name for peer in node.peers))
        for family in (4, 6):
            until(f"IPv{family} flows again",
                  lambda: lab.udp(1, 2, 1, family, lossy=True).received == 1)
        lab.talk(1, 2)
        watch.sealed()
    for number, peer in BOTH:
        watch.dropped(number, peer, {"cleartext": 40})
        ike = sum(value[0] for key, value in watch.outside(number).items() if key[2] == "ike")
        assert ike > 8, f"node{number}: {ike} packets of IKE"
    lab.notes.append(f"{heart.beats} heartbeats")
