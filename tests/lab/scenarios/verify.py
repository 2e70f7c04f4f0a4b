# SPDX-License-Identifier: Apache-2.0
"""`espial verify`: probes through the real mesh, and each way for them to end. What it says must be
what the switch, or the other node, saw; where it names a remedy, the next verify is good."""
import json
import os
import shlex

from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until
from scenarios.doctor import explained

SHARED = Spec(layout="A")
SEPARATE = Spec()
TRAP = Spec(start="trap")
FAMILIES = ("ipv4", "ipv6")


def verify(lab: Lab, watch: Watch, number: int, *arguments: str) -> tuple[int, dict]:
    done = watch.espials[number].run("verify", "--json", *arguments)
    assert done.stdout.startswith("{"), f"espial verify: {done.returncode}: {done.stderr.strip()}"
    document = json.loads(done.stdout)
    lab.sent += sum(probe["sent"] for probe in document["probes"])
    return done.returncode, document


def outcomes(document: dict, peer: int) -> dict[tuple[str, str], str]:
    """(family, path) to outcome."""
    return {(probe["family"], probe["path"]): probe["outcome"] for probe in document["probes"]
            if probe["peer"] == f"node{peer}"}


def all_are(document: dict, peer: int, outcome: str, *paths: str) -> None:
    seen = {key: value for key, value in outcomes(document, peer).items()
            if not paths or key[1] in paths}
    assert seen and set(seen.values()) == {outcome}, \
        f"{seen}: {[probe['why'] for probe in document['probes']]}"


def pods_of(lab: Lab, number: int) -> list[str]:
    pod = lab.mesh.node(number).pod
    return ["--pod", pod.v4, "--pod", pod.v6]


def good(lab: Lab, watch: Watch, number: int, *arguments: str) -> dict:
    status, document = verify(lab, watch, number, *arguments)
    for peer in lab.mesh.node(number).peers:
        all_are(document, peer.number, "encrypted")
    assert status == 0 and not document["unknown"], f"exit status {status}: {document['unknown']}"
    return document


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, outer6=Spec(outer=6),
          encap=Spec(encap=True), needs_espial=True)
def verify_healthy(lab: Lab) -> None:
    """From the bridge and from a pod, to bridges and to the pod that was named, both families."""
    watch = lab.watch(1, 2)
    document = good(lab, watch, 1, *pods_of(lab, 2))
    assert not document["forward_not_exercised"], document["forward_not_exercised"]
    expected = {(family, path) for family in FAMILIES
                for path in ("host", "forward_here", "forward_there", "pods")}
    assert set(outcomes(document, 2)) == expected, outcomes(document, 2)
    assert set(outcomes(document, 3)) == {(family, path) for family in FAMILIES
                                          for path in ("host", "forward_here")}
    for probe in document["probes"]:
        assert probe["answered"] == probe["sent"] == 3 and 0 < probe["rtt_seconds"] < 1, probe
        assert probe["wire"]["transmit"]["encrypted"] >= 3 and \
            probe["wire"]["receive"]["encrypted"] >= 3, probe
    # What node2 counted of node1 is what was sent: 4 paths, 2 families, 3 requests and answers.
    esp = "esp_udp" if lab.mesh.spec.encap else "esp"
    outer = f"{esp}/ipv{lab.mesh.spec.outer}"
    watch.expect(2, 1, {outer: 24}, {outer: 24})
    watch.agree(1, 2)
    watch.calm()


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def verify_without_policies(lab: Lab) -> None:
    """Everything is answered, and nothing was encrypted."""
    lab.unload(1, 2)
    watch = lab.watch(1)
    status, document = verify(lab, watch, 1)
    assert status == 1
    all_are(document, 2, "both_leak")
    all_are(document, 3, "encrypted")
    for probe in document["probes"]:
        if probe["peer"] == "node2":
            assert probe["answered"] == 3, probe
            assert "no policy" in probe["why"], probe["why"]
            assert [probe["wire"][way]["clear"] for way in ("transmit", "receive")] == [3, 3], probe
    watch.fires(1, "CleartextTraffic", 2)


@scenario(shared=SHARED, needs_espial=True)
def verify_one_way(lab: Lab) -> None:
    """node1 lost its outbound policy for IPv6: both ends see it, each from its side."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    one.namespace.ip(f"xfrm policy delete src {one.backend[6]} dst {two.backend[6]} dir out")
    lab.undo(lambda: (lab.mesh.unload(1, 2), lab.mesh.reload(1, 2)))
    watch = lab.watch(1, 2)
    # node1's own answer to a pod stays on node1: its neighbour solicitation comes from its backend
    # address, so the pod's advertisement is routed, arrives with a hop limit below 255 and is not
    # heeded (RFC 4861, 7.1.2). A pod's packet is solicited for from a link-local address.
    for number, peer, host, pod in ((1, 2, "we_leak", "we_leak"), (2, 1, "peer_leaks", "lost_there")):
        status, document = verify(lab, watch, number, f"node{peer}")
        seen = outcomes(document, peer)
        assert seen == {
            ("ipv4", "host"): "encrypted", ("ipv4", "forward_here"): "encrypted",
            ("ipv6", "host"): host, ("ipv6", "forward_here"): pod}, \
            f"node{number}: {seen}: {[probe['why'] for probe in document['probes']]}"
        assert status == 1, f"exit status {status}"
        assert {probe["peer"] for probe in document["probes"]} == {f"node{peer}"}


FORWARD_DROP = ("table inet other { chain forward { type filter hook forward priority filter; "
                "policy drop; }; }")


@scenario(plays={"6.1": "separate"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def verify_forward_here(lab: Lab) -> None:
    """From bridge to bridge all is well; pods are cut off. The remedy fixes it."""
    watch = lab.watch(1)
    node = lab.mesh.node(1)
    node.namespace.run("nft", "-f", "-", input=FORWARD_DROP)
    lab.undo(lambda: node.namespace.run("nft", "delete", "table", "inet", "other"))
    status, document = verify(lab, watch, 1, "node2")
    assert status == 1
    all_are(document, 2, "encrypted", "host")
    all_are(document, 2, "lost_here", "forward_here")
    lost = [probe for probe in document["probes"] if probe["outcome"] == "lost_here"]
    for probe in lost:
        assert "inet other forward policy drop" in probe["why"], probe
    assert len(lost) == 2 and lost[0]["remedies"] == lost[1]["remedies"], lost
    for command in lost[0]["remedies"]:
        node.namespace.run(*shlex.split(command))
    good(lab, watch, 1)


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def verify_forward_there(lab: Lab) -> None:
    """The same on the other node: only a probe to a pod of it can show that."""
    watch = lab.watch(1)
    node = lab.mesh.node(2)
    node.namespace.run("nft", "-f", "-", input=FORWARD_DROP)
    lab.undo(lambda: node.namespace.run("nft", "delete", "table", "inet", "other"))
    good(lab, watch, 1)
    status, document = verify(lab, watch, 1, "node2", *pods_of(lab, 2))
    assert status == 1
    all_are(document, 2, "encrypted", "host", "forward_here")
    all_are(document, 2, "lost_there", "forward_there", "pods")


@scenario(separate=TRAP, needs_espial=True)
def verify_fail_closed(lab: Lab) -> None:
    """Traps, and nobody who answers IKE: nothing leaves. With charon back the probe itself brings
    the SA up."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    one.charon.terminate("node2")
    lab.nft(2, "inet", "type filter hook input priority 0; udp dport { 500, 4500 } drop;")
    watch = lab.watch(1)
    status, document = verify(lab, watch, 1, "node2")
    assert status == 1
    all_are(document, 2, "fail_closed")
    for family in (4, 6):
        explained(watch, 1, one.gateway[family], two.gateway[family], "fail_closed")
    two.namespace.run("nft", "delete", "table", "inet", "lab_break")
    two.namespace.run("nft", "-f", "-", input="table inet lab_break { }")

    def fixed() -> bool:
        code, after = verify(lab, watch, 1, "node2")
        all_are(after, 2, "encrypted")
        return code == 0
    until("the mesh is back", fixed, every=0.5)


@scenario(plays={"6.12": "separate"}, separate=SEPARATE, needs_espial=True)
def verify_enforced(lab: Lab) -> None:
    """Without policies, under enforce: what would leave in clear is dropped here, by espial."""
    lab.unload(1, 2)
    watch = lab.watch(1, mode="enforce")
    status, document = verify(lab, watch, 1, "node2")
    assert status == 1
    all_are(document, 2, "lost_here")
    for probe in document["probes"]:
        assert probe["why"].startswith("espial drops cleartext on transmit"), probe["why"]
        assert probe["wire"]["transmit"]["dropped"] == 3, probe
    one, two = lab.mesh.node(1).pod, lab.mesh.node(2).pod
    for family in (4, 6):
        explained(watch, 1, one.address(family), two.address(family), "dropped",
                  "by espial: node2 is in enforce")
    watch.sealed(1)


@scenario(separate=SEPARATE, needs_espial=True, spoils=True)
def verify_without_a_pod(lab: Lab) -> None:
    """FORWARD is not exercised, and that is said, with what the rules would do."""
    pod = lab.mesh.node(1).pod
    pod.namespace.ip("addr flush dev eth0 scope global")
    watch = lab.watch(1)
    status, document = verify(lab, watch, 1, "node2")
    assert status == 0
    assert set(outcomes(document, 2)) == {("ipv4", "host"), ("ipv6", "host")}
    notes = document["forward_not_exercised"]
    assert {(note["family"], note["direction"]) for note in notes} == \
        {(family, way) for family in FAMILIES for way in ("transmit", "receive")}
    assert all(note["passes"] is True for note in notes), notes
    lab.nft(1, "inet", "type filter hook forward priority 0; policy drop;")
    status, document = verify(lab, watch, 1, "node2")
    assert status == 1
    assert all(note["passes"] is False and "policy drop" in note["walk"]
               for note in document["forward_not_exercised"]), document["forward_not_exercised"]


@scenario(separate=SEPARATE, needs_espial=True)
def verify_blind(lab: Lab) -> None:
    """Answered, and espial saw nothing of it: its programs are gone. That is said, not PASS."""
    watch = lab.watch(1)
    espial = watch.espials[1]
    espial.stop()
    # As tcx links, or before 6.6 as filters.
    for name in espial.links():
        os.unlink(f"{espial.pins}/links/{name}")
    node = lab.mesh.node(1)
    for device in {node.wire, node.underlay_device}:
        node.namespace.run("tc", "qdisc", "del", "dev", device, "clsact", check=False)
    status, document = verify(lab, watch, 1)
    for peer in (2, 3):
        all_are(document, peer, "unseen")
    assert status == 3, f"exit status {status}"
    espial.detach()
    done = espial.run("verify", "--json")
    assert done.returncode == 3 and "no programs" in done.stderr, done
