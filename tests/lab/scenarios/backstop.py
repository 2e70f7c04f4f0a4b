# SPDX-License-Identifier: Apache-2.0
"""What the kernel's own XFRM `block` policies can do beside espial, and what they cannot.

A policy of the lowest priority that blocks all traffic with a peer's backend subnets is asked only
when no other policy matches: when those of charon are gone. No device and no program is involved, so
a device that was just made cannot leak. First the kernel alone is on trial, then espial's own ones.
"""
import signal
import time

from espial_lab import attached
from espial_lab.mesh import BACKEND_V4, BACKEND_V6, Node, Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until
from scenarios.mesh import rekeyed

SHARED = Spec(layout="A")
SEPARATE = Spec()
TRAP = Spec(start="trap")
BOTH = ((1, 2), (2, 1))
LOWEST = 0xFFFFFFFF
ANY = {4: "0.0.0.0/0", 6: "::/0"}
NETWORK = {4: BACKEND_V4, 6: BACKEND_V6}


def _policies(peer: Node, verb: str, end: str) -> list[str]:
    """Lines for `ip`: everything to the peer's backend, whoever sends it, and everything from there
    to the backend network. To any target would be too much: a shared bridge floods the neighbour
    solicitations of the peer's pods, and the kernel checks them, too. Selectors of charon's own
    would not do: see block_policy_with_charons_selector.
    """
    lines = []
    for family in (4, 6):
        its = peer.backend[family]
        lines.append(f"xfrm policy {verb} src {ANY[family]} dst {its} dir out {end}")
        lines += [f"xfrm policy {verb} src {its} dst {NETWORK[family]} dir {way} {end}"
                  for way in ("in", "fwd")]
    return lines


def block(lab: Lab, *pairs: tuple[int, int], undo: bool = True) -> None:
    for number, peer in pairs:
        node, other = lab.mesh.node(number), lab.mesh.node(peer)
        node.namespace.ip(*_policies(other, "add", f"action block priority {LOWEST}"))
        if undo:
            lab.undo(lambda node=node, other=other:
                     node.namespace.ip(*_policies(other, "delete", "")))


def blocked(node: Node) -> tuple[int, int]:
    """(sent, received) packets that a block policy ended, from /proc/net/xfrm_stat."""
    text = node.namespace.run("cat", "/proc/net/xfrm_stat").stdout.split()
    values = dict(zip(text[::2], map(int, text[1::2])))
    return values["XfrmOutPolBlock"], values["XfrmInPolBlock"]


def watching(lab: Lab) -> Watch:
    watch = lab.watch(1, 2, espial=False)
    for number in (1, 2):
        watch.switch(number)
    return watch


@scenario(shared=SHARED, separate=SEPARATE, trap=TRAP)
def block_policy_beside_charon(lab: Lab) -> None:
    """Traps, SAs, rekeys and a charon that comes back: charon's policies go first, nothing is lost."""
    block(lab, *BOTH)
    watch = watching(lab)
    before = [blocked(lab.mesh.node(number)) for number in (1, 2)]
    lab.talk(1, 2, 50)
    sent = rekeyed(lab)
    if lab.mesh.spec is SEPARATE:      # acquired anew, by traffic or by charon
        lab.unload(1, 2)
        lab.mesh.reload(1, 2)
        lab.talk(1, 2)
    assert [blocked(lab.mesh.node(number)) for number in (1, 2)] == before, "a policy blocked"
    watch.sealed()
    lab.notes.append(f"{100 + sent[1]['esp/ipv4']} from node1 around rekeys")


@scenario(shared=SHARED, separate=SEPARATE)
def block_policy_without_charon(lab: Lab) -> None:
    """charon ends cleanly and takes its policies along: nothing leaves, counted by the kernel."""
    block(lab, (1, 2))
    watch = watching(lab)
    node = lab.mesh.node(1)
    lab.unload(1, 2)
    sent, received = blocked(node)
    lab.talk(1, 2, lossy=True)
    # What node2 sends in clear is refused by node1's own policies; both are 20 of each family.
    assert blocked(node) == (sent + 40, received + 40), f"blocked {blocked(node)} after {sent, received}"
    seen = {way: sum(value[0] for key, value in watch.outside(1).items()
                     if key[0] == way and key[2] == "cleartext") for way in ("transmit", "receive")}
    assert seen == {"transmit": 0, "receive": 40}, f"cleartext on the wire of node1: {seen}"


@scenario(separate=SEPARATE)
def block_policy_of_hosts_and_tunnels(lab: Lab) -> None:
    """From the node itself, behind source NAT, and into a tunnel of OpenSVC: nothing leaves."""
    block(lab, (1, 2))
    watch = watching(lab)
    lab.unload(1, 2)
    try:
        lab.host_udp(1, 2, 20, lossy=True)
    except PermissionError:
        lab.notes.append("a process of the node is refused with EPERM")
    lab.nft(1, "ip", "type nat hook postrouting priority 90; "
                     "ip saddr 10.101.1.0/24 ip daddr 10.101.2.0/24 snat to 192.0.2.7")
    lab.udp(1, 2, 20, lossy=True)
    lab.tunnel("ipip", 1, 2)
    for family in (4, 6):
        lab.udp(1, 2, 20, family, lossy=True)
    watch.sealed(1)


@scenario(bare=Spec(secured=False))
def block_policy_of_a_new_device(lab: Lab) -> None:
    """The gap of programs on devices: under traffic the wire device is deleted and made again."""
    block(lab, (1, 2))
    node = lab.mesh.node(1)
    for family in (4, 6):
        lab.underlay_udp(1, 2, 1, family)
    watch = watching(lab)
    before = blocked(node)[0]
    with lab.stream(1, 2) as stream:
        stream.more()
        lab.mesh.unplug(node)
        stream.more()
        lab.mesh.plug(node)
        stream.more(100)
        assert not watch.passed(2), "packets arrived at node2"
    lab.sent += stream.sent
    assert not watch.passed(2) and stream.received == 0
    until("the device works", lambda: lab.underlay_udp(1, 2, 1))
    lab.notes.append(f"{stream.sent} sent, {blocked(node)[0] - before} ended by the policy")


@scenario(separate=SEPARATE)
def block_policy_with_charons_selector(lab: Lab) -> None:
    """A block policy with the very selector of charon is replaced by charon's and goes with it."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    selector = f"src {one.backend[4]} dst {two.backend[4]} dir out"
    lab.unload(1, 2)
    one.namespace.ip(f"xfrm policy add {selector} action block priority {LOWEST}")
    lab.mesh.reload(1, 2)
    shown = one.namespace.run("ip", "xfrm", "policy", "get", *selector.split()).stdout
    assert "action block" not in shown, f"still there: {shown}"
    lab.mesh.unload(1, 2)
    watch = watching(lab)
    lab.udp(1, 2, 20)
    assert watch.passed(2) == 20, f"{watch.passed(2)} of 20 in clear: the block is gone with charon"


@scenario(separate=SEPARATE, spoils=True)
def block_policy_and_flush(lab: Lab) -> None:
    """Who flushes the SPD flushes it all; charon killed and started anew does not."""
    block(lab, *BOTH, undo=False)
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    for node in (one, two):
        node.charon.stop(signal.SIGKILL)
        node.charon.start()
        node.charon.ready()
        shown = node.namespace.run("ip", "xfrm", "policy").stdout
        assert shown.count("action block") == 6, f"{node.name}: {shown}"
        node.namespace.ip("xfrm policy flush", "xfrm state flush")
    watch = watching(lab)
    lab.udp(1, 2, 20)
    assert watch.passed(2) == 20, "the flush left something"


# -- espial's own: enforce: {xfrm_block: true} ---------------------------------------------------

BARE = Spec(secured=False)
ASKED = {"mode": "enforce", "enforce": {"xfrm_block": True}}
EACH = 8    # policies per peer: out, the ICMP that passes, in and fwd, of both families


def ours(node: Node) -> int:
    """Policies of the last two priorities in the kernel."""
    text = node.namespace.run("ip", "xfrm", "policy").stdout
    return text.count("priority 4294967295") + text.count("priority 4294967294")


def placed(lab: Lab, number: int = 1, peers: int = 2) -> None:
    node = lab.mesh.node(number)

    def there() -> bool:
        assert ours(node) == EACH * peers, f"{node.name}: {ours(node)} policies, not {EACH * peers}"
        return True
    until(f"{node.name}: the policies are in place", there, every=0.05)


@scenario(plays={"6.1": "bare", "6.12": "bare"}, needs_espial=True, bare=BARE)
def backstop_device_recreated(lab: Lab) -> None:
    """What enforce_device_recreated measures, with the backstop: nothing passes the new device."""
    for family in (4, 6):
        lab.underlay_udp(1, 2, 1, family)
        lab.udp(1, 2, 1, family)
    node = lab.mesh.node(1)
    watch = lab.watch(1, **ASKED)
    placed(lab)
    watch.switch(2)
    watch.zero(1)
    with lab.stream(1, 2) as stream:
        stream.more()
        for _ in range(5):
            lab.mesh.unplug(node)
            stream.more(20)
            lab.mesh.plug(node)
            stream.more(50)
        until("programs on the new device",
              lambda: attached.both_ways(node.namespace, "prd-port"), every=0.01)
        stream.more(20)
        assert not watch.passed(2), f"{watch.passed(2)} packets of {stream.sent} on the wire"
    lab.sent += stream.sent
    assert stream.received == 0
    until("the device works", lambda: lab.underlay_udp(1, 2, 1))
    lab.notes.append(f"{stream.sent} packets over 5 new devices, none on the wire")
    watch.rewire(1)


@scenario(plays={"6.1": "separate", "6.12": "shared"}, shared=SHARED, separate=SEPARATE, trap=TRAP,
          needs_espial=True)
def backstop_beside_charon(lab: Lab) -> None:
    """Enforced with the backstop on both nodes: traps, rekeys, charon gone and back: nothing is lost."""
    watch = lab.watch(1, 2, **ASKED)
    for number in (1, 2):
        watch.switch(number)
        placed(lab, number)
    before = [blocked(lab.mesh.node(number)) for number in (1, 2)]
    lab.talk(1, 2, 50)
    sent = rekeyed(lab)
    if lab.mesh.spec is SEPARATE:
        lab.unload(1, 2)
        lab.mesh.reload(1, 2)
        lab.talk(1, 2)
    assert [blocked(lab.mesh.node(number)) for number in (1, 2)] == before, "a policy blocked"
    for number in (1, 2):
        placed(lab, number)
    watch.sealed()
    lab.notes.append(f"{100 + sent[1]['esp/ipv4']} from node1 around rekeys")


@scenario(plays={"6.1": "separate"}, separate=SEPARATE, needs_espial=True, spoils=True)
def backstop_flushed(lab: Lab) -> None:
    """Who flushes the SPD takes charon's policies and ours: the daemon puts ours back."""
    watch = lab.watch(1, **ASKED)
    node = lab.mesh.node(1)
    placed(lab)
    node.namespace.ip("xfrm policy flush")
    started = time.monotonic()
    until("they are back", lambda: ours(node) == 2 * EACH, every=0.02)
    took = time.monotonic() - started
    lab.notes.append(f"back after {took:.2f} s")
    before = blocked(node)[0]
    lab.udp(1, 2, 20, lossy=True)
    assert blocked(node)[0] == before + 20, "not the policy ended them"
    watch.sealed(1)


@scenario(plays={"6.12": "bare"}, bare=BARE, needs_espial=True)
def backstop_comes_and_goes(lab: Lab) -> None:
    """Modes, a dead daemon and its deadline, detach: and an administrator's own block stays."""
    node = lab.mesh.node(1)
    admins = "src 192.0.2.0/24 dst 198.51.100.0/24 dir out"
    node.namespace.ip(f"xfrm policy add {admins} action block")
    lab.undo(lambda: node.namespace.ip(f"xfrm policy delete {admins}"))
    watch = lab.watch(1, **ASKED)
    espial = watch.espials[1]
    placed(lab)
    espial.write(mode="audit", enforce={"xfrm_block": True})
    espial.reload()
    placed(lab, peers=0)
    espial.run("policy", "set", "node2", "enforce", "--force", "--confirm-within", "4s", check=True)
    placed(lab, peers=1)
    espial.stop(signal.SIGKILL)
    assert ours(node) == EACH, "gone with the daemon"
    until("the kernel ends the deadline", lambda: ours(node) == 0, every=0.05)
    espial.run("policy", "set", "node3", "enforce", "--force", check=True)   # without a daemon
    placed(lab, peers=1)
    espial.run("policy", "set", "node3", "file", check=True)
    placed(lab, peers=0)
    espial.run("policy", "set", "all", "enforce", "--force", check=True)
    placed(lab)
    espial.start()
    espial.ready()
    placed(lab)
    status = espial.status()["xfrm_block"]
    assert status == {"enabled": True, "wanted": 2 * EACH, "in_place": 2 * EACH, "why": "",
                      "without": []}, status
    espial.stop()
    placed(lab)
    assert lab.udp(1, 2, 5, lossy=True).received == 0, "packets pass"
    espial.detach()
    assert ours(node) == 0, "left by detach"
    shown = node.namespace.run("ip", "xfrm", "policy").stdout
    assert "192.0.2.0/24" in shown, "the administrator's policy is gone"
    lab.udp(1, 2, 5)    # as before
