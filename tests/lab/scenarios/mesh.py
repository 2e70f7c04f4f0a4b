# SPDX-License-Identifier: Apache-2.0
"""How meshes work and fail: what crosses the wire, and what espial says about it."""
from espial_lab import offload
from espial_lab.capture import Capture
from espial_lab.mesh import BACKEND_V4, BACKEND_V6, Spec
from espial_lab.netns import Namespace
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.traffic import losses, tcp_segments
from espial_lab.wait import until

SHARED = Spec(layout="A")
SEPARATE = Spec()
TRAP = Spec(start="trap")
UPLINKS = {"plain_nic": Spec(underlay="eth0"), "bond": Spec(underlay="bond0"),
           "vlan": Spec(underlay="vlan")}
CNI = Spec(pods="cni")
BOTH = ((1, 2), (2, 1))


def everyone(watch: Watch, counts: dict[str, int], verdict: str) -> None:
    """The same was seen in both directions by both nodes, and espial calls it `verdict`."""
    for number, peer in BOTH:
        watch.expect(number, peer, counts, counts)
        watch.verdict(number, peer, verdict)
    watch.agree()


def clear(each: int) -> dict[str, int]:
    return {"cleartext/ipv4": each, "cleartext/ipv6": each}


# -- meshes that work ----------------------------------------------------------------------------

@scenario(plays={"6.1": "shared separate cni vlan encap_outer6", "6.12":
          "shared separate outer6 encap plain_nic bond"}, shared=SHARED, separate=SEPARATE,
          outer6=Spec(outer=6), shared_outer6=Spec(layout="A", outer=6), encap=Spec(encap=True),
          encap_outer6=Spec(outer=6, encap=True), trap=TRAP, cni=CNI, **UPLINKS)
def healthy(lab: Lab) -> None:
    """A mesh at work is called encrypted, exactly, on every kind of wire; nothing fires, nothing is lost."""
    spec = lab.mesh.spec
    watch = lab.watch(1, 2)
    sent = lab.talk(1, 2)
    for family in (4, 6):
        sent += lab.ping(1, 2, 5, family).sent
    everyone(watch, {f"{'esp_udp' if spec.encap else 'esp'}/ipv{spec.outer}": sent}, "encrypted")
    watch.calm()
    watch.lossless()


@scenario(plays={"6.1": "separate"}, separate=SEPARATE)
def healthy_discovered(lab: Lab) -> None:
    """Without a topology in the file: the SPD names peers and subnets."""
    watch = lab.watch(1, 2, discover=True)
    everyone(watch, {"esp/ipv4": lab.talk(1, 2)}, "encrypted")


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE)
def three_nodes(lab: Lab) -> None:
    """Every pair is counted for itself."""
    watch = lab.watch(1, 2, 3)
    for one, two, count in ((1, 2, 5), (1, 3, 7), (2, 3, 11)):
        lab.talk(one, two, count)
    for number, peer, count in ((1, 2, 5), (1, 3, 7), (2, 1, 5), (2, 3, 11), (3, 1, 7), (3, 2, 11)):
        watch.expect(number, peer, {"esp/ipv4": 2 * count}, {"esp/ipv4": 2 * count})
        watch.verdict(number, peer, "encrypted")
    watch.agree()


@scenario(separate=SEPARATE)
def idle_peer(lab: Lab) -> None:
    """No traffic is no proof of anything."""
    watch = lab.watch(1)
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")
    watch.verdict(1, 3, "silent")
    if 1 in watch.espials:
        peer = watch.espials[1].peer("node3")
        assert peer["receive"]["coverage"] is None and peer["transmit"]["coverage"] is None, \
            "a ratio without traffic"


def given_up(lab: Lab, number: int) -> int:
    """Packets that IPsec of a node did not send, as the kernel counts them."""
    counts = losses(lab.mesh.node(number).namespace)
    return sum(count for name, count in counts.items() if name.startswith("XfrmOut"))


def rekeyed(lab: Lab) -> dict[int, dict[str, int]]:
    """Rekeys both children of a pair twice under traffic; returns what each of both sent of ESP."""
    sent = 0
    charon = lab.mesh.node(1).charon
    lost = {number: given_up(lab, number) for number in (1, 2)}
    for family in (4, 6):
        child = f"node2-v{family}"
        for _ in range(2):
            before = charon.installed()[child]
            charon.rekey(child)
            for _ in range(200):
                # A packet whose SA goes while it is sent, or before it is decrypted, is lost: the one
                # never was on the wire, the other was ESP there.
                sent += lab.talk(1, 2, 5, (family,), lossy=True)
                after = charon.installed().get(child, [])
                if after and not set(after) & set(before):
                    break
            else:
                raise AssertionError(f"{child} was not rekeyed while {sent} packets went each way")
    return {number: {"esp/ipv4": sent - given_up(lab, number) + before}
            for number, before in lost.items()}


def exchanged(watch: Watch, sent: dict[int, dict[str, int]]) -> None:
    """Each of both saw what it sent and what the other sent."""
    for number, peer in BOTH:
        watch.expect(number, peer, sent[number], sent[peer])


@scenario(plays={"6.12": "separate"}, separate=SEPARATE)
def rekey_under_load(lab: Lab) -> None:
    """Rekeyed under traffic, each packet is counted as ESP and nothing fires."""
    watch = lab.watch(1, 2)
    exchanged(watch, rekeyed(lab))
    for number, peer in BOTH:
        watch.verdict(number, peer, "encrypted")
    watch.agree()
    watch.calm()


@scenario(plays={"6.1": "separate"}, separate=SEPARATE)
def oversized(lab: Lab) -> None:
    """Packets that become fragments, inside and outside of ESP."""
    watch = lab.watch(1, 2)
    # The first may be lost: it is how the pod learns the path's MTU.
    for family in (4, 6):
        lab.udp(1, 2, 10, family, size=3000, lossy=True)
        lab.udp(2, 1, 10, family, size=3000, lossy=True)
    watch.agree()
    for number, peer in BOTH:
        counts = watch.wire(number)
        for way in ("receive", "transmit"):
            assert counts[way, f"node{peer}", "esp", "ipv4"][0] > 40, "nothing was fragmented"
        watch.verdict(number, peer, "encrypted")


@scenario(separate=Spec(start="trap"))
def trap_holds_traffic(lab: Lab) -> None:
    """The first packet makes the SA; until then nothing leaves in clear."""
    lab.mesh.unload(1, 2)
    lab.mesh.node(2).load("node1")
    lab.mesh.node(1).load("node2")
    watch = lab.watch(1, 2)
    sent = 0

    def through() -> bool:
        nonlocal sent
        result = lab.udp(1, 2, 1, lossy=True)
        sent += result.received
        return result.received > 0
    until("a packet arrives", through, every=0.2)
    # A held packet may be lost, so the wire has at least what arrived; none of it is clear.
    watch.agree()
    counts = watch.wire(1)
    assert counts["transmit", "node2", "esp", "ipv4"][0] >= sent
    assert not any(key[2].startswith("cleartext") for key in counts), f"{counts}"
    watch.verdict(1, 2, "one_way", "encrypted")
    lab.mesh.node(1).charon.initiate("node2-v6")
    lab.mesh.wait_secured(1, 2)


# -- leaks ---------------------------------------------------------------------------------------

@scenario(plays={"6.1": "separate vlan", "6.12": "shared plain_nic"}, shared=SHARED,
          separate=SEPARATE, cni=CNI, **UPLINKS)
def policies_missing_on_both(lab: Lab) -> None:
    """Everything works, in clear: called leaking, to the packet, at both ends; an alarm fires."""
    lab.unload(1, 2)
    watch = lab.watch(1, 2)
    lab.talk(1, 2)
    everyone(watch, clear(20), "leaking")
    for number, peer in BOTH:
        watch.fires(number, "CleartextTraffic", peer)


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, outer6=Spec(outer=6))
def policies_missing_on_the_sender(lab: Lab) -> None:
    """Everything is lost, for the receiver refuses it, and everything was disclosed.

    Only the family of the outer header: for the other one charon's route in table 220 has no
    gateway, so that without a policy the packet looks for its target on the underlay's own link.
    """
    one, two, family = lab.mesh.node(1), lab.mesh.node(2), lab.mesh.spec.outer
    one.namespace.ip(
        f"xfrm policy delete src {one.backend[family]} dst {two.backend[family]} dir out")
    lab.undo(lambda: (lab.mesh.unload(1, 2), lab.mesh.reload(1, 2)))
    watch = lab.watch(1, 2)
    arrived = lab.udp(1, 2, 20, family, lossy=True).received
    assert arrived == 0, f"{arrived} arrived"
    watch.expect(1, 2, transmit={f"cleartext/ipv{family}": 20})
    watch.expect(2, 1, receive={f"cleartext/ipv{family}": 20})
    for number, peer in BOTH:
        watch.verdict(number, peer, "leaking")
        watch.fires(number, "CleartextTraffic", peer)
    watch.agree()


def only_one_family(lab: Lab) -> None:
    """IPsec for IPv4 only between node1 and node2, until the scenario ends."""
    lab.unload(1, 2)
    lab.mesh.node(2).load("node1", families=(4,))
    lab.mesh.node(1).load("node2", families=(4,))
    until("the IPv4 SA", lambda: "node2-v4" in lab.mesh.node(1).charon.installed() and
          "node1-v4" in lab.mesh.node(2).charon.installed())
    lab.undo(lambda: lab.mesh.unload(1, 2))


@scenario(plays={"6.1": "separate"}, shared=SHARED, separate=SEPARATE)
def one_family_forgotten(lab: Lab) -> None:
    """IPv6 was added to the network and not to the connections: the most likely leak."""
    only_one_family(lab)
    watch = lab.watch(1, 2)
    lab.talk(1, 2)
    everyone(watch, {"esp/ipv4": 20, "cleartext/ipv6": 20}, "mixed")


@scenario(separate=SEPARATE)
def start_is_never_retried(lab: Lab) -> None:
    """The initiator loads first, is refused once, and the mesh stays in clear."""
    lab.unload(1, 2)
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    one.load("node2")
    until("node1 gave up", lambda: not any("node2" in sa for sa in one.charon.sas()))
    two.load("node1")
    watch = lab.watch(1, 2)
    lab.talk(1, 2)
    everyone(watch, clear(20), "leaking")
    lab.undo(lambda: lab.mesh.unload(1, 2))


@scenario(plays={"6.12": "shared"}, separate=SEPARATE, shared=SHARED, outer6=Spec(outer=6))
def host_originated(lab: Lab) -> None:
    """A process of the node itself: its source is outside the selectors."""
    watch = lab.watch(1, 2)
    family = lab.mesh.spec.outer
    lab.host_udp(1, 2, 20, family)
    host = {f"cleartext_host/ipv{family}": 20}
    watch.expect(1, 2, transmit=host)
    watch.expect(2, 1, receive=host)
    for number, peer in BOTH:
        watch.fires(number, "CleartextHost", peer)
    sent = lab.talk(1, 2, 5)
    esp = {f"esp/ipv{family}": sent}
    watch.expect(1, 2, transmit=host | esp, receive=esp)
    for number, peer in BOTH:
        watch.verdict(number, peer, "mixed")
    watch.agree()


@scenario(plays={"6.1": "separate"}, separate=SEPARATE)
def source_nat_before_ipsec(lab: Lab) -> None:
    """A foreign source is outside the selectors: the classic of a masquerading container host."""
    lab.nft(1, "ip", "type nat hook postrouting priority 90; "
                     "ip saddr 10.101.1.0/24 ip daddr 10.101.2.0/24 snat to 192.0.2.7")
    watch = lab.watch(1, 2)
    lab.udp(1, 2, 20, lossy=True)
    watch.expect(1, 2, transmit={"cleartext_transit/ipv4": 20})
    watch.fires(1, "CleartextTransit", 2)
    watch.verdict(1, 2, "leaking")
    watch.agree(1)


@scenario(separate=SEPARATE)
def masquerade_before_ipsec(lab: Lab) -> None:
    """Masquerading makes pod traffic look like the node's own."""
    lab.nft(1, "ip", "type nat hook postrouting priority 90; "
                     "ip saddr 10.101.1.0/24 ip daddr 10.101.2.0/24 masquerade")
    watch = lab.watch(1, 2)
    # charon's route for the backend prefers 10.101.1.1, the address that masquerading would take.
    lab.udp(1, 2, 20, lossy=True)
    counts = watch.wire(1)
    assert counts, "nothing left the node"
    watch.agree()


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, spoils=True)
def charon_stopped(lab: Lab) -> None:
    """A clean stop takes the policies away: the mesh works on, in clear."""
    watch = lab.watch(1, 2)
    sent = lab.talk(1, 2, 5)
    lab.mesh.node(1).charon.stop()
    until("node2 lost its SAs", lambda: not {"node1-v4", "node1-v6"} &
          lab.mesh.node(2).charon.installed().keys())
    lab.talk(1, 2)
    everyone(watch, {"esp/ipv4": sent} | clear(20), "mixed")
    watch.fires(1, "CleartextTraffic", 2)


@scenario(plays={"6.12": "separate"}, separate=Spec(start="trap"), spoils=True)
def charon_stopped_everywhere_discovered(lab: Lab) -> None:
    """What was learnt from the SPD is still known when the SPD is empty."""
    watch = lab.watch(1, 2, discover=True)
    sent = lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")
    for number in (1, 2):
        lab.mesh.node(number).charon.stop()
    lab.talk(1, 2)
    everyone(watch, {"esp/ipv4": sent} | clear(20), "mixed")
    watch.fires(1, "CleartextTraffic", 2)


@scenario(separate=SEPARATE, spoils=True)
def charon_killed(lab: Lab) -> None:
    """Policies and SAs stay in the kernel and protect on."""
    watch = lab.watch(1, 2)
    for number in (1, 2):
        lab.mesh.node(number).charon.kill()
    everyone(watch, {"esp/ipv4": lab.talk(1, 2)}, "encrypted")


@scenario(plays={"6.12": "separate"}, separate=Spec(start="trap"), spoils=True)
def no_sa(lab: Lab) -> None:
    """A trap and no peer: everything is lost, nothing is disclosed."""
    lab.mesh.node(1).charon.terminate("node2")
    until("SAs gone", lambda: not {"node1-v4", "node1-v6"} &
          lab.mesh.node(2).charon.installed().keys())
    lab.mesh.node(2).charon.kill()
    watch = lab.watch(1, 2)
    arrived = sum(lab.udp(1, 2, 20, family, lossy=True).received for family in (4, 6))
    assert arrived == 0, f"{arrived} arrived"
    watch.expect(1, 2)
    watch.expect(2, 1)
    watch.verdict(1, 2, "down")
    watch.agree()
    watch.calm()


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, spoils=True)
def receiver_lost_its_sas(lab: Lab) -> None:
    """ESP one way, which the receiver cannot decrypt."""
    lab.mesh.node(2).namespace.run("ip", "xfrm", "state", "flush")
    watch = lab.watch(1, 2)
    lab.udp(1, 2, 20, lossy=True)
    watch.expect(1, 2, transmit={"esp/ipv4": 20})
    watch.expect(2, 1, receive={"esp/ipv4": 20})
    for number, peer in BOTH:
        watch.verdict(number, peer, "one_way")
    watch.agree()


@scenario(separate=SEPARATE)
def forward_dropped(lab: Lab) -> None:
    """A common mistake: 100 % loss although IPsec works."""
    lab.nft(2, "inet", "type filter hook forward priority 0; policy drop;")
    watch = lab.watch(1, 2)
    assert lab.udp(1, 2, 20, lossy=True).received == 0
    watch.expect(1, 2, transmit={"esp/ipv4": 20})
    watch.expect(2, 1, receive={"esp/ipv4": 20})
    watch.verdict(1, 2, "one_way")
    watch.agree()


# -- tunnels -------------------------------------------------------------------------------------

def _tunnel_leak(lab: Lab, kind: str, counts: dict[str, int]) -> None:
    lab.unload(1, 2)
    lab.tunnel(kind, 1, 2)
    watch = lab.watch(1, 2)
    lab.talk(1, 2)
    everyone(watch, counts, "leaking")
    watch.fires(1, "CleartextTraffic", 2)


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE)
def leak_in_ipip(lab: Lab) -> None:
    """A tunnel of OpenSVC without IPsec is a leak, of both families."""
    _tunnel_leak(lab, "ipip", {"cleartext_tunnel/ipv4": 20, "cleartext_tunnel/ipv6": 20})


@scenario(separate=SEPARATE)
def leak_in_gre(lab: Lab) -> None:
    _tunnel_leak(lab, "gre", {"cleartext_tunnel/ipv4": 40})


@scenario(separate=SEPARATE)
def leak_in_sit(lab: Lab) -> None:
    _tunnel_leak(lab, "sit", {"cleartext_tunnel/ipv4": 40})


@scenario(separate=SEPARATE)
def leak_in_vxlan(lab: Lab) -> None:
    _tunnel_leak(lab, "vxlan", {"cleartext_tunnel/ipv4": 40})


@scenario(separate=SEPARATE)
def tunnel_under_ipsec(lab: Lab) -> None:
    """With policies, the traffic is protected before the tunnel device would take it."""
    lab.tunnel("ipip", 1, 2)
    watch = lab.watch(1, 2)
    everyone(watch, {"esp/ipv4": lab.talk(1, 2)}, "encrypted")


# -- segments ------------------------------------------------------------------------------------

@scenario(plays={"6.12": "separate"}, separate=SEPARATE)
def super_packets(lab: Lab) -> None:
    """With segmentation offload one skb is many packets; TCP knows how many."""
    lab.unload(1, 2)
    devices = [(lab.mesh.node(n).pod.namespace, "eth0") for n in (1, 2)] + \
        [(lab.mesh.node(n).namespace, device) for n in (1, 2) for device in ("pod-port", "prd-port")]

    def switch(on: bool) -> None:
        for namespace, device in devices:
            offload.set_offloads(namespace, device, tx=on, sg=on, tso=on, gso=on)
    switch(True)
    lab.undo(lambda: switch(False))
    watch = lab.watch(1, 2)
    before = {n: tcp_segments(lab.mesh.node(n).pod.namespace) for n in (1, 2)}
    forth, _ = lab.tcp(1, 2, 300_000)
    counts = watch.wire(1)
    assert counts["transmit", "node2", "cleartext", "ipv4"][0] < forth, "no super-packet was sent"
    for number, peer in BOTH:
        if number in watch.espials:
            def equal() -> bool:
                sent, got = (tcp_segments(lab.mesh.node(n).pod.namespace) - before[n]
                             for n in (number, peer))
                own = watch.espials[number].counts()
                seen = [own[way, f"node{peer}", "cleartext", "ipv4"][0]
                        for way in ("transmit", "receive")]
                assert seen == [sent, got], f"segments {seen}, TCP says {[sent, got]}"
                return True
            until(f"node{number}: segments", equal, every=0.2)


def refused_by_ipsec(namespace: Namespace) -> int:
    """Packets that came in for IPsec and were not decrypted."""
    return sum(count for name, count in losses(namespace).items() if name.startswith("XfrmIn"))


@scenario(plays={"6.1": "separate", "6.12": "shared"}, separate=Spec(gro=True),
          plain_nic=Spec(gro=True, underlay="eth0"), shared=Spec(gro=True, layout="A"))
def esp_offload_with_gro(lab: Lab) -> None:
    """ESP is decrypted before tc: the wire device shows inner packets with XFRM state."""
    lab.mesh.node(1).namespace.run("modprobe", "-a", "esp4_offload", "esp6_offload")
    watch = lab.watch(1, 2)
    sent = lab.talk(1, 2)
    for number, peer in BOTH:
        watch.verdict(number, peer, "encrypted")
        counts = watch.wire(number)
        seen = {way: counts.get((way, f"node{peer}", "esp", "ipv4"), (0, 0))[0]
                for way in ("transmit", "receive")}
        opened = sum(counts["receive", f"node{peer}", "decrypted", family][0]
                     for family in ("ipv4", "ipv6"))
        assert seen == {"transmit": sent, "receive": 0} and opened == sent, \
            f"ESP {seen}, decrypted {opened}, sent {sent}: GRO did not decrypt"
    watch.agree()
    # TCP comes in merged: segments again, against what the other node put on the wire. What IPsec refuses
    # there (a busy machine's processors overtake each other: replay) TCP sends again.
    before = watch.wire(1)["transmit", "node2", "esp", "ipv4"][0]
    receiver = lab.mesh.node(2).namespace
    refused = refused_by_ipsec(receiver)
    lab.tcp(1, 2, 200_000)
    if 2 in watch.espials:
        def equal() -> bool:
            wanted = watch.wire(1)["transmit", "node2", "esp", "ipv4"][0]
            own = watch.espials[2].counts()
            seen = sum(own["receive", "node1", "decrypted", family][0] for family in ("ipv4", "ipv6"))
            lost = refused_by_ipsec(receiver) - refused
            assert wanted > before and seen + lost == wanted, \
                f"decrypted {seen}, node1 sent {wanted}; there {losses(receiver)}"
            return True
        until("node2: decrypted segments", equal, every=0.2)
    watch.calm()


# -- the witnesses themselves --------------------------------------------------------------------

@scenario(plays={"6.1": "separate"}, separate=SEPARATE)
def two_witnesses(lab: Lab) -> None:
    """nft and tcpdump tell the same of an encrypted mesh."""
    watch, node = lab.watch(1, 2), lab.mesh.node(1)
    with Capture(node.namespace, node.wire, f"{node.folder}/wire.pcap") as capture:
        sent = lab.talk(1, 2)
        watch.expect(1, 2, {"esp/ipv4": sent}, {"esp/ipv4": sent})
        until("tcpdump saw all", lambda: capture.packets("esp") >= 2 * sent, every=0.2)
    assert capture.packets("esp") == 2 * sent, f"tcpdump saw {capture.packets('esp')}"
    assert capture.packets(f"net {BACKEND_V4} or net {BACKEND_V6}") == 0, "clear packets"


# -- many packets --------------------------------------------------------------------------------

# The mesh of the running kernel does so in every check (running.py).
@scenario(separate=SEPARATE)
def hundred_thousand(lab: Lab) -> None:
    """No packet of a long encrypted run is called clear."""
    watch = lab.watch(1, 2)
    sent = sum(lab.talk(1, 2, 5000) for _ in range(5))
    everyone(watch, {"esp/ipv4": sent}, "encrypted")
    watch.calm()
