# SPDX-License-Identifier: Apache-2.0
"""Tunnels of OpenSVC (tunnel = always): which header IPsec protects, what crosses the wire, and what
`espial audit` says before."""
import os

from espial_lab.mesh import Mesh, Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until
from scenarios.audit import audit, pairs, says
from scenarios.mesh import everyone

SEPARATE = Spec()

# Family of the outer header and protocol of the tunnel's packets.
OUTER = {"ipip": ((4, 4), (6, 41)), "gre": ((4, 47),), "sit": ((4, 4), (4, 41))}


def outer_policies(mesh: Mesh, kind: str, verb: str, sas: bool) -> None:
    """ESP in transport mode for the packets of the tunnels between node1 and node2, by hand."""
    one, two = mesh.node(1), mesh.node(2)
    for node, peer in ((one, two), (two, one)):
        lines = []
        for index, (family, protocol) in enumerate(OUTER[kind]):
            for source, target in ((node, peer), (peer, node)):
                ends = f"src {source.underlay[family]} dst {target.underlay[family]}"
                spi = f"0x{0x5000 + 16 * index + source.number:x}"
                if sas:
                    lines.append(f"xfrm state {verb} {ends} proto esp spi {spi}" + (
                        f" reqid {4700 + index} mode transport aead rfc4106(gcm(aes)) 0x{'01' * 20} 128"
                        if verb == "add" else ""))
                way = "out" if source is node else "in"
                lines.append(f"xfrm policy {verb} {ends} proto {protocol} dir {way}" + (
                    f" tmpl {ends} proto esp reqid {4700 + index} mode transport"
                    if verb == "add" else ""))
        node.namespace.ip(*lines)


def encrypted_tunnel(lab: Lab, kind: str, sas: bool = True) -> None:
    lab.unload(1, 2)
    lab.tunnel(kind, 1, 2)
    outer_policies(lab.mesh, kind, "add", sas)
    lab.undo(lambda: outer_policies(lab.mesh, kind, "delete", sas))


def all_of(watch: Watch, number: int, peer: int, verdict: str, *problems: str) -> list[dict]:
    """Both families of the pair have this verdict for these reasons."""
    def right() -> list[dict]:
        both = list(pairs(audit(watch, number)[1], f"node{peer}").values())
        for pair in both:
            seen = sorted({finding["problem"] for finding in pair["findings"]})
            assert (pair["verdict"], seen) == (verdict, sorted(problems)), \
                f"{pair['verdict']} because of {pair['findings']}"
        assert len(both) == 2, both
        return both
    return until(f"node{number}: node{peer} is {verdict}", right, every=0.2)


@scenario(separate=SEPARATE, needs_espial=True)
def tunnel_route_policies_of_subnets(lab: Lab) -> None:
    """(a) The route leads into the tunnel, the policies are of the subnets: IPsec takes the packets first,
    ESP goes straight to the other node, and the device sends none."""
    lab.tunnel("ipip", 1, 2)
    for number in (1, 2):   # charon's own routes would be asked before the tunnel's
        for family in ("-4", "-6"):
            lab.mesh.node(number).namespace.run("ip", family, "route", "flush", "table", "220")
    lab.undo(lambda: (lab.mesh.unload(1, 2), lab.mesh.reload(1, 2)))
    watch = lab.watch(1, 2)
    all_of(watch, 1, 2, "protected")
    everyone(watch, {"esp/ipv4": lab.talk(1, 2)}, "encrypted")
    statistics = lab.mesh.node(1).namespace.run("ip", "-s", "-j", "link", "show", "tun2").stdout
    assert '"tx":{"bytes":0,"packets":0' in statistics.replace(" ", ""), statistics
    watch.calm()


def _outer(lab: Lab, kind: str, counts: dict[str, int]) -> None:
    encrypted_tunnel(lab, kind)
    watch = lab.watch(1, 2)
    for number, peer in ((1, 2), (2, 1)):
        for pair in all_of(watch, number, peer, "protected", "tunnel_encrypted"):
            assert pair["policy_missing"] == {"receive": False, "transmit": False}, pair
            assert "whose packets policy" in pair["findings"][0]["evidence"], pair
    lab.talk(1, 2)
    everyone(watch, counts, "encrypted")
    watch.calm()


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def tunnel_encrypted_ipip(lab: Lab) -> None:
    """(b) The policies are of the tunnel's packets: ESP with the tunnel inside."""
    _outer(lab, "ipip", {"esp/ipv4": 20, "esp/ipv6": 20})


@scenario(separate=SEPARATE, needs_espial=True)
def tunnel_encrypted_gre(lab: Lab) -> None:
    _outer(lab, "gre", {"esp/ipv4": 40})


@scenario(separate=SEPARATE, needs_espial=True)
def tunnel_encrypted_sit(lab: Lab) -> None:
    _outer(lab, "sit", {"esp/ipv4": 40})


@scenario(separate=SEPARATE, needs_espial=True)
def tunnel_encrypted_without_sa(lab: Lab) -> None:
    """The tunnel's policies wait for an SA: nothing crosses the wire."""
    encrypted_tunnel(lab, "ipip", sas=False)
    watch = lab.watch(1, 2)
    all_of(watch, 1, 2, "fail_closed", "no_sa")
    lab.talk(1, 2, 5, lossy=True)
    watch.expect(1, 2)


@scenario(separate=SEPARATE, needs_espial=True)
def tunnel_encrypted_one_family(lab: Lab) -> None:
    """Policies of protocol 4 say nothing about ip6ip6: the other family leaks, and is said to."""
    encrypted_tunnel(lab, "ipip")
    one = lab.mesh.node(1)
    ends = {way: f"src {a} dst {b} proto 41 dir {way}" for way, a, b in
            (("out", "fd00:45::11", "fd00:45::12"), ("in", "fd00:45::12", "fd00:45::11"))}
    templates = {way: f"tmpl {value.split(' proto')[0]} proto esp reqid 4701 mode transport"
                 for way, value in ends.items()}
    one.namespace.ip(*(f"xfrm policy delete {value}" for value in ends.values()))
    lab.undo(lambda: one.namespace.ip(
        *(f"xfrm policy add {value} {templates[way]}" for way, value in ends.items())))
    watch = lab.watch(1)

    def right() -> bool:
        seen = {family: pair["verdict"] for family, pair in
                pairs(audit(watch, 1)[1], "node2").items()}
        assert seen == {"ipv4": "protected", "ipv6": "exposed"}, seen
        return True
    until("one family is exposed", right, every=0.2)
    for family in (4, 6):
        lab.udp(1, 2, 20, family, lossy=True)
    watch.expect(1, 2, transmit={"esp/ipv4": 20, "cleartext_tunnel/ipv6": 20})
    watch.verdict(1, 2, "mixed")


@scenario(separate=SEPARATE, needs_espial=True)
def tunnel_in_clear(lab: Lab) -> None:
    """(c) No policy at all: exposed before a packet flows, and the evidence names the tunnel."""
    lab.unload(1, 2)
    lab.tunnel("ipip", 1, 2)
    watch = lab.watch(1, 2)
    for pair in all_of(watch, 1, 2, "exposed", "no_policy", "receive_policy_missing"):
        assert "tun2" in pair["findings"][0]["evidence"], pair
    watch.fires(1, "PolicyMissing", 2)
    lab.talk(1, 2)
    everyone(watch, {"cleartext_tunnel/ipv4": 20, "cleartext_tunnel/ipv6": 20}, "leaking")


@scenario(separate=SEPARATE, needs_espial=True)
def tunnel_setting_contradicts(lab: Lab) -> None:
    """cluster.conf says `tunnel = never`, the routes lead into a tunnel; and the reverse."""
    node = lab.mesh.node(1)
    path = f"{node.folder}/tunnel.conf"

    def conf(tunnel: str, mode: str = "ipip") -> None:
        text = "[cluster]\nname = lab\nnodes = node1 node2\n" \
            "\n[network#backendnet]\ntype = routed_bridge\nnetwork = 10.101.0.0/16\n" \
            f"tunnel = {tunnel}\ntunnel_mode = {mode}\n"
        for number in (1, 2):
            member = lab.mesh.node(number)
            text += f"subnet@{member.name} = {member.backend[4]}\naddr@{member.name} = {member.underlay[4]}\n"
        with open(f"{path}.new", "w") as file:
            file.write(text)
        os.rename(f"{path}.new", path)
    conf("never")
    watch = lab.watch(1, opensvc_conf=path)
    says(watch, 1, 2, "ipv4", "protected")
    lab.tunnel("ipip", 1, 2)
    pair = says(watch, 1, 2, "ipv4", "misconfigured", "tunnel_setting")
    assert "tunnel = never" in pair["findings"][0]["evidence"] and \
        "tun2 (ipip)" in pair["findings"][0]["evidence"], pair
    conf("always")
    says(watch, 1, 2, "ipv4", "protected")
    conf("always", "gre")
    says(watch, 1, 2, "ipv4", "misconfigured", "tunnel_setting")
    conf("auto")        # the peer is on a local link
    says(watch, 1, 2, "ipv4", "misconfigured", "tunnel_setting")
    lab.mesh.untunnel(1, 2)
    says(watch, 1, 2, "ipv4", "protected")
    conf("always")
    says(watch, 1, 2, "ipv4", "misconfigured", "tunnel_setting")
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")
