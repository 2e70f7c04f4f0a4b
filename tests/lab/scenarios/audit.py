# SPDX-License-Identifier: Apache-2.0
"""What policies, SAs and routes would do, asked before a packet flows: each way to be wrong, made for
real, and named by `espial audit`; healthy meshes are silent."""
import json
import time

from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until
from scenarios.mesh import rekeyed

SHARED = Spec(layout="A")
SEPARATE = Spec()
TRAP = Spec(start="trap")


def audit(watch: Watch, number: int) -> tuple[int, dict]:
    done = watch.espials[number].run("audit", "--json")
    assert done.stdout.startswith("{"), f"espial audit: {done.returncode}: {done.stderr.strip()}"
    return done.returncode, json.loads(done.stdout)


def pairs(document: dict, peer: str) -> dict[str, dict]:
    """Own subnet's family to the pair of a peer."""
    for entry in document["peers"]:
        if entry["name"] == peer:
            return {pair["family"]: pair for pair in entry["pairs"]}
    raise AssertionError(f"no peer {peer} in {[entry['name'] for entry in document['peers']]}")


def says(watch: Watch, number: int, peer: int, family: str, verdict: str, *problems: str) -> dict:
    """The pair has this verdict for exactly these reasons; all other pairs are protected."""
    def right() -> dict:
        status, document = audit(watch, number)
        pair = pairs(document, f"node{peer}")[family]
        seen = sorted({finding["problem"] for finding in pair["findings"]})
        assert pair["verdict"] == verdict, f"{pair['verdict']} because of {seen}"
        assert seen == sorted(problems), f"{seen}: {pair['findings']}"
        assert status == (1 if verdict in ("exposed", "misconfigured") else 0), f"exit status {status}"
        others = {(entry["name"], pair["family"]): pair["verdict"] for entry in document["peers"]
                  for pair in entry["pairs"] if (entry["name"], pair["family"]) !=
                  (f"node{peer}", family)}
        assert set(others.values()) <= {"protected"}, f"others: {others}"
        return pair
    return until(f"node{number}: {family} of node{peer} is {verdict}", right, every=0.2)


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, outer6=Spec(outer=6),
          encap=Spec(encap=True), needs_espial=True)
def audit_healthy(lab: Lab) -> None:
    """A mesh at work has no finding: policies, SAs, routes as charon makes them."""
    watch = lab.watch(1, 2)
    lab.talk(1, 2, 5)
    for number in (1, 2):
        status, document = audit(watch, number)
        assert status == 0 and not document["findings"], f"exit status {status}"
        for entry in document["peers"]:
            assert entry["sas"]["in"] >= 2 and entry["sas"]["out"] >= 2, entry["sas"]
            for pair in entry["pairs"]:
                assert pair["verdict"] == "protected" and not pair["findings"], pair
            # charon's table 220 gives the node's own traffic a source inside of the selectors.
            assert not entry["host_exposed"], entry["host_exposed"]
    watch.calm()


@scenario(separate=TRAP, needs_espial=True)
def audit_traps(lab: Lab) -> None:
    """A trap without an SA holds packets back: no alarm, until traffic waits in vain."""
    lab.mesh.node(1).charon.terminate("node2")
    watch = lab.watch(1)
    status, document = audit(watch, 1)
    assert status == 0, f"exit status {status}"
    for pair in pairs(document, "node2").values():
        assert pair["verdict"] == "fail_closed", pair
        assert {finding["problem"] for finding in pair["findings"]} == {"no_sa"}, pair
    watch.verdict(1, 2, "down")
    watch.calm(1)
    for family in (4, 6):
        until("the SA is there", lambda: lab.udp(1, 2, 1, family, lossy=True).received == 1)
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")


@scenario(plays={"6.12": "separate"}, separate=SEPARATE, needs_espial=True)
def audit_policies_missing(lab: Lab) -> None:
    """Within a second, and before any traffic; the alarm follows."""
    watch = lab.watch(1)
    lab.mesh.unload(1, 2)
    lab.undo(lambda: lab.mesh.reload(1, 2))
    started = time.monotonic()
    until("exposed", lambda: watch.espials[1].peer("node2")["verdict"] == "exposed", every=0.02)
    lab.notes.append(f"exposed {time.monotonic() - started:.2f} s after charon unloaded")
    watch.fires(1, "PolicyMissing", 2)
    status, document = audit(watch, 1)
    assert status == 1
    for pair in pairs(document, "node2").values():
        assert pair["verdict"] == "exposed", pair
        assert pair["policy_missing"] == {"receive": True, "transmit": True}, pair
        remedy = next(f["remedy"] for f in pair["findings"] if f["problem"] == "no_policy")
        assert pair["own"] in remedy and pair["theirs"] in remedy, remedy
    # Nothing was sent, and nothing is said to have been.
    assert watch.espials[1].peer("node2")["last_cleartext"] is None
    text = watch.espials[1].get("/metrics")[1]
    for way in ("receive", "transmit"):
        assert f'espial_peer_policy_missing{{peer="node2",network="backendnet",direction="{way}"}} 1' \
            in text, "policy_missing is not 1"
    assert 'espial_peer_sas{peer="node2",state="out"} 0' in text, "a tunnel that is down is no 0"
    lab.mesh.reload(1, 2)
    until("silent again", lambda: watch.espials[1].peer("node2")["verdict"] == "silent", every=0.1)
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")


@scenario(separate=SEPARATE, needs_espial=True)
def audit_one_family_forgotten(lab: Lab) -> None:
    lab.unload(1, 2)
    for number, peer in ((2, "node1"), (1, "node2")):
        lab.mesh.node(number).load(peer, families=(4,))
    until("the IPv4 SAs", lambda: "node2-v4" in lab.mesh.node(1).charon.installed())
    watch = lab.watch(1)
    says(watch, 1, 2, "ipv6", "exposed", "no_policy", "receive_policy_missing")
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "mixed")


def _policy(lab: Lab, change: str, undo: str) -> Watch:
    """node1's SPD is changed by hand."""
    watch, namespace = lab.watch(1), lab.mesh.node(1).namespace
    namespace.ip(f"xfrm policy {change}")
    lab.undo(lambda: namespace.ip(f"xfrm policy {undo}"))
    return watch


@scenario(separate=SEPARATE, needs_espial=True)
def audit_bypass(lab: Lab) -> None:
    """A bypass of a higher priority, of everything and of one port: the packets prove it."""
    selector = "src 10.0.0.0/8 dst 10.101.2.0/24"
    watch = _policy(lab, f"add {selector} dir out priority 1000", f"delete {selector} dir out")
    says(watch, 1, 2, "ipv4", "exposed", "bypass_policy")
    lab.udp(1, 2, 5, lossy=True)
    watch.verdict(1, 2, "leaking", "mixed")


@scenario(separate=SEPARATE, needs_espial=True)
def audit_bypass_of_a_port(lab: Lab) -> None:
    selector = "src 10.101.1.0/24 dst 10.101.2.0/24 proto tcp dport 22 dir out"
    watch = _policy(lab, f"add {selector} priority 1000", f"delete {selector}")
    pair = says(watch, 1, 2, "ipv4", "exposed", "bypass_policy")
    remedy = pair["findings"][0]["remedy"]
    assert remedy.startswith("ip xfrm policy delete "), remedy
    lab.mesh.node(1).namespace.ip(remedy.removeprefix("ip "))
    says(watch, 1, 2, "ipv4", "protected")
    lab.mesh.node(1).namespace.ip(f"xfrm policy add {selector} priority 1000")   # for the undo
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")    # the bypass is of another port


@scenario(separate=SEPARATE, needs_espial=True)
def audit_block(lab: Lab) -> None:
    selector = "src 10.101.1.0/24 dst 10.101.2.0/25 dir out"
    watch = _policy(lab, f"add {selector} action block priority 1000", f"delete {selector}")
    pair = says(watch, 1, 2, "ipv4", "misconfigured", "block_policy")
    assert "10.101.2.0/25" in pair["findings"][0]["evidence"], pair
    assert lab.udp(1, 2, 5, lossy=True).received == 0, "it is not blocked"


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def audit_hand_made(lab: Lab) -> None:
    """Policies that nobody but an administrator makes: level use, a wrong endpoint, transport mode."""
    watch, one = lab.watch(1), lab.mesh.node(1).namespace
    base = "src 10.101.1.0/24 dst 10.101.2.0/24 dir out"
    shown = one.run("ip", "xfrm", "policy", "get", *base.split()).stdout
    reqid = shown.split("reqid ")[1].split()[0]
    priority = shown.split("priority ")[1].split()[0]
    ends = "src 10.45.0.11 dst 10.45.0.12"

    def replaced(template: str) -> None:
        one.ip(f"xfrm policy update {base} priority {priority} tmpl {template}")
    lab.undo(lambda: (lab.mesh.unload(1, 2), lab.mesh.reload(1, 2)))
    # Since 5.15 the kernel refuses an optional tunnel on the way out, not on the way in.
    back = "src 10.101.2.0/24 dst 10.101.1.0/24 dir fwd"
    one.ip(f"xfrm policy update {back} priority {priority} "
           f"tmpl src 10.45.0.12 dst 10.45.0.11 proto esp reqid {reqid} mode tunnel level use")
    says(watch, 1, 2, "ipv4", "exposed", "level_use")
    one.ip(f"xfrm policy update {back} priority {priority} "
           f"tmpl src 10.45.0.12 dst 10.45.0.11 proto esp reqid {reqid} mode tunnel")
    replaced(f"src 10.45.0.11 dst 10.45.0.13 proto esp reqid {reqid} mode tunnel")
    says(watch, 1, 2, "ipv4", "misconfigured", "wrong_endpoint")
    replaced(f"proto esp reqid {reqid} mode transport")
    says(watch, 1, 2, "ipv4", "misconfigured", "transport_mode")
    replaced(f"{ends} proto esp reqid {reqid} mode tunnel")
    says(watch, 1, 2, "ipv4", "protected")
    lab.talk(1, 2, 5, (4,))
    one.ip(f"xfrm policy delete {back}")
    says(watch, 1, 2, "ipv4", "misconfigured", "receive_policy_missing")


@scenario(separate=SEPARATE, needs_espial=True, spoils=True)
def audit_sas_lost(lab: Lab) -> None:
    """charon is gone and the SAs with it: nothing passes, and the alarm says that traffic waits."""
    for node in lab.mesh.nodes:
        node.charon.kill()
        node.namespace.ip("xfrm state flush")
    watch = lab.watch(1)
    watch.verdict(1, 2, "down")
    watch.calm(1)
    watch.fires(1, "TunnelDown", 2, hold_off=10, meanwhile=lambda: lab.udp(1, 2, 1, lossy=True))
    assert watch.wire(1) == {} or not any(key[2] == "cleartext" for key in watch.wire(1))


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True, spoils=True)
def audit_unknown_spi(lab: Lab) -> None:
    """node2 lost its SAs (a reboot): exactly the ESP of node1 is held against it, and alarmed."""
    lab.mesh.node(2).namespace.ip("xfrm state flush")
    watch, sent = lab.watch(2), 0

    def send() -> None:
        nonlocal sent
        sent += lab.udp(1, 2, 1, lossy=True).sent
    watch.fires(2, "UnknownSpi", 1, meanwhile=send)

    def exact() -> bool:
        text = watch.espials[2].get("/metrics")[1]
        line = next(line for line in text.splitlines()
                    if line.startswith('espial_peer_unknown_spi_packets_total{peer="node1"}'))
        assert int(float(line.split()[1])) == sent, f"{line}, sent {sent}"
        return True
    until("each packet is counted", exact, every=0.3)
    assert f'unknown_spi_packets_total{{peer="node3"}} 0' in watch.espials[2].get("/metrics")[1]


@scenario(separate=Spec(esp="null-sha256", nodes=2), needs_espial=True)
def audit_null_encryption(lab: Lab) -> None:
    watch = lab.watch(1)
    status, document = audit(watch, 1)
    assert status == 1
    for pair in pairs(document, "node2").values():
        assert pair["verdict"] == "exposed", pair
        assert {f["problem"] for f in pair["findings"]} == {"null_encryption"}, pair
    watch.fires(1, "NullEncryption", 2)
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "leaking")


@scenario(separate=Spec(esp="sha256", ah=True, nodes=2), needs_espial=True)
def audit_authentication_header(lab: Lab) -> None:
    watch = lab.watch(1)
    for family in ("ipv4", "ipv6"):
        pair = pairs(audit(watch, 1)[1], "node2")[family]
        assert pair["verdict"] == "exposed" and \
            {f["problem"] for f in pair["findings"]} == {"not_esp"}, pair
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "leaking")


@scenario(plays={"6.12": "separate"}, separate=SEPARATE, needs_espial=True)
def audit_default_block(lab: Lab) -> None:
    """`ip xfrm policy setdefault`: what has no policy is closed, not exposed."""
    one = lab.mesh.node(1).namespace
    lab.unload(1, 2)
    one.ip("xfrm policy setdefault in block fwd block out block")
    lab.undo(lambda: one.ip("xfrm policy setdefault in accept fwd accept out accept"))
    watch = lab.watch(1)
    for family in ("ipv4", "ipv6"):
        pair = pairs(audit(watch, 1)[1], "node2")[family]
        assert pair["verdict"] == "misconfigured" and \
            {f["problem"] for f in pair["findings"]} == {"block_policy"}, pair
    assert lab.udp(1, 2, 5, lossy=True).received == 0


@scenario(plays={"6.12": "shared"}, shared=SHARED, needs_espial=True)
def audit_redirects(lab: Lab) -> None:
    """A bridge that sends redirects is found, and fixed by what is printed."""
    one = lab.mesh.node(1).namespace
    one.sysctl({"net/ipv4/conf/br-prd/send_redirects": 1})
    lab.undo(lambda: one.sysctl({"net/ipv4/conf/br-prd/send_redirects": 0}))
    watch = lab.watch(1)
    status, document = audit(watch, 1)
    assert status == 1 and [f["problem"] for f in document["findings"]] == ["send_redirects"], document
    remedy = document["findings"][0]["remedy"]
    one.run(*remedy.split())
    status, document = audit(watch, 1)
    assert status == 0 and not document["findings"], document["findings"]
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")


@scenario(separate=SEPARATE, needs_espial=True)
def audit_host_route(lab: Lab) -> None:
    """Without charon's route the node's own traffic leaves with its underlay address, in clear."""
    one = lab.mesh.node(1)
    shown = one.namespace.run("ip", "route", "show", "table", "220", "10.101.2.0/24").stdout.strip()
    assert "src 10.101.1.1" in shown, f"table 220: {shown}"
    one.namespace.ip("route del 10.101.2.0/24 table 220")
    lab.undo(lambda: one.namespace.ip(f"route add {shown} table 220"))
    watch = lab.watch(1)
    peer = next(p for p in audit(watch, 1)[1]["peers"] if p["name"] == "node2")
    assert peer["host_exposed"] == ["10.45.0.11 > 10.101.2.0/24"], peer["host_exposed"]
    lab.host_udp(1, 2, 5)
    watch.fires(1, "CleartextHost", 2)


@scenario(separate=SEPARATE, needs_espial=True)
def audit_rekey_storm(lab: Lab) -> None:
    """Dozens of rekeys under load: verdicts stay, nothing is alarmed."""
    watch = lab.watch(1, 2)
    for _ in range(3):
        rekeyed(lab)
        for number in (1, 2):
            watch.calm(number)
            assert audit(watch, number)[0] == 0
    watch.verdict(1, 2, "encrypted")
    watch.calm()


@scenario(separate=SEPARATE, needs_espial=True)
def audit_rekey_storm_of_hundreds(lab: Lab) -> None:
    watch = lab.watch(1, 2)
    for _ in range(50):
        rekeyed(lab)
        watch.calm()
    watch.verdict(1, 2, "encrypted")


def _nat_found(lab: Lab, watch: Watch, rule: str) -> None:
    """`espial audit` names the rule; the daemon says so without being asked; its remedy fixes it."""
    pair = says(watch, 1, 2, "ipv4", "exposed", "nat_before_ipsec")
    finding = pair["findings"][0]
    assert rule in finding["evidence"], finding
    assert lab.udp(1, 2, 5, lossy=True).sent == 5
    assert any(part.startswith("cleartext") for key in watch.wire(1) for part in key), watch.wire(1)
    lab.mesh.node(1).namespace.run("sh", "-c", finding["remedy"])
    says(watch, 1, 2, "ipv4", "protected")
    lab.talk(1, 2, 5)


@scenario(separate=SEPARATE, needs_espial=True)
def audit_nat_masquerade(lab: Lab) -> None:
    watch = lab.watch(1)
    says(watch, 1, 2, "ipv4", "protected")
    lab.nft(1, "ip", "type nat hook postrouting priority 100; ip saddr 10.101.1.0/24 "
                     "ip daddr 10.101.2.0/24 masquerade")
    _nat_found(lab, watch, "ip saddr 10.101.1.0/24 ip daddr 10.101.2.0/24 masquerade")


@scenario(separate=SEPARATE, needs_espial=True)
def audit_nat_masquerade_legacy(lab: Lab) -> None:
    """A masquerade of legacy iptables before IPsec is found without being asked for."""
    one, watch = lab.mesh.node(1).namespace, lab.watch(1)
    says(watch, 1, 2, "ipv4", "protected")
    rule = "POSTROUTING -s 10.101.1.0/24 -d 10.101.2.0/24 -j MASQUERADE"
    one.run("iptables-legacy", "-t", "nat", "-A", *rule.split())
    lab.undo(lambda: one.run("iptables-legacy", "-t", "nat", "-F"))
    _nat_found(lab, watch, f"-A {rule}")


@scenario(separate=SEPARATE, needs_espial=True)
def audit_nat_of_others(lab: Lab) -> None:
    """A busy firewall, as Docker writes it, that does not catch the backend: no finding."""
    one = lab.mesh.node(1).namespace
    one.run("iptables-nft-restore", "--noflush", input="""*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
""")
    lab.undo(lambda: one.run("nft", "delete", "table", "ip", "nat"))
    watch = lab.watch(1)

    def read() -> bool:
        assert audit(watch, 1)[1]["nat"] == {"checked": True, "reason": ""}, audit(watch, 1)[1]["nat"]
        return True
    until("the rules are read", read, every=0.5)
    status, document = audit(watch, 1)
    assert status == 0, document
    for pair in pairs(document, "node2").values():
        assert pair["verdict"] == "protected" and not pair["findings"], pair
    lab.talk(1, 2, 5)
    watch.calm(1)
