# SPDX-License-Identifier: Apache-2.0
"""What loses or exposes backend traffic, made for real: `espial doctor` names it first, and what it
prints, run as it stands, fixes it. Nodes that are only busy are quiet."""
import json
import shlex

from espial_lab import offload, traffic
from espial_lab.mesh import SECRET, Node, Spec
from espial_lab.netns import Namespace
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until

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


def fixed(lab: Lab, watch: Watch, number: int, cause: str, families: tuple[int, ...],
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


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
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
    watch = lab.watch(number)
    node = lab.mesh.node(number)
    rules(node, OPENSVC + "table inet other { chain forward { "
                          "type filter hook forward priority filter; policy drop; }; }")
    lab.undo(lambda: rules(node, "delete table inet other; delete table inet osvc"))
    first = fixed(lab, watch, number, "rule_drops", (4, 6))
    for finding in first:
        assert "inet other forward policy drop" in finding["summary"], finding["summary"]
        assert finding["peers"] == ["node2" if number == 1 else "node1", "node3"], finding["peers"]
        assert any("accepted by inet osvc osvc-forward" in line for line in finding["evidence"]), \
            finding["evidence"]


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_forward_on_the_sender(lab: Lab) -> None:
    forward_dropped(lab, 1)


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_forward_on_the_receiver(lab: Lab) -> None:
    """A FORWARD policy of another chain is named, and fixed by what is printed."""
    forward_dropped(lab, 2)


def iptables_policy(lab: Lab, tool4: str, tool6: str) -> None:
    watch = lab.watch(2)
    node = lab.mesh.node(2)
    for tool in (tool4, tool6):
        node.namespace.run(tool, "-P", "FORWARD", "DROP")
        lab.undo(lambda tool=tool: node.namespace.run(tool, "-F", "FORWARD"))
        lab.undo(lambda tool=tool: node.namespace.run(tool, "-P", "FORWARD", "ACCEPT"))
    for finding in fixed(lab, watch, 2, "rule_drops", (4, 6), rounds=2):
        assert "filter FORWARD policy drop" in finding["summary"], finding["summary"]


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_forward_iptables(lab: Lab) -> None:
    iptables_policy(lab, "iptables-nft", "ip6tables-nft")


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def doctor_forward_iptables_legacy(lab: Lab) -> None:
    """The same of legacy iptables, both families."""
    iptables_policy(lab, "iptables-legacy", "ip6tables-legacy")


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_esp_blocked(lab: Lab) -> None:
    watch = lab.watch(2)
    node = lab.mesh.node(2)
    rules(node, "table inet strict { chain input { type filter hook input priority filter; "
                "policy drop; udp dport { 500, 4500 } accept; "
                "meta l4proto { icmp, icmpv6 } accept; }; }")
    lab.undo(lambda: rules(node, "delete table inet strict"))
    fixed(lab, watch, 2, "esp_blocked", (4, 6))


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def doctor_forwarding_off(lab: Lab) -> None:
    """Forwarding that is off, of a device or of a family, is named and fixed."""
    watch = lab.watch(1)
    node = lab.mesh.node(1)
    node.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{node.pod_bridge}.forwarding=0")
    fixed(lab, watch, 1, "forwarding_off", (4,))
    node.namespace.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=0")
    fixed(lab, watch, 1, "forwarding_off", (6,))


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_xfrm_disabled(lab: Lab) -> None:
    """Nothing is lost on the way out: it leaves in clear, and the other node throws it away."""
    watch = lab.watch(1)
    node = lab.mesh.node(1)
    node.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{node.underlay_device}.disable_xfrm=1")
    fixed(lab, watch, 1, "xfrm_disabled", (4,))
    watch.fires(1, "CleartextTraffic", 2)
    node.namespace.run("sysctl", "-qw", "net.ipv4.conf.all.disable_xfrm=1")
    fixed(lab, watch, 1, "xfrm_disabled", (4,))


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_no_policy(lab: Lab) -> None:
    watch = lab.watch(1)
    lab.mesh.unload(1, 2)
    lab.undo(lambda: lab.mesh.reload(1, 2))
    assert answered(lab, 1, 2, 4), "without policies on both nodes everything works, in clear"
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "no_policy", findings
    assert findings[0]["effect"] == "leaks" and findings[0]["peers"] == ["node2"], findings[0]


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_underlay_unplugged(lab: Lab) -> None:
    watch = lab.watch(1)
    two = lab.mesh.node(2)
    lab.mesh.unplug(two)
    lab.undo(lambda: lab.mesh.plug(two))
    assert not answered(lab, 1, 2, 4)
    status, findings = doctor(watch, 1)
    assert findings[0]["cause"] == "underlay_unreachable", f"exit status {status}: {findings}"
    assert findings[0]["peers"] == ["node2"], findings[0]


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def doctor_path_mtu(lab: Lab) -> None:
    """A switch that loses large frames and says nothing: small pings work, everything else hangs."""
    one, two, watch = lab.mesh.node(1), lab.mesh.node(2), lab.watch(1, 2)
    ports = [(lab.mesh.switch, port) for port in two.ports]
    for where, port in ports:
        where.ip(f"link set {port} mtu 1300")
        lab.undo(lambda where=where, port=port: where.ip(f"link set {port} mtu 1500"))

    def large(number: int, peer: int) -> bool:
        source, target = lab.mesh.node(number).pod, lab.mesh.node(peer).pod
        sent = traffic.udp(source.namespace, source.v4, target.namespace, target.v4, 5, 1250,
                           lossy=True)
        lab.sent += sent.sent
        return sent.received == sent.sent

    assert answered(lab, 1, 2, 4) and not large(1, 2) and not large(2, 1)
    for node, peers in ((one, {"node2"}), (two, {"node1", "node3"})):
        status, findings = doctor(watch, node.number)
        assert status == 1 and {finding["cause"] for finding in findings} == {"mtu_black_hole"}, \
            findings
        assert {peer for finding in findings for peer in finding["peers"]} == peers, findings
        for finding in findings:
            command = finding["remedies"][0]
            # A bridge lets the four bytes of a VLAN tag more pass (is_skb_forwardable()).
            assert command.endswith(" mtu 1304"), command
            node.namespace.run(*shlex.split(command))
            lab.undo(lambda node=node, route=command.split()[3]: node.namespace.ip(
                f"route del {route}"))
    for number, peer in ((1, 2), (2, 1)):
        pod = lab.mesh.node(number).pod
        # What it learns outlives the narrow path: the next scenario's pod would know it.
        lab.undo(lambda pod=pod: pod.namespace.run("sysctl", "-qw", "net.ipv4.route.flush=1"))
        large(number, peer)                 # the pod is told its path MTU
        assert large(number, peer), "lost still"
    quiet(watch, 1, 2)


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_pods_path_mtu(lab: Lab) -> None:
    """ESP makes packets larger than pods know, and what the node tells them does not get out."""
    node, watch = lab.mesh.node(1), lab.watch(1)
    source, target = node.pod, lab.mesh.node(2).pod
    rules(node, "table inet quiet { chain output { type filter hook output priority filter; "
                "icmp type != echo-request drop; "
                "icmpv6 type { destination-unreachable, packet-too-big } drop; }; }")
    lab.undo(lambda: rules(node, "delete table inet quiet"))

    def large(family: int) -> int:
        sent = traffic.udp(source.namespace, source.address(family), target.namespace,
                           target.address(family), 5, 1440, lossy=True)
        lab.sent += sent.sent
        return sent.received
    for family in (4, 6):
        assert answered(lab, 1, 2, family) and large(family) + large(family) == 0, f"IPv{family}"
    for _ in (4, 6):
        status, findings = doctor(watch, 1)
        assert status == 1 and findings[0]["cause"] == "path_mtu_blocked", findings
        for command in findings[0]["remedies"]:
            node.namespace.run(*shlex.split(command))
    for family in (4, 6):
        large(family)                       # the pod is told
        assert large(family) == 5, f"IPv{family}: lost still"
    quiet(watch, 1)


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_reverse_path(lab: Lab) -> None:
    """ESP comes in by one device and is answered by another, as with two uplinks: a strict filter."""
    one, two, watch = lab.mesh.node(1), lab.mesh.node(2), lab.watch(1)
    device = one.underlay_device
    mac = one.namespace.run("ip", "-br", "link", "show", "dev", device).stdout.split()[2]
    one.namespace.ip("link add second type veth peer name second1 netns switch")
    lab.undo(lambda: one.namespace.ip("link del second"))
    lab.mesh.switch.ip("link set second1 master sw0 up")
    offload.all_off(one.namespace, "second")
    offload.all_off(lab.mesh.switch, "second1")
    # node2 answers to the first device, whoever asks from the second one.
    one.namespace.run("sysctl", "-qw", "net.ipv4.conf.second.arp_ignore=1")
    two.namespace.ip(f"neigh replace {one.underlay[4]} lladdr {mac} dev {two.underlay_device} "
                     "nud permanent")
    lab.undo(lambda: two.namespace.ip(f"neigh del {one.underlay[4]} dev {two.underlay_device}"))
    one.namespace.ip("link set second up",
                     f"route add {two.underlay[4]}/32 dev second src {one.underlay[4]}")
    assert answered(lab, 1, 2, 4), "two ways are no fault"
    quiet(watch, 1)
    one.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{device}.rp_filter=1")
    lab.undo(lambda: one.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{device}.rp_filter=0"))
    for finding in fixed(lab, watch, 1, "reverse_path_filter", (4, 6)):
        assert finding["peers"] == ["node2"], finding
        assert any(line.startswith("IPReversePathFilter: ") for line in finding["evidence"]), finding


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def doctor_bridge_rules(lab: Lab) -> None:
    """br_netfilter brings what pods of one bridge say to each other before the rules of FORWARD."""
    node, watch = lab.mesh.node(1), lab.watch(1)
    second = Namespace("second-pod")
    lab.undo(second.close)
    second.ip("link set lo up", f"link add eth0 type veth peer name second-pod netns {node.namespace.name}")
    address = node.pod.v4.rsplit(".", 1)[0] + ".77"
    second.ip(f"addr add {address}/24 dev eth0", "link set eth0 up")
    node.namespace.ip(f"link set second-pod master {node.pod_bridge} up")
    lab.undo(lambda: node.namespace.ip("link del second-pod"))
    node.namespace.run("modprobe", "br_netfilter")
    # Not modprobe -r: it removes the module bridge, too, and every bridge with it.
    lab.undo(lambda: node.namespace.run("rmmod", "br_netfilter"))
    # Docker's policy, and OpenSVC's network let through between nodes.
    rules(node, "table ip other { chain forward { type filter hook forward priority filter; "
                f"policy drop; iifname {node.underlay_device} accept; "
                f"oifname {node.underlay_device} accept; }}; }}")
    lab.undo(lambda: rules(node, "delete table ip other"))

    def passes() -> bool:
        sent = traffic.ping(node.pod.namespace, node.pod.v4, address, 2, 1.0)
        lab.sent += sent.sent
        return sent.received == sent.sent
    assert not passes(), "pods of one bridge speak in spite of FORWARD: nothing to explain"
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "bridge_rules", findings
    node.namespace.run(*shlex.split(findings[0]["remedies"][0]))
    assert passes(), findings
    quiet(watch, 1)


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_stale_device(lab: Lab) -> None:
    """A rule for a device that was made anew: it has the index of the one that is gone."""
    node, watch = lab.mesh.node(1), lab.watch(1)
    node.namespace.ip("link add before type dummy")
    rules(node, "table inet other { chain forward { type filter hook forward priority filter; "
                f"policy drop; iif before counter accept; iifname {node.underlay_device} accept; "
                "}; }")
    lab.undo(lambda: rules(node, "delete table inet other"))
    node.namespace.ip("link del before")
    for finding in fixed(lab, watch, 1, "stale_device", (4, 6)):
        assert f"iifname {node.pod_bridge}" in finding["remedies"][0], finding


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_policies_not_asked(lab: Lab) -> None:
    """disable_policy: who sends in clear is heard, though a policy asks for IPsec."""
    one, two, watch = lab.mesh.node(1), lab.mesh.node(2), lab.watch(2)
    device = two.underlay_device
    two.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{device}.disable_policy=1")
    lab.undo(lambda: two.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{device}.disable_policy=0"))
    one.namespace.run("sysctl", "-qw", f"net.ipv4.conf.{one.underlay_device}.disable_xfrm=1")
    lab.undo(lambda: one.namespace.run("sysctl", "-qw",
                                       f"net.ipv4.conf.{one.underlay_device}.disable_xfrm=0"))
    lab.udp(1, 2)       # in clear, and all of it arrives
    status, findings = doctor(watch, 2)
    assert status == 0 and findings[0]["cause"] == "policy_disabled", findings
    assert findings[0]["peers"] == ["node1", "node3"], findings
    for command in findings[0]["remedies"]:
        two.namespace.run(*shlex.split(command))
    assert lab.udp(1, 2, lossy=True).received == 0, "accepted still"
    quiet(watch, 2)


# -- charon ---------------------------------------------------------------------------------------

@scenario(separate=SEPARATE, needs_espial=True, spoils=True)
def doctor_charon_stopped(lab: Lab) -> None:
    """Stopped in order, charon takes its policies along: everything works on, in clear."""
    watch = lab.watch(1)
    lab.mesh.node(2).charon.stop()
    assert answered(lab, 1, 2, 4), "in clear"
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "ike_unreachable", findings
    assert findings[0]["summary"].startswith("no IKE daemon runs on node2: "), findings[0]
    assert findings[0]["effect"] == "leaks" and findings[0]["peers"] == ["node2"], findings[0]
    lab.mesh.node(1).charon.stop()
    assert answered(lab, 1, 2, 4), "in clear"
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "no_ike_daemon", findings
    assert findings[0]["effect"] == "leaks" and "node2" in findings[0]["peers"], findings[0]


def other_proposals(connection: dict) -> None:
    connection["proposals"] = ["aes256-sha384-x25519"]


def other_esp(connection: dict) -> None:
    for child in connection["children"].values():
        child["esp_proposals"] = ["aes256gcm16"]


def other_subnets(connection: dict) -> None:
    for child in connection["children"].values():
        child["local_ts"] = ["10.99.0.0/24"]


def other_identity(connection: dict) -> None:
    connection["local"]["id"] = "somebody"


DISAGREEMENTS = (("ike_proposals", other_proposals), ("child_proposals", other_esp),
                 ("traffic_selectors", other_subnets), ("ike_authentication", other_identity))


@scenario(trap=Spec(start="trap"), needs_espial=True, spoils=True)
def doctor_ike_disagreement(lab: Lab) -> None:
    """Packets wait for an SA that no attempt brings: the daemon has heard why in charon's log."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    watch = lab.watch(1, vici=one.charon.socket)
    espial = watch.espials[1]
    pair = {"node2": one.connections()["node2"]}

    def cause(expected: str) -> dict:
        # The kernel asks again when the SA that it waits for is gone: by itself in minutes.
        one.namespace.run("ip", "xfrm", "state", "flush")
        for family in (4, 6):
            assert not answered(lab, 1, 2, family)
        status, findings = doctor(watch, 1)
        assert status == 1 and findings[0]["cause"] == expected, findings
        assert findings[0]["peers"] == ["node2"], findings[0]
        return findings[0]

    for expected, change in DISAGREEMENTS:
        lab.mesh.unload(1, 2)
        theirs = {"node1": two.connections()["node1"]}
        change(theirs["node1"])
        two.charon.load(theirs, SECRET)
        one.charon.load(pair, SECRET)
        finding = cause(expected)
        assert finding["evidence"][0].startswith("charon at "), finding
    lab.mesh.unload(1, 2)
    one.charon.load(pair, "another secret")
    two.load("node1")
    finding = cause("ike_authentication")
    assert "AUTHENTICATION_FAILED" in finding["evidence"][0], finding
    # Nobody has listened: that they do not agree can be seen, not about what.
    espial.stop()
    finding = cause("ike_refused")
    assert "IKE_SA" in finding["summary"], finding


@scenario(plays={"6.1": "trap"}, trap=Spec(start="trap"), needs_espial=True)
def doctor_ike_unknown_peer(lab: Lab) -> None:
    """The other node has no connection for this one: its own charon says so, and its espial."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    watch = lab.watch(2, vici=two.charon.socket)
    lab.mesh.unload(1, 2)
    lab.undo(lambda: lab.mesh.reload(1, 2))
    one.load("node2")
    assert not answered(lab, 1, 2, 4)
    status, findings = doctor(watch, 2)
    assert status == 1 and findings[0]["cause"] == "ike_unknown_peer", findings
    assert findings[0]["peers"] == ["node1"], findings[0]
    assert "no IKE config found" in findings[0]["evidence"][0], findings[0]


@scenario(trap=Spec(start="trap"), needs_espial=True)
def doctor_ike_unanswered(lab: Lab) -> None:
    """The other node is there, its charon is not."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    watch = lab.watch(1, vici=one.charon.socket)
    lab.mesh.unload(1, 2)
    two.charon.pause()
    lab.undo(lambda: lab.mesh.reload(1, 2))
    lab.undo(two.charon.resume)
    one.load("node2")
    assert not answered(lab, 1, 2, 4)
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "ike_unanswered", findings
    assert findings[0]["peers"] == ["node2"] and findings[0]["effect"] == "lost", findings[0]


@scenario(trap=Spec(start="trap"), needs_espial=True)
def doctor_ike_port_filtered(lab: Lab) -> None:
    """Something between the nodes loses UDP 500: pings pass, no SA comes."""
    watch = lab.watch(1)
    lab.mesh.unload(1, 2)
    lab.undo(lambda: lab.mesh.reload(1, 2))
    lab.mesh.switch.run("nft", "-f", "-", input="table bridge cut { chain forward { type filter "
                        "hook forward priority filter; udp dport 500 drop; }; }")
    lab.undo(lambda: lab.mesh.switch.run("nft", "delete", "table", "bridge", "cut", check=False))
    for number, peer in ((1, "node2"), (2, "node1")):
        lab.mesh.node(number).load(peer)
    assert not answered(lab, 1, 2, 4)
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "ike_unreachable", findings
    target = lab.mesh.node(2).underlay[4]
    assert findings[0]["summary"].endswith(f"UDP 500 of {target} does not answer IKE"), findings[0]
    assert f"UDP 4500 of {target} answers IKE" in findings[0]["evidence"], findings[0]
    lab.mesh.switch.run("nft", "delete", "table", "bridge", "cut")
    # charon sends its request again when it is time.
    until("node2's pod answers", lambda: answered(lab, 1, 2, 4), every=0.5)
    lab.mesh.unload(1, 2)


# -- what the audit knows, too: named first, and fixed ---------------------------------------------

@scenario(shared=SHARED, needs_espial=True)
def doctor_send_redirects(lab: Lab) -> None:
    watch, one = lab.watch(1), lab.mesh.node(1).namespace
    one.sysctl({"net/ipv4/conf/br-prd/send_redirects": 1})
    lab.undo(lambda: one.sysctl({"net/ipv4/conf/br-prd/send_redirects": 0}))
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "send_redirects", findings
    for command in findings[0]["remedies"]:
        one.run(*shlex.split(command))
    quiet(watch, 1)
    lab.talk(1, 2, 5)
    watch.verdict(1, 2, "encrypted")


@scenario(plays={"6.12": "separate"}, separate=SEPARATE, needs_espial=True)
def doctor_nat_before_ipsec(lab: Lab) -> None:
    """A masquerade for whatever leaves, as of a gateway: packets leave in clear."""
    watch, one = lab.watch(1), lab.mesh.node(1)
    lab.nft(1, "ip", f"type nat hook postrouting priority 100; oifname {one.underlay_device} "
                     "ip saddr 10.101.0.0/16 masquerade")

    def in_clear() -> dict:
        return {key: count for key, count in watch.wire(1).items()
                if count[0] and any(part.startswith("cleartext") for part in key)}
    assert lab.udp(1, 2, 5, lossy=True).sent == 5
    assert in_clear(), watch.wire(1)
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "nat_before_ipsec", findings
    assert findings[0]["effect"] == "leaks", findings[0]
    for finding in findings:
        for command in finding["remedies"]:
            one.namespace.run("sh", "-c", command)
    quiet(watch, 1)
    watch.zero(1)
    lab.talk(1, 2, 5)
    assert not in_clear(), in_clear()


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_no_route(lab: Lab) -> None:
    """The route to a peer's pods is gone, from each table, and there is no default route."""
    watch, one, two = lab.watch(1), lab.mesh.node(1), lab.mesh.node(2)
    tables = {table: one.namespace.run("ip", "route", "show", "table", table,
                                       two.backend[4]).stdout.strip() for table in ("main", "220")}
    for table, shown in tables.items():
        if shown:
            one.namespace.ip(f"route del {shown} table {table}")
    lab.undo(lambda: [one.namespace.run("ip", "route", "replace", *shown.split(), "table", table)
                      for table, shown in tables.items() if shown])
    fixed(lab, watch, 1, "no_route", (4,))


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


def on_arrival(lab: Lab, watch: Watch, pods: list[tuple[str, str]]) -> None:
    """Rules of the node that receives: of the ESP in INPUT, and of the pods' packets in FORWARD."""
    two = lab.mesh.node(2)
    for chain, where in (("filter hook input priority 0; meta l4proto esp", "input by inet there c"),
                         (f"filter hook forward priority 0; oifname {two.pod_bridge}",
                          "forward by inet there c")):
        rules(two, f"table inet there {{ chain c {{ type {chain} drop; }}; }}")
        for family, (source, target) in zip((4, 6), pods):
            explained(watch, 2, source, target, "dropped", where)
            assert not answered(lab, 1, 2, family), f"IPv{family} passes"
        rules(two, "delete table inet there")


def below_ip(lab: Lab, watch: Watch, pods: list[tuple[str, str]]) -> None:
    """Rules of the pods' bridge, which see the inner packet, and of the wire device, its ESP."""
    one = lab.mesh.node(1)
    for chain, where in (
            (f"bridge below {{ chain c {{ type filter hook input priority 0; "
             f"iifname pod-port meta ibrname {one.pod_bridge}",
             f"input of bridge {one.pod_bridge} by bridge below c"),
            (f"netdev below {{ chain c {{ type filter hook egress device {one.wire} priority 0; "
             f"meta l4proto esp", f"egress of {one.wire} by netdev below c")):
        rules(one, f"table {chain} drop; }}; }}")
        for family, (source, target) in zip((4, 6), pods):
            explained(watch, 1, source, target, "dropped", where)
            assert not answered(lab, 1, 2, family), f"IPv{family} passes"
        rules(one, f"delete table {chain.split()[0]} below")
    for family in (4, 6):
        assert answered(lab, 1, 2, family), f"IPv{family} is lost"


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
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
    known = {int(line.split("spi ")[1].split()[0], 16)
             for line in two.namespace.run("ip", "xfrm", "state").stdout.splitlines()
             if "proto esp spi" in line}
    for source, target in (pods[0], hosts[1]):
        conclusion = explained(watch, 2, source, target, "encrypted", f"by {two.underlay_device}")
        assert int(conclusion.split("SPI ")[1].split()[0].rstrip(",")[2:], 16) in known, conclusion
    lab.talk(1, 2)
    watch.sealed()
    on_arrival(lab, watch, pods)

    rules(one, OPENSVC + "table inet other { chain forward { "
                         "type filter hook forward priority filter; policy drop; }; }")
    for family, (source, target) in zip((4, 6), pods):
        explained(watch, 1, source, target, "dropped", "forward by inet other forward policy drop")
        assert not answered(lab, 1, 2, family), f"IPv{family} passes"
    for source, target in hosts:
        explained(watch, 1, source, target, "encrypted")     # nothing crosses FORWARD
    rules(one, "delete table inet other; delete table inet osvc")
    below_ip(lab, watch, pods)
    watch.sealed()

    lab.unload(1, 2)
    for source, target in pods:
        explained(watch, 1, source, target, "clear", f"over {one.underlay_device}")
        explained(watch, 2, source, target, "clear", f"comes in clear by {two.underlay_device}")
    lab.talk(1, 2)
    assert watch.wire(1)["transmit", "node2", "cleartext", "ipv4"][0] == 20, "not in clear"
