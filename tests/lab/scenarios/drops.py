# SPDX-License-Identifier: Apache-2.0
"""What the kernel drops of the mesh: espial names peer, hook and reason, and counts as the rule does."""
import json
import re

from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until

COUNT = 20


def rule_packets(lab: Lab, number: int) -> int:
    """What the rules of lab_break have counted."""
    told = lab.mesh.node(number).namespace.run("nft", "list", "table", "inet", "lab_break").stdout
    return sum(int(packets) for packets in re.findall(r"counter packets (\d+)", told))


def names(watch: Watch, number: int, peer: int, hook: str, by_family: dict[str, int],
          reasons: dict[str, int]) -> None:
    """Exactly this was dropped of the peer, and nothing of any other."""
    espial = watch.espials.get(number)
    if not espial:
        return

    def right() -> bool:
        status = espial.status()
        seen = {espial._known_as(entry): entry["kernel_drops"] for entry in status["peers"]}
        wanted = {"netfilter": {hook: by_family} if hook else {}, "reasons": reasons}
        assert seen.pop(f"node{peer}") == wanted, f"{espial.peer(f'node{peer}', status)['kernel_drops']}"
        assert all(other == {"netfilter": {}, "reasons": {}} for other in seen.values()), seen
        return True
    until(f"node{number}: drops of node{peer}", right, every=0.2)


def drop(lab: Lab, number: int, hook: str, match: str) -> None:
    lab.nft(number, "inet", f"type filter hook {hook} priority 0;\n  {match} counter drop")


def backend_drop(lab: Lab, watch: Watch, where: int, peer: int, hook: str, told: str) -> None:
    """Rules of node `where` drop what node1's pod sends to node2's."""
    target = lab.mesh.node(2).pod
    drop(lab, where, hook, f"ip daddr {target.v4} counter drop\n  ip6 daddr {target.v6}")
    for family in (4, 6):
        lab.udp(1, 2, COUNT, family, lossy=True)
    assert rule_packets(lab, where) == 2 * COUNT, "the rules dropped something else"
    names(watch, where, peer, told, {"ipv4": COUNT, "ipv6": COUNT}, {"NETFILTER_DROP": 2 * COUNT})


@scenario(plays={"6.1": "separate", "6.12": "shared"}, shared=Spec(layout="A"), separate=Spec())
def drops_forward_receiver(lab: Lab) -> None:
    """Decrypted packets are dropped: a common mistake."""
    watch = lab.watch(1, 2)
    # On a shared bridge a packet leaves by the device that it came by: two hooks look alike.
    shared = lab.mesh.spec.layout == "A"
    backend_drop(lab, watch, 2, 1, "forward", "forward_or_postrouting" if shared else "forward")
    watch.fires(2, "ForwardDrops", 1, 2)
    watch.lossless(1)


@scenario(shared=Spec(layout="A"), separate=Spec())
def drops_forward_sender(lab: Lab) -> None:
    """Before encryption the XFRM bundle hides which of two hooks it was."""
    watch = lab.watch(1, 2)
    backend_drop(lab, watch, 1, 2, "forward", "forward_or_postrouting")
    watch.fires(1, "ForwardDrops", 2, 2)
    watch.lossless(2)


@scenario(plays={"6.1": "separate"}, separate=Spec())
def drops_esp(lab: Lab) -> None:
    """ESP between underlays, as it leaves and as it arrives."""
    watch = lab.watch(1, 2)
    one, two = lab.mesh.node(1).underlay[4], lab.mesh.node(2).underlay[4]
    drop(lab, 1, "output", f"ip daddr {two} ip protocol esp")
    lab.udp(1, 2, COUNT, lossy=True)
    assert rule_packets(lab, 1) == COUNT
    names(watch, 1, 2, "output", {"ipv4": COUNT}, {"NETFILTER_DROP": COUNT})
    drop(lab, 2, "input", f"ip saddr {one} ip protocol esp")
    lab.mesh.node(1).namespace.run("nft", "flush", "chain", "inet", "lab_break", "c")
    lab.udp(1, 2, COUNT, lossy=True)
    assert rule_packets(lab, 2) == COUNT
    names(watch, 2, 1, "input", {"ipv4": COUNT}, {"NETFILTER_DROP": COUNT})


@scenario(plays={"6.12": "separate"}, separate=Spec())
def drops_flows(lab: Lab) -> None:
    """`espial flows --class dropped` names the ends."""
    watch = lab.watch(1)
    backend_drop(lab, watch, 1, 2, "forward", "forward_or_postrouting")
    if 1 not in watch.espials:
        return
    told = watch.espials[1].run("flows", "--class", "dropped", "--json", check=True).stdout
    ends = {(flow["source"], flow["destination"], flow["packets"], flow["hook"])
            for flow in json.loads(told)["kernel_drops"]}
    one, two = lab.mesh.node(1).pod, lab.mesh.node(2).pod
    assert ends == {(one.v4, two.v4, COUNT, "forward_or_postrouting"),
                    (one.v6, two.v6, COUNT, "forward_or_postrouting")}, ends
    rules = {flow["source"]: (flow["rule_hook"], flow["rule"])
             for flow in json.loads(told)["kernel_drops"]}
    by = "inet lab_break c: ip{} daddr {} counter packets {} bytes "
    for source, target, family in ((one.v4, two.v4, ""), (one.v6, two.v6, "6")):
        hook, rule = rules[source]
        assert hook == "forward" and rule.startswith(by.format(family, target, COUNT)), rules
    text = watch.espials[1].run("flows", "--class", "dropped").stdout
    assert f"netfilter forward by {by.format('', two.v4, COUNT)}" in text, text
    lab.mesh.node(1).namespace.run("nft", "flush", "chain", "inet", "lab_break", "c")
    text = watch.espials[1].run("flows", "--class", "dropped").stdout
    assert "netfilter forward_or_postrouting" in text, f"no rule says so any more: {text}"
