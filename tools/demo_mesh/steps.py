# SPDX-License-Identifier: Apache-2.0
"""The steps of the demo: how meshes fail, what espial says each time, and how it stops them.

IPv4 goes between node1 and node2, IPv6 between node1 and node3, so that each verdict is about one
family. A step for kernel ESP only needs policies and states in the kernel, which kernel-libipsec
does not make; `user` and `kernel` steps play only with ESP made there.
"""
import dataclasses
import signal
from typing import Callable

from espial_lab.mesh import SECRET
from espial_lab.wait import until

from .stage import PINGS, Stage


@dataclasses.dataclass(frozen=True)
class Step:
    name: str
    story: str
    play: Callable[[Stage], None]
    kernel: bool     # plays with kernel ESP
    user: bool       # plays with ESP in user space


STEPS: list[Step] = []


def step(name: str, story: str, kernel: bool = True, user: bool = True):
    def register(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        STEPS.append(Step(name, story, play, kernel, user))
        return play
    return register


def _four(stage: Stage, verdict: str) -> None:
    """Both ends of both pairs report the same verdict."""
    stage.expect(1, 2, "ipv4", verdict)
    stage.expect(2, 1, "ipv4", verdict)
    stage.expect(1, 3, "ipv6", verdict)
    stage.expect(3, 1, "ipv6", verdict)


@step("healthy", "A healthy mesh.")
def healthy(stage: Stage) -> None:
    stage.watch(scraped=True)
    stage.ping(1, 2, 4)
    stage.ping(1, 3, 6)
    _four(stage, "encrypted")
    stage.expect(2, 3, "both", "silent")
    stage.query_says(1, 2, "ipv4", 1)
    stage.query_says(1, 3, "ipv6", 1)
    stage.exposition_is_clean(1)


@step("policies missing", "Nobody loaded the policies of node1: pings work, all in clear.")
def policies_missing(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.lab.unload(1, 3)
    stage.watch(scraped=True)
    stage.ping(1, 2, 4)
    stage.ping(1, 3, 6)
    stage.ping(2, 3, 4)
    _four(stage, "leaking")
    stage.expect(2, 3, "ipv4", "encrypted")
    stage.alarm(1, "CleartextTraffic", 2)
    stage.alerts(1, "EspialCleartextTraffic", 2)
    stage.query_says(1, 2, "ipv4", 0)
    stage.query_says(1, 3, "ipv6", 0)
    stage.query_says(2, 3, "ipv4", 1)


@step("node added and forgotten", "node3 joined: its routes are there, its connections are not. Nothing "
      "was sent yet.")
def node_added(stage: Stage) -> None:
    stage.lab.unload(1, 3)
    stage.watch()
    stage.expect(1, 3, "both", "exposed")
    stage.alarm(1, "PolicyMissing", 3)
    stage.says(1, "audit", status=1, text="no policy: packets leave in clear")
    stage.ping(1, 3, 4)
    stage.expect(1, 3, "ipv4", "leaking")


@step("IPv6 forgotten", "IPv6 was added to the network, but not to swanctl.conf.")
def ipv6_forgotten(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    for number, peer in ((2, "node1"), (1, "node2")):
        stage.node(number).load(peer, families=(4,))
    until("the IPv4 SAs", lambda: "node2-v4" in stage.node(1).charon.installed() and
          "node1-v4" in stage.node(2).charon.installed())
    stage.watch()
    stage.ping(1, 2, 4)
    stage.ping(1, 2, 6)
    stage.expect(1, 2, "both", "mixed")
    stage.expect(2, 1, "both", "mixed")


@step("policy missing on the sender", "node1 lost its outbound policy; node2 rejects what arrives.",
      user=False)
def sender_only(stage: Stage) -> None:
    one, two = stage.node(1), stage.node(2)
    one.namespace.ip(f"xfrm policy delete src {one.backend[4]} dst {two.backend[4]} dir out")
    stage.lab.undo(lambda: (stage.lab.mesh.unload(1, 2), stage.lab.mesh.reload(1, 2)))
    stage.watch()
    stage.ping(1, 2, 4, loss=100)
    stage.expect(1, 2, "ipv4", "leaking")
    stage.expect(2, 1, "ipv4", "leaking")


@step("route into IPsec lost on the sender", "node1 lost charon's route: it sends in clear, node2 "
      "answers with ESP.", kernel=False)
def sender_route(stage: Stage) -> None:
    one, two = stage.node(1), stage.node(2)
    one.namespace.ip(f"route del {two.backend[4]} table 220")
    stage.lab.undo(lambda: (stage.lab.mesh.unload(1, 2), stage.lab.mesh.reload(1, 2)))
    stage.watch()
    stage.ping(1, 2, 4)
    stage.expect(1, 2, "ipv4", "mixed")
    stage.expect(2, 1, "ipv4", "mixed")


@step("host traffic", "node1 itself talks to a pod: its own address is outside the selectors.",
      user=False)
def host_traffic(stage: Stage) -> None:
    stage.watch()
    stage.host_ping(1, 2, 4)
    stage.expect(1, 2, "ipv4", "leaking")
    stage.expect(2, 1, "ipv4", "leaking")
    stage.alarm(1, "CleartextHost", 2)


@step("host traffic", "Without policies node1 itself talks to pods, too, with its own address.",
      kernel=False)
def host_traffic_unprotected(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.watch()
    stage.host_ping(1, 2, 4)
    stage.expect(1, 2, "ipv4", "leaking")
    stage.expect(2, 1, "ipv4", "leaking")
    stage.alarm(1, "CleartextHost", 2)


def _snat(stage: Stage) -> None:
    stage.lab.nft(1, "ip", "type nat hook postrouting priority 90; "
                           "ip saddr 10.101.1.0/24 ip daddr 10.101.2.0/24 snat to 192.0.2.7")


@step("SNAT before IPsec", "A masquerading rule on node1 takes traffic out of its selector.",
      user=False)
def snat(stage: Stage) -> None:
    _snat(stage)
    stage.watch()
    stage.ping(1, 2, 4, loss=100)
    stage.expect(1, 2, "ipv4", "leaking")
    stage.alarm(1, "CleartextTransit", 2)


@step("leak in a tunnel", "OpenSVC tunnels between node1 and node2, and no policies: ipip in clear.",
      user=False)
def tunnel(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.lab.tunnel("ipip", 1, 2)
    stage.watch()
    stage.ping(1, 2, 4)
    stage.ping(1, 2, 6)
    stage.expect(1, 2, "both", "leaking")
    stage.expect(2, 1, "both", "leaking")


OPENSVC_ACCEPTS = """
table inet osvc { chain osvc-forward { type filter hook forward priority -5;
  ip saddr 10.101.0.0/16 ip daddr 10.101.0.0/16 accept
  ip6 saddr fd00:101::/32 ip6 daddr fd00:101::/32 accept
}; }"""


@step("FORWARD drops", "OpenSVC accepts on node2, but a second base chain drops: a common mistake. espial "
      "names the rule and the fix.")
def forward_drops(stage: Stage) -> None:
    node = stage.node(2).namespace
    node.run("nft", "-f", "-", input=OPENSVC_ACCEPTS)
    stage.lab.undo(lambda: node.run("nft", "delete", "table", "inet", "osvc"))
    stage.lab.nft(2, "inet", "type filter hook forward priority 0; policy drop;")
    stage.watch()
    stage.ping(1, 2, 4, loss=100)
    stage.ping(1, 2, 6, loss=100)
    stage.expect(1, 2, "both", "one_way")
    stage.expect(2, 1, "both", "one_way")
    stage.says(2, "verify", "node1", status=1, text="lost here")
    stage.says(2, "doctor", status=1, text="dropped in FORWARD by inet lab_break c policy drop")
    stage.repair(2)
    stage.ping(1, 2, 4)
    stage.ping(1, 2, 6)
    stage.says(2, "verify", "node1", status=0, text="encrypted both ways")


@step("charon stopped", "charon ends cleanly on node1 while espial watches: its policies go with it.")
def charon_stopped(stage: Stage) -> None:
    stage.watch()
    stage.ping(1, 2, 4)
    stage.expect(1, 2, "ipv4", "encrypted")
    stage.node(1).charon.stop()
    stage.lab.undo(lambda: restart(stage, 1))
    for number in (2, 3):
        until(f"node{number} lost its SAs", lambda: not {"node1-v4", "node1-v6"} &
              stage.node(number).charon.installed().keys())
    stage.ping(1, 2, 4)
    stage.expect(1, 2, "ipv4", "mixed")
    stage.expect(2, 1, "ipv4", "mixed")
    stage.alarm(1, "CleartextTraffic", 2)


@step("no SA", "node2's charon is gone, node1 has a trap: nothing leaves, nothing leaks.",
      user=False)
def no_sa(stage: Stage) -> None:
    one, two = stage.node(1), stage.node(2)
    connection = one.connections()["node2"]
    stage.lab.unload(1, 2)
    two.charon.kill()
    stage.lab.undo(lambda: restart(stage, 2))
    for child in connection["children"].values():
        child["start_action"] = "trap"
    one.charon.load({"node2": connection}, SECRET)
    stage.watch()
    stage.ping(1, 2, 4, loss=100)
    stage.expect(1, 2, "ipv4", "down")


@step("SAs lost", "node2 lost its SAs (a reboot): ESP arrives that it cannot decrypt.", user=False)
def sas_lost(stage: Stage) -> None:
    stage.node(2).namespace.ip("xfrm state flush")
    stage.lab.undo(lambda: restart(stage, 2))
    stage.watch()
    stage.ping(1, 2, 4, loss=100)
    stage.expect(1, 2, "ipv4", "one_way")
    stage.expect(2, 1, "ipv4", "one_way")


@step("charon killed", "charon is killed on node1: policies and SAs stay in the kernel.", user=False)
def charon_killed(stage: Stage) -> None:
    stage.node(1).charon.kill()
    stage.lab.undo(lambda: restart(stage, 1))
    stage.watch()
    stage.ping(1, 2, 4)
    stage.ping(1, 3, 6)
    _four(stage, "encrypted")


@step("charon killed", "charon and its ESP are gone on node1: it sends in clear, node2 sends ESP "
      "that node1 cannot decrypt.", kernel=False)
def charon_killed_in_user_space(stage: Stage) -> None:
    stage.node(1).charon.kill()
    stage.lab.undo(lambda: restart(stage, 1))
    stage.watch()
    stage.ping(1, 2, 4, loss=100)
    stage.expect(1, 2, "ipv4", "mixed")
    stage.expect(2, 1, "ipv4", "mixed")


# -- the same leaks, stopped ---------------------------------------------------------------------

@step("from audit to enforce", "Without policies again, in audit: it passes, and espial says what "
      "enforce would drop.")
def from_audit_to_enforce(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.watch(mode="audit")
    stage.ping(1, 2, 4)
    stage.expect(1, 2, "ipv4", "leaking")
    stage.alarm(1, "WouldDrop", 2)
    stage.says(1, "policy", "set", "node2", "enforce", status=1, text="would be dropped")
    stage.says(1, "policy", "set", "node2", "enforce", "--force", status=0, text="enforce")
    stage.zero()
    stage.ping(1, 2, 4, loss=100)
    stage.stopped(1, 2, "ipv4", {"cleartext": PINGS})


@step("policies missing, enforced", "Enforced: no policies on node1, and nothing leaves; nor after "
      "a SIGKILL of espial.")
def policies_missing_enforced(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.lab.unload(1, 3)
    stage.watch(mode="enforce")
    stage.ping(1, 2, 4, loss=100)
    stage.ping(1, 3, 6, loss=100)
    stage.ping(2, 3, 4)
    stage.stopped(1, 2, "ipv4", {"cleartext": PINGS})
    stage.stopped(1, 3, "ipv6", {"cleartext": PINGS})
    stage.expect(2, 3, "ipv4", "encrypted")
    stage.alarm(1, "EnforcementDropping", 2)
    # The drop path needs no daemon.
    stage.watching.espials[1].stop(signal.SIGKILL)
    stage.ping(1, 2, 4, loss=100)
    stage.ping(1, 3, 6, loss=100)
    stage.stopped(1, 2, "ipv4", {"cleartext": 2 * PINGS})
    stage.stopped(1, 3, "ipv6", {"cleartext": 2 * PINGS})


@step("policies come back, enforced", "Enforced before there are SAs: IKE passes, and then encrypted "
      "traffic.")
def healed_under_enforcement(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.watch(mode="enforce")
    stage.ping(1, 2, 4, loss=100)
    stage.stopped(1, 2, "ipv4", {"cleartext": PINGS})
    stage.lab.mesh.reload(1, 2)
    stage.zero()
    stage.ping(1, 2, 4)
    stage.ping(1, 2, 6)
    stage.expect(1, 2, "both", "encrypted")
    stage.expect(2, 1, "both", "encrypted")


@step("host traffic, enforced", "Enforced: node1 itself talks to a pod.")
def host_traffic_enforced(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.watch(mode="enforce")
    stage.host_ping(1, 2, 4, loss=100)
    stage.stopped(1, 2, "ipv4", {"cleartext_host": PINGS})


@step("SNAT before IPsec, enforced", "Enforced: the masquerading rule.", user=False)
def snat_enforced(stage: Stage) -> None:
    _snat(stage)
    stage.watch(mode="enforce")
    stage.ping(1, 2, 4, loss=100)
    stage.stopped(1, 2, "ipv4", {"cleartext_transit": PINGS})


@step("leak in a tunnel, enforced", "Enforced: ipip and ip6ip6 in clear.", user=False)
def tunnel_enforced(stage: Stage) -> None:
    stage.lab.unload(1, 2)
    stage.lab.tunnel("ipip", 1, 2)
    stage.watch(mode="enforce")
    stage.ping(1, 2, 4, loss=100)
    stage.ping(1, 2, 6, loss=100)
    stage.stopped(1, 2, "both", {"cleartext_tunnel": 2 * PINGS})


@step("charon stopped, enforced", "Enforced: charon ends cleanly on node1, and its policies go with "
      "it.")
def charon_stopped_enforced(stage: Stage) -> None:
    stage.watch(mode="enforce")
    stage.ping(1, 2, 4)
    stage.expect(1, 2, "ipv4", "encrypted")
    stage.node(1).charon.stop()
    stage.lab.undo(lambda: restart(stage, 1))
    for number in (2, 3):
        until(f"node{number} lost its SAs", lambda: not {"node1-v4", "node1-v6"} &
              stage.node(number).charon.installed().keys())
    stage.ping(1, 2, 4, loss=100)
    stage.stopped(1, 2, "ipv4", {"cleartext": PINGS})


def restart(stage: Stage, number: int) -> None:
    """Restarts a node's charon, as after a reboot: no policy or SA of the previous one is left."""
    node, mesh = stage.node(number), stage.lab.mesh
    node.charon.kill()
    node.namespace.ip("xfrm policy flush", "xfrm state flush")
    for peer in node.peers:
        peer.charon.unload(node.name)
    node.charon.start()
    node.charon.ready()
    for peer in node.peers:
        mesh.reload(*sorted((number, peer.number)))
