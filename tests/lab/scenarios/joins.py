# SPDX-License-Identifier: Apache-2.0
"""The wire and the control plane told together: why packets are in clear although there are policies
and SAs, and the alarms about SAs, each fired for real."""
import json
import time

from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.traffic import ipv4, udp_payload
from espial_lab.wait import until
from scenarios.audit import audit, pairs
from scenarios.mesh import rekeyed

SEPARATE = Spec()


def evidence(watch: Watch, number: int, alarm: str, peer: str, *words: str) -> str:
    """The alarm's evidence and the verdict's reason have these words."""
    def right() -> str:
        status = watch.espials[number].status()
        found = [entry["evidence"] for entry in status["alarms"]
                 if entry["alarm"] == alarm and entry["peer"] == peer and entry["state"] == "firing"]
        assert found, f"{alarm} of {peer} does not fire"
        for word in words:
            assert word in found[0], f"no {word!r} in {found[0]!r}"
        return found[0]
    return until(f"node{number}: {alarm} says why", right, every=0.2)


def bypass(lab: Lab) -> None:
    """node1 sends in clear to node2's pods; node2 answers in ESP."""
    # Of one selector there is one policy, whatever its priority.
    one, selector = lab.mesh.node(1).namespace, "src 10.0.0.0/8 dst 10.101.2.0/24 dir out"
    one.ip(f"xfrm policy add {selector} priority 1000")
    lab.undo(lambda: one.ip(f"xfrm policy delete {selector}"))


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def cause_bypass_policy(lab: Lab) -> None:
    """Policies and SAs are there, one bypass before them: both nodes say who is to be looked at."""
    bypass(lab)
    watch = lab.watch(1, 2)
    lab.udp(1, 2, 20, lossy=True)
    watch.expect(1, 2, transmit={"cleartext/ipv4": 20})
    evidence(watch, 1, "CleartextTraffic", "node2", "20 sent in clear", "bypass policy",
             "priority 1000")
    watch.verdict(1, 2, "leaking")
    reason = watch.espials[1].peer("node2")["reason"]
    assert "bypass policy" in reason, reason
    evidence(watch, 2, "CleartextTraffic", "node1", "node1 sends in clear",
             "this node's policies reject it")
    lab.udp(1, 2, 20, 6)        # the other family has its policies
    watch.verdict(1, 2, "mixed")
    assert "bypass policy" in watch.espials[1].peer("node2")["reason"]


@scenario(separate=SEPARATE, needs_espial=True)
def cause_past_policies(lab: Lab) -> None:
    """A packet socket on the wire device: nothing in the control plane is wrong, and that is said."""
    watch = lab.watch(1)
    lab.wire_frames(1, ipv4("10.101.1.10", "10.101.2.10", 17, udp_payload(), 64), 20)
    watch.expect(1, 2, transmit={"cleartext/ipv4": 20})
    evidence(watch, 1, "CleartextTraffic", "node2", "bypassed IPsec")
    assert audit(watch, 1)[0] == 0, "the audit has nothing to say"


@scenario(separate=SEPARATE, needs_espial=True)
def one_way_encryption(lab: Lab) -> None:
    """One node encrypts, the other does not: each says which of them to go to."""
    bypass(lab)
    # node2 would refuse what is clear: it takes it, and answers in ESP.
    two = lab.mesh.node(2).namespace
    back = "src 10.101.1.0/24 dst 10.0.0.0/8"
    for way in ("in", "fwd"):
        two.ip(f"xfrm policy add {back} dir {way} priority 1000")
    lab.undo(lambda: two.ip(*(f"xfrm policy delete {back} dir {way}" for way in ("in", "fwd"))))
    watch = lab.watch(1, 2)

    def both() -> None:
        lab.udp(1, 2, 1, lossy=True)
        lab.udp(2, 1, 1, lossy=True)
    watch.fires(1, "OneWayEncryption", 2, hold_off=5, meanwhile=both)
    watch.fires(2, "OneWayEncryption", 1, hold_off=5, meanwhile=both)
    evidence(watch, 1, "OneWayEncryption", "node2", "node2 encrypts and this node does not")
    evidence(watch, 2, "OneWayEncryption", "node1", "this node encrypts and node1 does not",
             "espial audit on node1")
    # Neither node's policies alone say it.
    said = json.loads(watch.espials[2].run("doctor", "--json").stdout)
    found = [finding for finding in said["findings"] if finding["cause"] == "one_way_esp"]
    assert found and found[0]["peers"] == ["node1"], said


@scenario(plays={"6.12": "separate"}, separate=SEPARATE, needs_espial=True)
def xfrm_errors(lab: Lab) -> None:
    """A node that keeps refusing what comes in clear counts it, and the alarm names the counter."""
    bypass(lab)
    watch = lab.watch(2)
    watch.fires(2, "XfrmErrors", hold_off=10, meanwhile=lambda: lab.udp(1, 2, 1, lossy=True))
    evidence(watch, 2, "XfrmErrors", "", "XfrmInTmplMismatch +")


SEQUENCE = 0xFFFF0000      # of 2^32, the last number that was sent


def _aged_sa(lab: Lab, spi: int, number: int) -> None:
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    ends = f"src {one.underlay[4]} dst {two.underlay[4]} proto esp spi 0x{spi:x}"
    replay = f" replay-oseq 0x{number:x}" if number else ""
    for node in (one, two):
        node.namespace.ip(f"xfrm state add {ends} reqid 4711 mode tunnel replay-window 32{replay} "
                          f"aead rfc4106(gcm(aes)) 0x{'01' * 20} 128")
        lab.undo(lambda node=node: node.namespace.ip(f"xfrm state delete {ends}"))


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def sequence_nearly_exhausted(lab: Lab) -> None:
    """An SA near its last sequence number; its successor ends the alarm while the old one still stands."""
    one = lab.mesh.node(1)
    policy = "src 10.101.1.0/24 dst 10.101.2.0/24 proto 17 dir out"
    template = f"tmpl src {one.underlay[4]} dst 10.45.0.12 proto esp reqid 4711 mode tunnel"
    _aged_sa(lab, 0xc0de, SEQUENCE)
    one.namespace.ip(f"xfrm policy add {policy} priority 1 {template}")
    lab.undo(lambda: one.namespace.ip(f"xfrm policy delete {policy}"))
    watch = lab.watch(1)
    lab.udp(1, 2, 20, lossy=True)
    watch.expect(1, 2, transmit={"esp/ipv4": 20})
    text = evidence(watch, 1, "SequenceNearlyExhausted", "node2", "SA 0x0000c0de")
    lab.notes.append(text)
    time.sleep(1.1)     # the kernel tells the age of SAs in seconds
    _aged_sa(lab, 0xc0df, 0)

    def resolved() -> bool:
        audit(watch, 1)
        assert ("SequenceNearlyExhausted", "node2") not in watch.espials[1].firing()
        return True
    until("the successor ends it", resolved, every=0.2)
    lab.udp(1, 2, 20, lossy=True)
    shown = one.namespace.run("ip", "-s", "xfrm", "state", "get", "src", one.underlay[4],
                              "dst", "10.45.0.12", "proto", "esp", "spi", "0xc0df").stdout
    assert "20(packets)" in shown, f"the successor did not send: {shown}"


@scenario(separate=SEPARATE, outer6=Spec(outer=6), needs_espial=True)
def inner_family_is_not_the_outer(lab: Lab) -> None:
    """One tunnel carries both families: coverage, SAs and audit of each are right."""
    watch, outer = lab.watch(1, 2), lab.mesh.spec.outer
    inner, sent = 10 - outer, 20
    for source, target in ((1, 2), (2, 1)):
        lab.udp(source, target, sent, inner)
    for number, peer in ((1, 2), (2, 1)):
        watch.expect(number, peer, {f"esp/ipv{outer}": sent}, {f"esp/ipv{outer}": sent})
        watch.verdict(number, peer, "encrypted")
        status = watch.espials[number].peer(f"node{peer}")
        assert status["receive"]["decrypted"] == {f"ipv{inner}": sent, f"ipv{outer}": 0}, \
            status["receive"]["decrypted"]
        for pair in pairs(audit(watch, number)[1], f"node{peer}").values():
            assert pair["verdict"] == "protected" and not pair["findings"], pair
        assert f'espial_peer_unknown_spi_packets_total{{peer="node{peer}"}} 0' in \
            watch.espials[number].get("/metrics")[1]
    watch.calm()


@scenario(separate=SEPARATE, needs_espial=True)
def two_sas_at_a_time(lab: Lab) -> None:
    """Make before break: while both SAs stand, and after, nothing is alarmed and each is counted."""
    watch = lab.watch(1, 2)
    rekeyed(lab)
    lab.talk(1, 2, 5, lossy=True)
    for number, peer in ((1, 2), (2, 1)):
        watch.verdict(number, peer, "encrypted")
        sas = watch.espials[number].peer(f"node{peer}")["ipsec"]["sas"]
        assert sas["in"] >= 2 and sas["out"] >= 2 and sas["packet_offload"] == 0, sas
        text = watch.espials[number].get("/metrics")[1]
        assert f'espial_peer_sas_offloaded{{peer="node{peer}"}} 0' in text
    watch.calm()
