# SPDX-License-Identifier: Apache-2.0
"""What loses or exposes backend traffic, made for real: `espial doctor` names it first, and what it
prints, run as it stands, mends it. Nodes that are only busy are quiet."""
import json
import shlex

from espial_lab import traffic
from espial_lab.mesh import Node, Spec
from espial_lab.scenario import Lab, Watch, scenario

SHARED = Spec(layout="A")
SEPARATE = Spec()

# OpenSVC's own chain accepts; another base chain drops all the same.
OPENSVC = """
table inet osvc {
  chain osvc-forward { type filter hook forward priority filter - 5; policy accept;
    ip saddr 10.101.0.0/16 ip daddr 10.101.0.0/16 accept
    ip6 saddr fd00:101::/32 ip6 daddr fd00:101::/32 accept
  }
}
"""
BUSY = OPENSVC + """
table inet busy {
  set blocked { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 } }
  chain input { type filter hook input priority filter; policy accept;
    ct state established,related accept
    ip saddr @blocked drop
    tcp dport { 25, 111 } drop
  }
  chain forward { type filter hook forward priority filter; policy drop;
    iifname "docker0" jump containers
    ip saddr @blocked drop
    ip saddr 10.0.0.0/8 ip daddr 10.0.0.0/8 accept
    ip6 saddr fd00::/8 ip6 daddr fd00::/8 accept
  }
  chain containers { tcp dport 80 accept
    drop
  }
}
"""


def doctor(watch: Watch, number: int) -> tuple[int, list[dict]]:
    done = watch.espials[number].run("doctor", "--json")
    assert done.stdout.startswith("{"), f"espial doctor: {done.returncode}: {done.stderr.strip()}"
    document = json.loads(done.stdout)
    assert not document["unknown"], document["unknown"]
    return done.returncode, document["findings"]


def answered(lab: Lab, one: int, two: int, family: int) -> bool:
    """Does a pod's ping get an answer from the other node's pod?"""
    source, target = lab.mesh.node(one).pod, lab.mesh.node(two).pod
    sent = traffic.ping(source.namespace, source.address(family), target.address(family), 2, 1.0)
    lab.sent += sent.sent
    return sent.received == sent.sent


def quiet(watch: Watch, *numbers: int) -> None:
    for number in numbers:
        status, findings = doctor(watch, number)
        assert status == 0 and not findings, f"node{number}: exit status {status}: {findings}"


def mended(lab: Lab, watch: Watch, number: int, cause: str, families: tuple[int, ...],
           rounds: int = 1) -> list[dict]:
    """Nothing gets through; the first finding says why; its remedies let everything through."""
    for family in families:
        assert not answered(lab, 1, 2, family), f"IPv{family} passes: nothing to explain"
    first = []
    for _ in range(rounds):
        status, findings = doctor(watch, number)
        assert status == 1 and findings[0]["cause"] == cause, f"exit status {status}: {findings}"
        assert findings[0]["remedies"], findings[0]
        first.append(findings[0])
        for command in findings[0]["remedies"]:
            lab.mesh.node(number).namespace.run(*shlex.split(command))
    for family in families:
        assert answered(lab, 1, 2, family), f"IPv{family}: lost still, after {first}"
    quiet(watch, number)
    return first


def rules(node: Node, text: str) -> None:
    node.namespace.run("nft", "-f", "-", input=text)


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_healthy(lab: Lab) -> None:
    """A busy firewall that lets the mesh pass is no finding."""
    watch = lab.watch(1, 2)
    for number in (1, 2):
        rules(lab.mesh.node(number), BUSY)
        lab.undo(lambda node=lab.mesh.node(number): rules(
            node, "delete table inet busy; delete table inet osvc"))
    for family in (4, 6):
        assert answered(lab, 1, 2, family)
    quiet(watch, 1, 2)


def forward_dropped(lab: Lab, number: int) -> None:
    watch = lab.watch(1, 2)
    node = lab.mesh.node(number)
    rules(node, OPENSVC + "table inet other { chain forward { "
                          "type filter hook forward priority filter; policy drop; }; }")
    lab.undo(lambda: rules(node, "delete table inet other; delete table inet osvc"))
    first = mended(lab, watch, number, "rule_drops", (4, 6))
    for finding in first:
        assert "inet other forward policy drop" in finding["summary"], finding["summary"]
        assert finding["peers"] == ["node2" if number == 1 else "node1", "node3"], finding["peers"]
        assert any("accepted by inet osvc osvc-forward" in line for line in finding["evidence"]), \
            finding["evidence"]


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_forward_on_the_sender(lab: Lab) -> None:
    forward_dropped(lab, 1)


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_forward_on_the_receiver(lab: Lab) -> None:
    forward_dropped(lab, 2)


def iptables_policy(lab: Lab, tool4: str, tool6: str) -> None:
    watch = lab.watch(1, 2)
    node = lab.mesh.node(2)
    for tool in (tool4, tool6):
        node.namespace.run(tool, "-P", "FORWARD", "DROP")
        lab.undo(lambda tool=tool: node.namespace.run(tool, "-F", "FORWARD"))
        lab.undo(lambda tool=tool: node.namespace.run(tool, "-P", "FORWARD", "ACCEPT"))
    for finding in mended(lab, watch, 2, "rule_drops", (4, 6), rounds=2):
        assert "filter FORWARD policy drop" in finding["summary"], finding["summary"]


@scenario(separate=SEPARATE, needs_espial=True, newest=True)
def doctor_forward_iptables(lab: Lab) -> None:
    iptables_policy(lab, "iptables-nft", "ip6tables-nft")


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_forward_iptables_legacy(lab: Lab) -> None:
    iptables_policy(lab, "iptables-legacy", "ip6tables-legacy")


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True, newest=True)
def doctor_esp_blocked(lab: Lab) -> None:
    watch = lab.watch(1, 2)
    node = lab.mesh.node(2)
    rules(node, "table inet strict { chain input { type filter hook input priority filter; "
                "policy drop; udp dport { 500, 4500 } accept; "
                "meta l4proto { icmp, icmpv6 } accept; }; }")
    lab.undo(lambda: rules(node, "delete table inet strict"))
    mended(lab, watch, 2, "esp_blocked", (4, 6))


@scenario(separate=SEPARATE, needs_espial=True, newest=True)
def doctor_forwarding_off(lab: Lab) -> None:
    watch = lab.watch(1, 2)
    node = lab.mesh.node(1)
    node.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{node.pod_bridge}.forwarding=0")
    mended(lab, watch, 1, "forwarding_off", (4,))
    node.namespace.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=0")
    mended(lab, watch, 1, "forwarding_off", (6,))


@scenario(separate=SEPARATE, needs_espial=True, newest=True)
def doctor_xfrm_disabled(lab: Lab) -> None:
    """Nothing is lost on the way out: it leaves in clear, and the other node throws it away."""
    watch = lab.watch(1, 2)
    node = lab.mesh.node(1)
    node.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{node.underlay_device}.disable_xfrm=1")
    mended(lab, watch, 1, "xfrm_disabled", (4,))
    watch.fires(1, "CleartextTraffic", 2)


@scenario(separate=SEPARATE, needs_espial=True, newest=True)
def doctor_no_policy(lab: Lab) -> None:
    watch = lab.watch(1, 2)
    lab.mesh.unload(1, 2)
    lab.undo(lambda: lab.mesh.reload(1, 2))
    assert answered(lab, 1, 2, 4), "without policies on both nodes everything works, in clear"
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "no_policy", findings
    assert findings[0]["effect"] == "leaks" and findings[0]["peers"] == ["node2"], findings[0]


@scenario(separate=SEPARATE, needs_espial=True, newest=True)
def doctor_underlay_unplugged(lab: Lab) -> None:
    watch = lab.watch(1, 2)
    two = lab.mesh.node(2)
    lab.mesh.unplug(two)
    lab.undo(lambda: lab.mesh.plug(two))
    assert not answered(lab, 1, 2, 4)
    status, findings = doctor(watch, 1)
    assert findings[0]["cause"] == "underlay_unreachable", f"exit status {status}: {findings}"
    assert findings[0]["peers"] == ["node2"], findings[0]


# -- one packet, explained -----------------------------------------------------------------------

def explained(watch: Watch, number: int, source: str, target: str, end: str, *parts: str) -> str:
    """`espial doctor --explain` says this end, in these words; its conclusion."""
    done = watch.espials[number].run("doctor", "--explain", source, target, "--json")
    assert done.stdout.startswith("{"), f"--explain: {done.returncode}: {done.stderr.strip()}"
    document = json.loads(done.stdout)
    told = f"{source} > {target}: {document['end']}: {document['conclusion']} {document['reasons']}"
    assert document["end"] == end and all(part in document["conclusion"] for part in parts), told
    wanted = {"encrypted": 0, "unknown": 3}.get(end, 1)
    assert done.returncode == wanted, f"{told}: exit status {done.returncode}"
    return document["conclusion"]


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True, newest=True)
def explain_is_what_happens(lab: Lab) -> None:
    """Encrypted with an SA that there is, dropped in FORWARD, in clear: said first, and so it is."""
    one, two, watch = lab.mesh.node(1), lab.mesh.node(2), lab.watch(1, 2)
    pods = [(one.pod.address(family), two.pod.address(family)) for family in (4, 6)]
    hosts = [(one.gateway[family], two.gateway[family]) for family in (4, 6)]
    known = {int(line.split("spi ")[1].split()[0], 16)
             for line in one.namespace.run("ip", "xfrm", "state").stdout.splitlines()
             if "proto esp spi" in line}
    for source, target in pods + hosts:
        conclusion = explained(watch, 1, source, target, "encrypted", f"over {one.underlay_device}")
        assert int(conclusion.split("SPI ")[1].split()[0].rstrip(",")[2:], 16) in known, conclusion
    lab.talk(1, 2)
    watch.sealed()

    rules(one, OPENSVC + "table inet other { chain forward { "
                         "type filter hook forward priority filter; policy drop; }; }")
    for family, (source, target) in zip((4, 6), pods):
        explained(watch, 1, source, target, "dropped", "forward by inet other forward policy drop")
        assert not answered(lab, 1, 2, family), f"IPv{family} passes"
    for source, target in hosts:
        explained(watch, 1, source, target, "encrypted")     # nothing crosses FORWARD
    rules(one, "delete table inet other; delete table inet osvc")
    watch.sealed()

    lab.unload(1, 2)
    for source, target in pods:
        explained(watch, 1, source, target, "clear", f"over {one.underlay_device}")
    lab.talk(1, 2)
    assert watch.wire(1)["transmit", "node2", "cleartext", "ipv4"][0] == 20, "not in clear"
