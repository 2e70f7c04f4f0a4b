# SPDX-License-Identifier: Apache-2.0
"""Rules and routes that keep packets from IPsec: made for real, named first by `espial doctor`, fixed
by what it prints."""
from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, scenario
from scenarios.doctor import fixed, quiet

SEPARATE = Spec()
SHARED = Spec(layout="A")


@scenario(plays={"6.1": "separate"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def route_prohibited_by_a_rule(lab: Lab) -> None:
    """A rule that prohibits what pods send is named, and fixed by what is printed."""
    watch = lab.watch(1)
    node = lab.mesh.node(1)
    node.namespace.ip("rule add priority 100 from 10.101.1.0/24 prohibit")
    finding = fixed(lab, watch, 1, "route_rejects", (4,))[0]
    assert "100: from 10.101.1.0/24 prohibit" in finding["summary"], finding
    assert finding["family"] == "ipv4" and finding["peers"] == ["node2", "node3"], finding


@scenario(separate=SEPARATE, needs_espial=True)
def route_rejected_in_a_table(lab: Lab) -> None:
    """Both families: a blackhole, and what tells the sender."""
    watch = lab.watch(1)
    node = lab.mesh.node(1)
    node.namespace.ip("rule add priority 100 to 10.101.0.0/16 lookup 99",
                      "route add blackhole 10.101.2.0/24 table 99",
                      "route add unreachable fd00:101:2::/64 table 99")
    six = ("ip", "-6", "rule")
    node.namespace.run(*six, "add", "priority", "100", "to", "fd00:101::/32", "lookup", "99")
    lab.undo(lambda: (node.namespace.ip("rule del priority 100"),
                      node.namespace.run(*six, "del", "priority", "100")))
    first = fixed(lab, watch, 1, "route_rejects", (4, 6), rounds=2)
    for finding in first:
        assert "table 99" in finding["summary"] and finding["peers"] == ["node2"], finding


@scenario(separate=SEPARATE, needs_espial=True)
def route_rules_that_do_no_harm(lab: Lab) -> None:
    """Rules for others, a throw route, and a blackhole behind more specific routes: quiet."""
    watch = lab.watch(1)
    node = lab.mesh.node(1)
    node.namespace.ip("rule add priority 90 fwmark 0x77 prohibit",
                      "rule add priority 91 iif lo uidrange 4000-5000 lookup 99",
                      "rule add priority 92 from 10.101.1.0/24 lookup 99",
                      "route add throw 10.101.0.0/16 table 99",
                      "rule add priority 93 not from 10.0.0.0/8 blackhole",
                      "route add blackhole 10.101.0.0/16")
    lab.undo(lambda: node.namespace.ip(*(f"rule del priority {number}" for number in range(90, 94)),
                                       "route del blackhole 10.101.0.0/16"))
    lab.talk(1, 2)
    quiet(watch, 1)


@scenario(separate=SEPARATE, needs_espial=True)
def route_of_an_underlay_diverted(lab: Lab) -> None:
    """A rule sends what is for a peer on the same network to a router that is not there."""
    watch = lab.watch(1)
    node = lab.mesh.node(1)
    node.namespace.ip("rule add priority 100 to 10.45.0.12 lookup 98",
                      f"route add default via 10.45.0.250 dev {node.underlay_device} table 98")
    lab.undo(lambda: node.namespace.ip("rule del priority 100"))
    first = fixed(lab, watch, 1, "underlay_route", (4, 6))
    assert "rule 100: from all to 10.45.0.12/32" in first[0]["evidence"][-1], first
    assert first[0]["peers"] == ["node2"], first


@scenario(plays={"6.12": "shared"}, shared=SHARED, separate=SEPARATE, needs_espial=True)
def route_of_own_pods_diverted(lab: Lab) -> None:
    """Both families: what is decrypted for this node's pods is sent into another bridge."""
    watch = lab.watch(2)
    node = lab.mesh.node(2)
    came = node.underlay_device
    node.namespace.ip("link add docker0 type bridge", "link set docker0 up",
                      f"rule add priority 100 iif {came} to {node.backend[4]} lookup 98",
                      f"route add {node.backend[4]} dev docker0 table 98")
    six = ("ip", "-6", "rule")
    node.namespace.run(*six, "add", "priority", "100", "iif", came, "to", node.backend[6],
                       "lookup", "98")
    node.namespace.ip(f"route add {node.backend[6]} dev docker0 table 98")
    lab.undo(lambda: (node.namespace.ip("rule del priority 100", "link del docker0"),
                      node.namespace.run(*six, "del", "priority", "100")))
    first = fixed(lab, watch, 2, "own_route", (4, 6), rounds=2)
    for finding in first:
        assert "through docker0" in finding["summary"], finding
        assert finding["peers"] == ["node1", "node3"], finding
