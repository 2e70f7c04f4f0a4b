# SPDX-License-Identifier: Apache-2.0
"""`verify: {interval}`: the daemon's own probes, round after round, through the real mesh. What they
come to is in the metrics, the status and the alarms, and their packets are those that nft counted."""
import re

from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until

SHARED = Spec(layout="A")
SEPARATE = Spec()
FAMILIES = ("ipv4", "ipv6")


def probing(lab: Lab, *numbers: int) -> Watch:
    pod = lab.mesh.node(2).pod
    return lab.watch(*numbers, verify={"interval": "5s", "pods": [pod.v4, pod.v6],
                                       "path_mtu_interval": "off"})


def series(watch: Watch, number: int, name: str) -> dict[tuple[str, str], float]:
    """espial_probe_NAME by (peer, family)."""
    text = watch.espials[number].get("/metrics")[1]
    found = re.findall(rf'^espial_probe_{name}{{peer="(\w+)",family="(\w+)"}} (\S+)$', text, re.M)
    return {(peer, family): float(value) for peer, family, value in found}


def come_to(watch: Watch, number: int, peer: int, success: int, encrypted: int) -> None:
    """Both families of this peer."""
    def right() -> bool:
        seen = {name: [series(watch, number, name)[f"node{peer}", family] for family in FAMILIES]
                for name in ("success", "encrypted")}
        assert seen == {"success": [success] * 2, "encrypted": [encrypted] * 2}, seen
        return True
    until(f"node{number}: probes of node{peer}", right, every=0.3)


def outcomes(watch: Watch, number: int, peer: int) -> dict[tuple[str, str], str]:
    """(family, path) to outcome, as the status has it."""
    return {(probe["family"], probe["path"]): probe["outcome"]
            for probe in watch.espials[number].peer(f"node{peer}")["probes"]}


def only_probes(watch: Watch, number: int, peer: int) -> int:
    """All packets of this peer are the probes that the verdict's reason tells of; what nft counted of
    them since it was asked is what espial did."""
    def equal() -> bool:
        said = watch.espials[number].peer(f"node{peer}")
        assert said["verdict"] == "encrypted", said["verdict"]
        told = re.fullmatch(r"(\d+) packets? received, (\d+) sent, all encrypted in \d+ s; "
                            r"espial's own probes: (\d+) sent, (\d+) answered in 60 s",
                            said["reason"])
        assert told, said["reason"]
        received, sent, asked, answered = map(int, told.groups())
        assert (received, sent) == (answered, asked), said["reason"]
        return sent > 0
    until(f"node{number}: packets of node{peer} are the probes", equal, every=0.1)
    watch.agree(number)
    return sum(value[0] for key, value in watch.wire(number).items()
               if key[:3] == ("transmit", f"node{peer}", "esp"))


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def probes(lab: Lab) -> None:
    """All is well and no alarm; then node2 drops in FORWARD what goes to its pod, and the policies
    with node3 are gone: the one is lost and alarmed, the other is answered in clear. Fixed, the alarm ends."""
    watch = probing(lab, 1)
    espial = watch.espials[1]
    assert set(series(watch, 1, "success")) == \
        {(f"node{peer}", family) for peer in (2, 3) for family in FAMILIES}, "known from the start"
    for peer in (2, 3):
        come_to(watch, 1, peer, 1, 1)
    assert set(outcomes(watch, 1, 2)) == \
        {(family, path) for family in FAMILIES for path in ("host", "forward_there")}
    assert all(0 < rtt < 1 for rtt in series(watch, 1, "rtt_seconds").values())
    lab.sent += only_probes(watch, 1, 2) + only_probes(watch, 1, 3)
    watch.agree(1)
    watch.calm()
    watch.lossless()

    two = lab.mesh.node(2).namespace
    two.run("nft", "-f", "-", input="table inet lab_break { chain c { type filter hook forward "
            "priority 0; policy drop; }; }")
    lab.undo(lambda: two.run("nft", "delete", "table", "inet", "lab_break", check=False))
    lab.unload(1, 3)
    come_to(watch, 1, 3, 1, 0)
    come_to(watch, 1, 2, 0, 0)
    watch.fires(1, "ProbeFailed", 2)
    watch.fires(1, "CleartextTraffic", 3)
    assert ("ProbeFailed", "node3") not in espial.firing(), "a leak is no lost probe"
    assert outcomes(watch, 1, 2) == {
        (family, path): "encrypted" if path == "host" else "lost_there"
        for family in FAMILIES for path in ("host", "forward_there")}, outcomes(watch, 1, 2)
    assert outcomes(watch, 1, 3) == {(family, "host"): "both_leak" for family in FAMILIES}
    evidence = [alarm["evidence"] for alarm in espial.status()["alarms"]
                if alarm["alarm"] == "ProbeFailed"]
    assert len(evidence) == 1 and "lost there, " in evidence[0] and \
        "0 of 1 answered; on the wire 1 encrypted" in evidence[0], evidence

    two.run("nft", "delete", "table", "inet", "lab_break")
    come_to(watch, 1, 2, 1, 1)
    until("ProbeFailed is resolved", lambda: ("ProbeFailed", "node2") not in espial.firing(), every=0.2)
    watch.agree(1)


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def probes_without_the_right(lab: Lab) -> None:
    """No CAP_NET_RAW: one line, source_up 0, no series that would look like an answer; the rest
    works. Switched off by a reload, nothing of it is left."""
    watch = probing(lab, 1)
    espial = watch.espials[1]
    espial.stop()
    espial._process = espial.node.namespace.spawn(
        "setpriv", "--bounding-set", "-net_raw", espial.program, "run", "--config", espial.config,
        log=espial.log)
    espial.ready()
    text = espial.get("/metrics")[1]
    assert 'espial_source_up{source="probes"} 0' in text and "espial_probe_success" not in text
    with open(espial.log) as log:
        lines = [line for line in log if "CAP_NET_RAW" in line]
    assert len(lines) == 1 and "the peers are not probed" in lines[0], lines
    lab.talk(1, 2)
    watch.verdict(1, 2, "encrypted")
    espial.write()
    espial.reload()
    until("probes are off", lambda: espial.status()["verify"] is None and
          'source="probes"' not in espial.get("/metrics")[1], every=0.2)


@scenario(separate=SEPARATE, needs_espial=True)
def probes_black_hole(lab: Lab) -> None:
    """A switch that loses large frames and says nothing: small probes are answered, and the alarm has
    the size that passes. With the old MTU it ends."""
    ports = [(lab.mesh.switch, port) for port in lab.mesh.node(2).ports]
    for where, port in ports:
        where.ip(f"link set {port} mtu 1300")
        lab.undo(lambda where=where, port=port: where.ip(f"link set {port} mtu 1500"))
    watch = lab.watch(1, verify={"interval": "5s", "path_mtu_interval": "10s",
                                 "probes_per_second": 40})
    espial = watch.espials[1]
    # Two looks: each tries sizes for some eight seconds.
    watch.fires(1, "MtuBlackhole", 2, 30)
    assert espial.firing() == {("MtuBlackhole", "node2")}, espial.firing()
    # A bridge lets the four bytes of a VLAN tag more pass (is_skb_forwardable()).
    underlays = lab.mesh.node(2).underlay.values()
    holes = {hole["address"]: (hole["asked_bytes"], hole["largest_bytes"])
             for hole in espial.peer("node2")["mtu_black_holes"]}
    assert holes == {address: (1500, 1304) for address in underlays}, holes
    come_to(watch, 1, 2, 1, 1)
    for where, port in ports:
        where.ip(f"link set {port} mtu 1500")
    until("MtuBlackhole is resolved", lambda: not espial.firing(), every=0.3)
    lab.sent += only_probes(watch, 1, 2)
