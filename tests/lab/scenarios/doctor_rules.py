# SPDX-License-Identifier: Apache-2.0
"""Rules that lose the backends' traffic, made for real: on bridges and devices, and as Docker,
firewalld and ufw lay out their chains. `espial doctor` names the rule first, what it prints fixes
it, and a busy firewall that lets the mesh pass is no finding."""
import json
import shlex

from espial_lab import traffic
from espial_lab.mesh import Node, Spec
from espial_lab.scenario import Lab, Watch, scenario

from scenarios.doctor import answered, doctor, fixed, quiet, rules

SHARED = Spec(layout="A")
SEPARATE = Spec()


def with_rules(lab: Lab, node: Node, text: str) -> None:
    """Loads tables, and takes them away when the scenario is over."""
    rules(node, text)
    for line in text.splitlines():
        if line.startswith("table "):
            family, name = line.split()[1:3]
            lab.undo(lambda table=f"delete table {family} {name}": rules(node, table))


def first_says(found: list[dict], *parts: str) -> None:
    for finding in found:
        assert all(part in finding["summary"] for part in parts), finding["summary"]


# -- below IP -------------------------------------------------------------------------------------

@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_bridge_drops(lab: Lab) -> None:
    """A table of the bridge family: the frames of pods end between their port and the node."""
    watch = lab.watch(1, 2)
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    bridge = one.pod_bridge
    with_rules(lab, one, f"""
table bridge guard {{
  chain input {{ type filter hook input priority filter; policy accept;
    meta ibrname "{bridge}" ip saddr 10.101.0.0/16 ip daddr 10.101.0.0/16 counter drop
    ip6 saddr fd00:101::/32 icmpv6 type echo-request drop
  }}
}}
""")
    first_says(fixed(lab, watch, 1, "rule_drops", (4, 6), rounds=2),
               f"INPUT of bridge {bridge} by bridge guard input: ")
    with_rules(lab, two, """
table bridge out {
  chain output { type filter hook output priority filter; policy accept;
    ip daddr 10.101.0.0/16 udp dport != 9 accept
    ether type ip ip daddr 10.101.0.0/16 drop
  }
}
""")
    first_says(fixed(lab, watch, 2, "rule_drops", (4,)),
               f"OUTPUT of bridge {bridge} by bridge out output: ")


def ebtables(lab: Lab, node: Node, table: str, *lines: str) -> None:
    """Commands of legacy ebtables for a table, which is empty again when the scenario is over."""
    lab.undo(lambda: node.namespace.run("ebtables-legacy", "-t", table, "--init-table"))
    for line in lines:
        node.namespace.run("ebtables-legacy", "-t", table, *line.split())


@scenario(plays={"6.1": "separate"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_bridge_drops_legacy(lab: Lab) -> None:
    """Tables of before nft, which shows nothing of them: a rule, and the policy of a user chain."""
    watch = lab.watch(1, 2)
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    bridge = one.pod_bridge
    rule = f"-p IPv4 --logical-in {bridge} --ip-src 10.101.0.0/16 --ip-dst 10.101.0.0/16 -j DROP"
    ebtables(lab, one, "filter", "-N six -P DROP", "-A INPUT -p ARP -j ACCEPT", f"-A INPUT {rule}",
             "-A INPUT -p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type echo-request -j six")
    first = fixed(lab, watch, 1, "rule_drops", (4, 6), rounds=2)
    first_says(first, f"INPUT of bridge {bridge} by bridge filter ")
    assert sorted(finding["summary"].split(" by ")[1] for finding in first) == [
        f"bridge filter INPUT: -A INPUT {rule}", "bridge filter six policy drop"], first
    # The modules are there for every namespace, the rules only for one.
    quiet(watch, 2)
    ebtables(lab, two, "nat", "-A OUTPUT -p IPv4 --ip-dst 10.101.0.0/16 -j DROP")
    first_says(fixed(lab, watch, 2, "rule_drops", (4,)),
               f"OUTPUT of bridge {bridge} by bridge nat OUTPUT: -A OUTPUT -p IPv4 --ip-dst ")
    # Without the program nobody can say what the tables hold: once, not for each of them.
    program = "/usr/sbin/ebtables-legacy"
    two.namespace.run("mount", "--bind", "/dev/null", program)
    try:
        unknown = json.loads(watch.espials[2].run("doctor", "--json").stdout)["unknown"]
    finally:
        two.namespace.run("umount", program)
    assert len(unknown) == 1 and unknown[0].startswith(
        "firewall: ebtables-legacy: not installed"), unknown


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_bridge_policy(lab: Lab) -> None:
    """A bridge that lets only IPv4 pass and ARP: no neighbour is found in IPv6."""
    watch, one = lab.watch(1), lab.mesh.node(1)
    pod = one.pod.namespace
    with_rules(lab, one, """
table bridge strict {
  chain prerouting { type filter hook prerouting priority filter; policy drop;
    ether type { arp, ip } accept
  }
}
""")
    pod.run("ip", "-6", "neigh", "flush", "dev", "eth0")
    assert answered(lab, 1, 2, 4) and not answered(lab, 1, 2, 6)
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "neighbours_blocked", findings
    assert "by bridge strict prerouting policy drop" in findings[0]["summary"], findings[0]
    for _ in range(6):
        if not findings:
            break
        for command in findings[0]["remedies"]:
            one.namespace.run(*shlex.split(command))
        findings = doctor(watch, 1)[1]
    assert answered(lab, 1, 2, 6), "lost still"
    quiet(watch, 1)


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_device_drops(lab: Lab) -> None:
    """netdev chains: of ESP at the wire, of what came out of IPsec where it enters again, both in
    and out, and the ingress hook of an inet table."""
    watch = lab.watch(1, 2)
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    with_rules(lab, two, f"""
table netdev guard {{
  chain wire {{ type filter hook ingress device "{two.wire}" priority filter; policy accept;
    meta l4proto esp counter drop
  }}
}}
""")
    first_says(fixed(lab, watch, 2, "esp_blocked", (4, 6)),
               f"INGRESS of {two.wire} by netdev guard wire: ")
    device = two.underlay_device
    with_rules(lab, two, f"""
table netdev again {{
  chain inner {{ type filter hook ingress device "{device}" priority filter; policy accept;
    ip saddr 10.101.1.0/24 drop
  }}
}}
table inet again {{
  chain inner6 {{ type filter hook ingress device "{device}" priority filter; policy accept;
    ip6 saddr fd00:101:1::/64 drop
  }}
}}
""")
    first_says(fixed(lab, watch, 2, "rule_drops", (4, 6), rounds=2), f"INGRESS of {device} by ")
    with_rules(lab, one, f"""
table netdev leaves {{
  chain out {{ type filter hook egress device "{one.wire}" priority filter; policy accept;
    ip protocol esp ip daddr {two.underlay[4]} drop
  }}
}}
""")
    first_says(fixed(lab, watch, 1, "esp_blocked", (4, 6)),
               f"EGRESS of {one.wire} by netdev leaves out: ")


@scenario(shared=SHARED, separate=SEPARATE, needs_espial=True)
def doctor_link_layer_healthy(lab: Lab) -> None:
    """Busy tables on bridges and devices: they limit, mark and refuse others than the mesh."""
    watch = lab.watch(1, 2)
    for number in (1, 2):
        node = lab.mesh.node(number)
        with_rules(lab, node, f"""
table bridge busy {{
  set strangers {{ type ipv4_addr; flags interval; elements = {{ 192.0.2.0/24 }}
  }}
  chain prerouting {{ type filter hook prerouting priority filter; policy accept;
    ether type 0x88cc drop
    ip saddr @strangers drop
    udp dport {{ 67, 547 }} drop
    tcp dport 25 drop
  }}
  chain forward {{ type filter hook forward priority filter; policy drop;
    ether type arp accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
  }}
}}
table netdev busy {{
  chain wire {{ type filter hook ingress device "{node.wire}" priority filter; policy drop;
    meta protocol != {{ ip, ip6 }} accept
    meta l4proto {{ esp, icmp, ipv6-icmp }} accept
    udp dport {{ 500, 4500 }} accept
    ip saddr 10.101.0.0/16 meta secpath exists accept
    ip6 saddr fd00:101::/32 meta secpath exists accept
  }}
}}
""")
    for family in (4, 6):
        assert answered(lab, 1, 2, family)
    quiet(watch, 1, 2)


# -- the usual firewalls ----------------------------------------------------------------------------

DOCKER = """*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s {containers} ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination {container}
COMMIT
*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
:DOCKER -
:DOCKER-BRIDGE -
:DOCKER-CT -
:DOCKER-FORWARD -
:DOCKER-ISOLATION-STAGE-1 -
:DOCKER-ISOLATION-STAGE-2 -
:DOCKER-USER -
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
COMMIT
"""

# before and user chains, a logging chain with a limit, what is not for this node, policy DROP.
UFW = """*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
:{ufw}-before-input -
:{ufw}-before-forward -
:{ufw}-user-input -
:{ufw}-user-forward -
:{ufw}-after-logging-forward -
:{ufw}-not-local -
:{ufw}-logging-deny -
-A INPUT -j {ufw}-before-input
-A FORWARD -j {ufw}-before-forward
-A FORWARD -j {ufw}-after-logging-forward
-A {ufw}-before-input -i lo -j ACCEPT
-A {ufw}-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A {ufw}-before-input -m conntrack --ctstate INVALID -j {ufw}-logging-deny
-A {ufw}-before-input -m conntrack --ctstate INVALID -j DROP
{icmp_input}
-A {ufw}-before-input -j {ufw}-not-local
-A {ufw}-before-input -j {ufw}-user-input
-A {ufw}-not-local -m addrtype --dst-type LOCAL -j RETURN
-A {ufw}-not-local -m addrtype --dst-type MULTICAST -j RETURN
-A {ufw}-not-local -m limit --limit 3/min --limit-burst 10 -j {ufw}-logging-deny
-A {ufw}-not-local -j DROP
-A {ufw}-logging-deny -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A {ufw}-before-forward -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{icmp_forward}
-A {ufw}-before-forward -j {ufw}-user-forward
-A {ufw}-after-logging-forward -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A {ufw}-user-input -p tcp -m tcp --dport 22 -j ACCEPT
-A {ufw}-user-input -p udp -m multiport --dports 500,4500 -j ACCEPT
-A {ufw}-user-input -p esp -j ACCEPT
COMMIT
"""


def ufw(v6: bool) -> str:
    name = "ufw6" if v6 else "ufw"
    if v6:
        neighbours = [f"-A {name}-before-input -p icmpv6 --icmpv6-type {kind} -m hl --hl-eq 255 "
                      "-j ACCEPT" for kind in (135, 136)]
        answers = [f"-A {name}-before-{{chain}} -p icmpv6 --icmpv6-type {kind} -j ACCEPT"
                   for kind in (1, 2, 128, 129)]
    else:
        neighbours = []
        answers = [f"-A {name}-before-{{chain}} -p icmp --icmp-type {kind} -j ACCEPT"
                   for kind in (3, 8)]
    return UFW.format(ufw=name,
                      icmp_input="\n".join([line.format(chain="input") for line in answers]
                                           + neighbours),
                      icmp_forward="\n".join(line.format(chain="forward") for line in answers))


# Zones by verdict map, policies between zones, what they do not name rejected, IPv6 routes asked.
FIREWALLD = """
table inet firewalld {{
  chain filter_PREROUTING {{ type filter hook prerouting priority filter + 10; policy accept;
    icmpv6 type {{ nd-router-advert, nd-neighbor-solicit }} accept
    meta nfproto ipv6 fib saddr . mark . iif oif missing drop
  }}
  chain filter_INPUT {{ type filter hook input priority filter + 10; policy accept;
    ct state {{ established, related }} accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    jump filter_INPUT_ZONES
    reject with icmpx type admin-prohibited
  }}
  chain filter_FORWARD {{ type filter hook forward priority filter + 10; policy accept;
    ct state {{ established, related }} accept
    ct status dnat accept
    iifname "lo" accept
    ct state invalid drop
    ip6 daddr {{ ::/96, ::ffff:0.0.0.0/96, 2002:a00::/24 }} reject with icmpv6 type addr-unreachable
    jump filter_FORWARD_ZONES
    reject with icmpx type admin-prohibited
  }}
  chain filter_INPUT_ZONES {{
    iifname vmap {{ "{pods}" : goto filter_IN_internal }}
    goto filter_IN_public
  }}
  chain filter_FORWARD_ZONES {{
    iifname vmap {{ "{pods}" : goto filter_FWD_internal }}
    goto filter_FWD_public
  }}
  chain filter_IN_internal {{ accept
  }}
  chain filter_IN_public {{
    jump filter_IN_public_allow
    meta l4proto {{ icmp, ipv6-icmp }} accept
    reject with icmpx type admin-prohibited
  }}
  chain filter_IN_public_allow {{
    tcp dport 22 accept
    udp dport {{ 500, 4500 }} accept
    meta l4proto esp accept
  }}
  chain filter_FWD_internal {{ accept
  }}
  chain filter_FWD_public {{
    jump filter_FWD_public_allow
    reject with icmpx type admin-prohibited
  }}
  chain filter_FWD_public_allow {{
    {allow}
  }}
}}
"""


def udp_passes(lab: Lab, family: int) -> bool:
    source, target = lab.mesh.node(1).pod, lab.mesh.node(2).pod
    sent = traffic.udp(source.namespace, source.address(family), target.namespace,
                       target.address(family), 5, 64, lossy=True)
    lab.sent += sent.sent
    return sent.received == sent.sent


def of_iptables(lab: Lab, watch: Watch, texts: dict[int, str], chain: str) -> None:
    """On the receiver: the policy of FORWARD drops, and one rule in the right chain lets it pass."""
    two = lab.mesh.node(2)
    tools = {4: "iptables-nft-restore", 6: "ip6tables-nft-restore"}
    for family, text in texts.items():
        two.namespace.run(tools[family], input=text)
        lab.undo(lambda family=family: rules(two, f"delete table {'ip' if family == 4 else 'ip6'} "
                                                  "filter"))
        if "*nat" in text:
            lab.undo(lambda family=family: rules(
                two, f"delete table {'ip' if family == 4 else 'ip6'} nat"))
    for family in texts:
        assert not udp_passes(lab, family), f"IPv{family} passes: nothing to explain"
    for _ in texts:
        status, findings = doctor(watch, 2)
        assert status == 1 and findings[0]["cause"] == "rule_drops", findings
        assert "filter FORWARD policy drop" in findings[0]["summary"], findings[0]
        assert findings[0]["remedies"], findings[0]
        for command in findings[0]["remedies"]:
            assert f" -I {chain} " in command, command
            two.namespace.run(*shlex.split(command))
    for family in texts:
        assert udp_passes(lab, family), f"IPv{family}: lost still"
    quiet(watch, 2)


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True)
def doctor_docker(lab: Lab) -> None:
    """Docker's chains, whose policy drops what they do not name: one rule in DOCKER-USER fixes it."""
    of_iptables(lab, lab.watch(2), {
        4: DOCKER.format(containers="172.17.0.0/16", container="172.17.0.2:80"),
        6: DOCKER.format(containers="fd17::/64", container="[fd17::2]:80")}, "DOCKER-USER")


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_ufw(lab: Lab) -> None:
    """ufw lets pings pass and drops all else that it is not told of."""
    of_iptables(lab, lab.watch(2), {4: ufw(False), 6: ufw(True)}, "FORWARD")


@scenario(separate=SEPARATE, needs_espial=True)
def doctor_firewalld(lab: Lab) -> None:
    """Every device in the zone public, which forwards nothing; then one that allows the network."""
    watch, two = lab.watch(2), lab.mesh.node(2)
    with_rules(lab, two, FIREWALLD.format(pods=two.pod_bridge, allow="tcp dport 80 accept"))
    found = fixed(lab, watch, 2, "rule_drops", (4, 6), rounds=1)
    first_says(found, "rejected in FORWARD by inet firewalld filter_FWD_public: ")
    rules(two, "flush chain inet firewalld filter_FORWARD")
    rules(two, "delete table inet firewalld")
    rules(two, FIREWALLD.format(
        pods=two.pod_bridge, allow="ip saddr 10.101.0.0/16 ip daddr 10.101.0.0/16 accept\n"
        "    ip6 saddr fd00:101::/32 ip6 daddr fd00:101::/32 accept"))
    for family in (4, 6):
        assert udp_passes(lab, family), "the network is allowed"
    quiet(watch, 2)
