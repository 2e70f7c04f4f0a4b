# SPDX-License-Identifier: Apache-2.0
"""An instance of espial as a whole: how soon it tells, with a second one beside it, how it leaves."""
import os
import time

from espial_lab import attached
from espial_lab.espial import Espial
from espial_lab.mesh import Spec
from espial_lab.scenario import DEBIAN, Lab, Watch, scenario
from espial_lab.wait import until, whole_lines

EVERYWHERE = DEBIAN + ("running",)
BARE = Spec(secured=False)

# The daemon looks by itself each second: what it tells much sooner, an event has told it. An emulated
# machine is too slow to tell one from the other.
BY_EVENT, TRIES = 0.5, 5


def _again(watch: Watch, number: int) -> None:
    """A daemon that remembers nothing in the place of this one."""
    espial = watch.espials[number]
    espial.stop()
    espial.detach()
    os.unlink(f"{espial.folder}/state/alarms.json")
    espial.start()
    espial.ready()
    watch.zero(number)


@scenario(plays={"running": "bare"}, kernels=EVERYWHERE, needs_espial=True, bare=BARE)
def first_clear_packet(lab: Lab) -> None:
    """One packet in clear, and the alarm is there: at the sender and at the receiver."""
    watch = lab.watch(1, 2)
    for number, peer in ((1, 2), (2, 1)):
        espial, wanted, took = watch.espials[number], ("CleartextTraffic", f"node{peer}"), 9.0
        for turn in range(TRIES):
            # The other one has seen the first packet; and on a busy machine any one try may wait for
            # a processor.
            if turn or number == 2:
                _again(watch, number)
            assert wanted not in espial.firing(), \
                f"node{number}: fires before the first packet: {espial.run('flows').stdout}"
            espial.looked()
            started = time.monotonic()
            lab.udp(number, peer, 1, family=4 if number == 1 else 6)
            until("the alarm fires", lambda: wanted in espial.firing(espial.served()), every=0.002)
            took = min(took, time.monotonic() - started)
            if took < BY_EVENT or lab.kernel != "running":
                break
        lab.notes.append(f"alarm of node{number} after {1000 * took:.0f} ms")
        assert took < BY_EVENT or lab.kernel != "running", \
            f"node{number}: alarm after {1000 * took:.0f} ms at best: no event woke it"


@scenario(plays={"6.1": "bare", "running": "bare"}, kernels=EVERYWHERE, needs_espial=True, bare=BARE)
def two_instances(lab: Lab) -> None:
    """Two of them watch the same devices of the same node; one leaves, the other goes on."""
    watch, node = lab.watch(1, 2), lab.mesh.node(1)
    second = Espial(node, second=True)
    try:
        second.start()
        second.ready()
        count = attached.programs(node.namespace, "prd-port", "ingress")
        assert count == 2, f"{count} programs at the ingress of the wire device"
        lab.talk(1, 2, 10)
        watch.agree()

        def same() -> bool:
            for way in ("receive", "transmit"):
                seen = second.peer("node2")[way]["packets"]["cleartext"]
                assert seen == {"ipv4": 10, "ipv6": 10}, f"the second one: {way} {seen}"
            return True
        until("the second one counts the same", same, every=0.2)
    finally:
        second.stop()
        second.detach()
    # The kernel ends a link some time after its last pin is gone.
    until("only the first one's program is left",
          lambda: attached.programs(node.namespace, "prd-port", "ingress") == 1)
    lab.talk(1, 2, 10)
    watch.agree()


@scenario(plays={"6.1": "bare", "6.12": "bare", "running": "bare"}, kernels=EVERYWHERE,
          needs_espial=True, spoils=True, bare=BARE)
def detach_leaves_nothing(lab: Lab) -> None:
    """Programs, maps, links, pins and qdiscs are gone; what others attached is as it was."""
    node, other = lab.mesh.node(1), lab.mesh.node(2)
    tc = other.namespace.run
    tc("tc", "qdisc", "add", "dev", "prd-port", "clsact")
    # A kernel may lack this classifier; then the qdisc is what somebody else has.
    filtered = tc("tc", "filter", "add", "dev", "prd-port", "ingress", "prio", "77", "matchall",
                  "action", "ok", check=False).returncode == 0
    assert filtered or lab.kernel == "running"
    others = attached.clsact(node.namespace, "prd-port")
    watch = lab.watch(1, 2)
    lab.talk(1, 2, 10)
    watch.agree()
    assert attached.both_ways(node.namespace, "prd-port")
    # A device that was renamed, and one that changed its role, are left clean, too.
    node.namespace.ip("link set prd-port down", "link set prd-port name prd-other",
                      "link set prd-other up")
    until("attached to the renamed device",
          lambda: attached.both_ways(node.namespace, "prd-other"))
    for number in (1, 2):
        espial = watch.espials[number]
        espial.stop()
        espial.detach()
        assert not os.path.exists(espial.pins), f"pins are left: {os.listdir(espial.pins)}"
        again = espial.run("detach")
        assert again.returncode == 0, "a second detach complains"
    watch.espials.clear()
    for namespace, device in ((node.namespace, "prd-other"), (node.namespace, "br-prd"),
                              (other.namespace, "br-prd")):
        for hook in ("ingress", "egress"):
            until(f"{device} {hook}: no program of ours",
                  lambda: not attached.programs(namespace, device, hook))
        assert attached.clsact(namespace, device) is others, f"{device}: a clsact qdisc is left"
    assert attached.clsact(other.namespace, "prd-port"), "the qdisc of somebody else is gone"
    assert not filtered or \
        "pref 77" in tc("tc", "filter", "show", "dev", "prd-port", "ingress").stdout, \
        "the filter of somebody else is gone"
    # On the running kernel there may be other espials; the emulated machine has only these.
    if lab.kernel != "running":
        for kind in ("link", "prog", "map"):
            until(f"no {kind} is left", lambda: not attached.everywhere(kind), every=0.2)


@scenario(plays={"running": "bare"}, kernels=("6.12", "running"), needs_espial=True, bare=BARE)
def xfrm_storm(lab: Lab) -> None:
    """A thousand policies at once are a handful of dumps and audits, and the last one has them all."""
    node = lab.mesh.node(1)
    espial = Espial(node)
    trace = f"{espial.folder}/trace"

    def dumps() -> list[float]:
        """When the daemon asked the kernel for all policies, as strace saw it."""
        return [float(line.split()[1]) for line in whole_lines(trace) if "XFRM_MSG_GETPOLICY" in line]

    def policies(verb: str) -> list[str]:
        return [f"xfrm policy {verb} src 10.101.1.0/24 dst 10.{200 + n // 250}.{n % 250}.0/24 dir out" +
                (" tmpl src 10.45.0.11 dst 10.45.0.12 proto esp mode tunnel" if verb == "add" else "")
                for n in range(1000)]
    try:
        espial.start("strace", "-D", "-f", "-ttt", "-e", "trace=sendto", "-o", trace)
        espial.ready()
        lab.undo(lambda: node.namespace.ip(*policies("delete")))
        before = len(dumps())
        assert before > 0, "strace sees no dump: it cannot count any"
        begun = time.time()
        node.namespace.ip(*policies("add"))
        ended = time.time()
        # The last dump may begin before `ip` has ended; a quick machine adds all within these 50 ms.
        until("the policies are read", lambda: dumps()[-1] >= max(begun, ended - 0.05), every=0.05)
        read = [moment for moment in dumps()[before:] if moment >= begun]
        took = read[-1] - begun
        lab.notes.append(f"1000 events in {1000 * (ended - begun):.0f} ms: {len(read)} dumps")
        assert len(read) <= 2 + took / 0.1, f"{len(read)} dumps in {took:.2f} s"
        assert len(read) < 100, f"{len(read)} dumps of 1000 events"
        lab.udp(1, 2, 50)

        def counted() -> bool:
            seen = espial.counts()["transmit", "node2", "cleartext", "ipv4"][0]
            assert seen == 50, f"50 packets in clear, {seen} counted"
            return True
        until("all packets are counted", counted, every=0.2)
    finally:
        espial.stop()
        espial.detach()
