# SPDX-License-Identifier: Apache-2.0
"""OpenSVC's cluster.conf, or its agent's socket, says who is who: espial is told nothing else."""
import os
import time

from espial_lab.espial import Espial
from espial_lab.mesh import Node, Spec
from espial_lab.opensvc_agent import Agent
from espial_lab.scenario import DEBIAN, Lab, scenario
from espial_lab.wait import until

EVERYWHERE = DEBIAN + ("running",)
SECRET = "0123456789abcdef-the-cluster's-secret"

# What counts is one second from the change of the file to the peer table.


def conf_path(node: Node) -> str:
    return f"{node.folder}/opensvc/cluster.conf"


def write_conf(node: Node, nodes: list[Node]) -> None:
    """As the agent does: a new file beside the old one, then a rename."""
    text = f"[cluster]\nname = lab\nsecret = {SECRET}\nnodes = {' '.join(n.name for n in nodes)}\n"
    device = "" if node.pod_bridge == "obr_backendnet" else f"dev = {node.pod_bridge}\n"
    for name, family, network in (("backendnet", 4, "10.101.0.0/16"), ("backend6", 6, "fd00:101::/32")):
        text += f"\n[network#{name}]\ntype = routed_bridge\ntunnel = never\nnetwork = {network}\n{device}"
        for member in nodes:
            text += f"subnet@{member.name} = {member.backend[family]}\n" \
                    f"addr@{member.name} = {member.underlay[family]}\n"
    os.makedirs(os.path.dirname(conf_path(node)), exist_ok=True)
    with open(f"{conf_path(node)}.new", "w") as file:
        file.write(text)
    os.rename(f"{conf_path(node)}.new", conf_path(node))


def started(lab: Lab, numbers: tuple[int, ...], members: tuple[int, ...]):
    for number in numbers:
        node = lab.mesh.node(number)
        write_conf(node, [lab.mesh.node(n) for n in members])
        lab.undo(lambda node=node: os.remove(conf_path(node)))
    # The path of each node's file is its own.
    return {number: Espial(lab.mesh.node(number), discover=True,
                           opensvc_conf=conf_path(lab.mesh.node(number))) for number in numbers}


def names(espial: Espial) -> list[str]:
    """Without candidates: the routes to the others' subnets are there whatever OpenSVC says."""
    return [peer["name"] for peer in espial.status()["peers"] if peer["state"] != "candidate"]


@scenario(plays={"running": "shared separate"}, kernels=EVERYWHERE, needs_espial=True,
          shared=Spec(layout="A", secured=False), separate=Spec(secured=False))
def opensvc_node_added(lab: Lab) -> None:
    """Peers, names and networks come from cluster.conf before any policy; a node that is added there is
    a peer (nobody waits for the minute after which the file is read in any case), and the first packet to it is counted as a leak; one that left is none."""
    espials = started(lab, (1,), (1, 2))
    espial, node = espials[1], lab.mesh.node(1)
    try:
        espial.start()
        espial.ready()
        assert names(espial) == ["node2"], f"peers {names(espial)}"
        peer = espial.peer("node2")
        assert set(peer["underlay"]) == set(lab.mesh.node(2).underlay.values()), peer["underlay"]
        lab.udp(1, 2, 5)

        def leaks() -> bool:
            seen = espial.counts()["transmit", "node2", "cleartext", "ipv4"][0]
            assert seen == 5, f"{seen} packets in clear to node2, sent 5"
            return True
        until("node2's leak is counted", leaks, every=0.1)
        write_conf(node, [lab.mesh.node(n) for n in (1, 2, 3)])
        begun = time.monotonic()
        until("node3 is a peer", lambda: names(espial) == ["node2", "node3"], every=0.002)
        took = time.monotonic() - begun
        lab.notes.append(f"node added after {1000 * took:.0f} ms")
        for family in (4, 6):
            lab.udp(1, 3, 7, family)

        def counted() -> bool:
            seen = {family: espial.counts()["transmit", "node3", "cleartext", family][0]
                    for family in ("ipv4", "ipv6")}
            assert seen == {"ipv4": 7, "ipv6": 7}, f"to node3 in clear: {seen}, sent 7 each"
            return True
        until("the very first packets to node3 are counted", counted, every=0.1)
        # A file that cannot be read removes nothing; one without the node does.
        os.rename(conf_path(node), f"{conf_path(node)}.gone")
        time.sleep(0.3)
        assert names(espial) == ["node2", "node3"], f"without the file: {names(espial)}"
        with open(conf_path(node), "w") as file:
            file.write("[cluster]\nnodes =\n")

        def unreadable() -> bool:
            sources = {source["source"]: source for source in espial.status()["sources"]}
            return "opensvc" in sources and not sources["opensvc"]["up"]
        until("the source is down", unreadable, every=0.05)
        assert names(espial) == ["node2", "node3"], f"with a bad file: {names(espial)}"
        write_conf(node, [lab.mesh.node(n) for n in (1, 3)])
        until("node2 has left", lambda: names(espial) == ["node3"], every=0.01)
        with open(espial.log) as file:
            assert SECRET not in file.read(), "the cluster's secret is in the log"
    finally:
        espial.stop()
        espial.detach()


@scenario(plays={"6.12": "shared"}, kernels=EVERYWHERE[:2], needs_espial=True,
          shared=Spec(layout="A"), separate=Spec())
def opensvc_healthy_mesh(lab: Lab) -> None:
    """An encrypted mesh that only cluster.conf describes: names, verdicts, no finding, no alarm."""
    espials = started(lab, (1, 2), (1, 2, 3))
    try:
        for espial in espials.values():
            espial.start()
        for espial in espials.values():
            espial.ready()
        lab.talk(1, 2)

        def encrypted() -> bool:
            for number, other in ((1, "node2"), (2, "node1")):
                peers = {peer["name"]: peer["verdict"] for peer in espials[number].status()["peers"]}
                assert set(peers) == {f"node{n}" for n in (1, 2, 3) if n != number}, peers
                assert peers[other] == "encrypted", peers
            return True
        until("both see ESP", encrypted, every=0.2)
        for number, espial in espials.items():
            assert not espial.firing(), f"node{number}: {espial.firing()}"
            findings = espial.status()["findings"]
            assert not findings, f"node{number}: {findings}"
        text = espials[1].run("config", "discover", check=True).stdout
        found = f"{espials[1].folder}/found.yaml"
        with open(found, "w") as file:
            file.write(text)
        espials[1].node.namespace.run(espials[1].program, "config", "check", found)
        assert "# opensvc, policy" in text and "node3" in text, text
    finally:
        for espial in espials.values():
            espial.stop()
            espial.detach()


def source(espial: Espial) -> dict:
    return next(one for one in espial.status()["sources"] if one["source"] == "opensvc")


@scenario(plays={"running": "separate"}, kernels=("running",), needs_espial=True,
          separate=Spec(secured=False))
def opensvc_socket(lab: Lab) -> None:
    """Without cluster.conf the agent's socket is asked: a node that joins is in the data plane within
    a second of the agent's event, its first packets are counted; an agent that cannot answer about one
    node takes nothing away, disarms nothing and is asked again soon."""
    node, two, three = (lab.mesh.node(n) for n in (1, 2, 3))
    path = f"{node.folder}/om3/http.sock"
    agent = Agent(path, node, [node, two])
    espial = Espial(node, discover=True, opensvc_conf=f"{node.folder}/om3/none.conf", opensvc_socket=path)
    try:
        espial.start()
        espial.ready()
        until("node2 is a peer", lambda: names(espial) == ["node2"], every=0.01)
        espial.run("policy", "set", "node2", "enforce", "--force", check=True)
        agent.members = [node, two, three]
        agent.tell()
        begun = time.monotonic()
        until("node3 is a peer", lambda: names(espial) == ["node2", "node3"], every=0.002)
        took = time.monotonic() - begun
        lab.notes.append(f"node added after {1000 * took:.0f} ms")
        for family in (4, 6):
            lab.udp(1, 3, 7, family)

        def counted() -> bool:
            seen = {family: espial.counts()["transmit", "node3", "cleartext", family][0]
                    for family in ("ipv4", "ipv6")}
            assert seen == {"ipv4": 7, "ipv6": 7}, f"to node3 in clear: {seen}, sent 7 each"
            return True
        until("the leak to node3 is counted", counted, every=0.1)

        failing = {"node2"}
        agent.fails = lambda name: name in failing
        before = agent.failures
        agent.tell()
        until("the source is down", lambda: not source(espial)["up"], every=0.02)
        until("the agent is asked again", lambda: agent.failures >= before + 3, every=0.02)
        assert "network#backendnet.subnet@node2: the agent answers 500" in str(source(espial)), source(espial)
        assert names(espial) == ["node2", "node3"], f"while it fails: {names(espial)}"
        peer = espial.peer("node2")
        assert peer["mode"] == "enforce", peer["mode"]
        assert all(subnet in str(peer["backend"]) for subnet in two.backend.values()), peer["backend"]
        held = lab.udp(1, 2, 5, lossy=True)
        assert held.received == 0, f"{held.received} of {held.sent} reached node2 in clear"
        assert espial.drops("node2")["transmit", "cleartext"][0] == 5, espial.drops("node2")
        failing.clear()
        begun = time.monotonic()
        until("the source is up", lambda: source(espial)["up"], every=0.02)
        lab.notes.append(f"up again after {1000 * (time.monotonic() - begun):.0f} ms")
        assert names(espial) == ["node2", "node3"], f"afterwards: {names(espial)}"
        agent.members = [node, three]
        agent.tell()
        until("node2 has left", lambda: names(espial) == ["node3"], every=0.01)
    finally:
        espial.stop()
        espial.detach()
        agent.stop()
