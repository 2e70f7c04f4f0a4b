# SPDX-License-Identifier: Apache-2.0
"""Enforcement through the life of the daemon and of the devices: under traffic, to the packet."""
import os
import random
import signal
import time

from espial_lab import attached
from espial_lab.espial import Espial
from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.traffic import Stream
from espial_lab.wait import until

BARE = Spec(secured=False)


def everything_dropped(lab: Lab, watch: Watch, stream: Stream) -> None:
    """Of a stream from node1 to node2: each packet was counted as dropped, none is on the wire."""
    lab.sent += stream.sent
    assert stream.received == 0, f"{stream.received} of {stream.sent} arrived"
    watch.dropped(1, 2, {"cleartext": stream.sent})
    watch.sealed()


def enforcing(lab: Lab) -> Watch:
    """node1 enforces, node2 has no espial; neighbours are known, so that no packet waits."""
    for family in (4, 6):
        lab.underlay_udp(1, 2, 1, family)
        lab.udp(1, 2, 1, family)
    return lab.watch(1, mode="enforce")


def whole(lab: Lab, espial: Espial) -> None:
    """After a SIGKILL: attached both ways, one program each, no pin but those of a whole instance."""
    node = lab.mesh.node(1)
    for hook in ("ingress", "egress"):
        count = attached.programs(node.namespace, "prd-port", hook)
        assert count == 1, f"{count} programs at {hook}"
    pins = set(os.listdir(f"{espial.pins}/maps"))
    assert {"ep_policy", "ep_peer_stat", "ep_peer_meta"} <= pins, f"pinned maps: {sorted(pins)}"


# -- the daemon ----------------------------------------------------------------------------------

@scenario(plays={"6.1": "bare", "6.12": "bare"}, needs_espial=True, bare=BARE)
def enforce_killed(lab: Lab) -> None:
    """SIGKILL, no daemon, a new one: the drop path goes on through all of it."""
    watch = enforcing(lab)
    espial = watch.espials[1]
    with lab.stream(1, 2) as stream:
        stream.more()
        links = espial.links()
        espial.stop(signal.SIGKILL)
        before = espial.drops("node2")["transmit", "cleartext"][0]
        stream.more()
        after = espial.drops("node2")["transmit", "cleartext"][0]
        assert after > before, "counters stand still without a daemon"
        espial.start()
        stream.more()
        espial.ready()
        stream.more()
        assert espial.links() == links, "links were made anew, not adopted"
    everything_dropped(lab, watch, stream)


def _killed_at_random(lab: Lab, rounds: int, seed: int) -> None:
    """Killed at some moment of a start, or of a reload."""
    watch, chance = enforcing(lab), random.Random(seed)
    espial = watch.espials[1]
    started = time.monotonic()
    espial.stop(signal.SIGKILL)
    espial.start()
    espial.ready()
    takes = time.monotonic() - started
    espial.stop(signal.SIGKILL)
    reloads = 0
    with lab.stream(1, 2, every=0.005) as stream:
        for number in range(rounds):
            espial.start()
            if chance.random() < 0.85:
                moment = chance.uniform(0, takes)
            else:
                reloads += 1
                espial.ready()
                # Another topology each time, so that there is something to do.
                espial.write(mode="enforce", flow_events_per_second=100 + number,
                             networks=[{"name": f"backendnet{number}",
                                        "subnets": ["10.101.0.0/16", "fd00:101::/48"]}])
                espial.reload()
                moment = chance.uniform(0, 0.1)
            time.sleep(moment)      # the moment is what is tested, no condition tells it
            espial.stop(signal.SIGKILL)
            try:
                whole(lab, espial)
            except AssertionError as error:
                raise AssertionError(f"round {number}, killed after {moment:.3f} s: {error}") from error
            stream.more(2)
        espial.write(mode="enforce")
        espial.start()
        espial.ready()
        stream.more()
    lab.notes.append(f"seed {seed}, {rounds} kills, {reloads} of them in a reload, "
                     f"{stream.sent} packets")
    everything_dropped(lab, watch, stream)


@scenario(plays={"6.1": "bare"}, needs_espial=True, bare=BARE)
def enforce_killed_at_random(lab: Lab) -> None:
    """Where filters are attached one by one, as before 6.6, a kill at any moment lets nothing pass."""
    _killed_at_random(lab, 6, 3)      # five moments of a start, early to late, and one of a reload


@scenario(needs_espial=True, bare=BARE)
def enforce_killed_at_random_again(lab: Lab) -> None:
    _killed_at_random(lab, 100, time.time_ns() % 1_000_000)


# -- what others do to it ------------------------------------------------------------------------

def _gap(lab: Lab, watch: Watch, break_it, healed, sealed: bool) -> None:
    """`break_it` under traffic; `healed` is waited for. Notes how many packets passed in between;
    none if `sealed`. After it, none passes."""
    watch.switch(2)      # that of node1 may be what is broken
    watch.zero(1)
    with lab.stream(1, 2) as stream:
        stream.more()
        assert not watch.passed(2), "packets pass before anything is broken"
        started = time.monotonic()
        break_it()
        until("healed", healed, every=0.01)
        took = time.monotonic() - started
        stream.more(5)
        passed = watch.passed(2)
        stream.more(50)
        assert watch.passed(2) == passed, "packets pass after it was healed"
    lab.sent += stream.sent
    lab.notes.append(f"healed after {took:.2f} s, {passed} packets passed")
    assert not (sealed and passed), f"{passed} packets passed"


@scenario(plays={"6.1": "bare", "6.12": "bare"}, needs_espial=True, bare=BARE)
def enforce_device_recreated(lab: Lab) -> None:
    """The new device has no program at first: how much gets out is measured, an alarm tells it."""
    watch, node = enforcing(lab), lab.mesh.node(1)

    def replace() -> None:
        lab.mesh.unplug(node)
        lab.mesh.plug(node)
    _gap(lab, watch, replace, lambda: attached.both_ways(node.namespace, "prd-port"), False)
    watch.fires(1, "ProgramDetached")
    watch.rewire(1)     # nft's rules went with the device


@scenario(plays={"6.1": "bare"}, kernels=("6.1",), needs_espial=True, bare=BARE)
def enforce_qdisc_deleted(lab: Lab) -> None:
    """clsact goes with its filters: noticed within a second, alarmed, healed."""
    watch, node = enforcing(lab), lab.mesh.node(1)
    _gap(lab, watch, lambda: node.namespace.run("tc", "qdisc", "del", "dev", "prd-port", "clsact"),
         lambda: attached.both_ways(node.namespace, "prd-port"), False)
    watch.fires(1, "ProgramDetached")


@scenario(plays={"6.12": "bare"}, kernels=("6.12",), needs_espial=True, bare=BARE)
def enforce_qdisc_of_others_deleted(lab: Lab) -> None:
    """A clsact qdisc that comes and goes is nothing to a tcx link."""
    watch, namespace = enforcing(lab), lab.mesh.node(1).namespace

    def come_and_go() -> None:
        namespace.run("tc", "qdisc", "add", "dev", "prd-port", "clsact")
        namespace.run("tc", "qdisc", "del", "dev", "prd-port", "clsact")
    _gap(lab, watch, come_and_go, lambda: attached.both_ways(namespace, "prd-port"), True)
    assert ("ProgramDetached", "") not in watch.espials[1].firing(), "alarmed about nothing"


@scenario(plays={"6.12": "bare"}, kernels=("6.12",), needs_espial=True, bare=BARE)
def enforce_link_detached(lab: Lab) -> None:
    """Somebody forces a link off its device, and at once an event makes espial follow its plan."""
    watch, namespace = enforcing(lab), lab.mesh.node(1).namespace
    lab.undo(lambda: namespace.run("ip", "route", "del", "192.0.2.0/24"))

    def detach() -> None:
        # Not the tracing programs' links: the kernel forces none of them off.
        for number in attached.everywhere("link", of="sched_cls"):
            namespace.run("bpftool", "link", "detach", "id", number)
        namespace.run("ip", "route", "add", "unreachable", "192.0.2.0/24")
    _gap(lab, watch, detach, lambda: attached.both_ways(namespace, "prd-port"), False)
    watch.fires(1, "ProgramDetached")


@scenario(plays={"6.12": "bare"}, needs_espial=True, bare=BARE)
def enforce_pins_removed(lab: Lab) -> None:
    """The programs go on, the pins come back, and a new daemon adopts all."""
    watch = enforcing(lab)
    espial = watch.espials[1]
    folders = [f"{espial.pins}/{name}" for name in ("maps", "links")]
    before = {f"{folder}/{name}" for folder in folders for name in os.listdir(folder)}
    with lab.stream(1, 2) as stream:
        stream.more()
        for pin in before:
            os.unlink(pin)

        def back() -> bool:
            seen = {f"{folder}/{name}" for folder in folders for name in os.listdir(folder)}
            assert seen == before, f"missing: {sorted(before - seen)}"
            return True
        started = time.monotonic()
        until("the pins are back", back, every=0.01)
        lab.notes.append(f"back after {time.monotonic() - started:.2f} s")
        stream.more()
        watch.fires(1, "ProgramDetached")
        espial.stop(signal.SIGKILL)
        stream.more()
        espial.start()
        espial.ready()
        stream.more()
    everything_dropped(lab, watch, stream)


# -- others on the same device -------------------------------------------------------------------

@scenario(plays={"6.1": "bare", "6.12": "bare"}, needs_espial=True, bare=BARE)
def enforce_beside_others(lab: Lab) -> None:
    """A qdisc, filters and a program of somebody else stay and work through attach, swap, detach."""
    node, tc = lab.mesh.node(1), lab.mesh.node(1).namespace.run
    tc("tc", "qdisc", "add", "dev", "prd-port", "root", "handle", "7:", "pfifo", "limit", "1000")
    tc("tc", "qdisc", "add", "dev", "prd-port", "clsact")
    lab.undo(lambda: tc("tc", "qdisc", "del", "dev", "prd-port", "root"))
    lab.undo(lambda: tc("tc", "qdisc", "del", "dev", "prd-port", "clsact"))
    for hook in ("ingress", "egress"):
        tc("tc", "filter", "add", "dev", "prd-port", hook, "prio", "77", "protocol", "ip",
           "flower", "ip_proto", "udp", "dst_port", "7007", "action", "ok")
    second = Espial(node, second=True)
    second.start()
    second.ready()

    def stop_second() -> None:
        second.stop()
        second.detach()
    lab.undo(stop_second)

    clear, other = 10, 5    # datagrams each way: between pods, between underlays
    total = {"ingress": 0, "egress": 0, "cleartext": 0, "other": 0}

    def go_on(when: str, passes: bool) -> None:
        """Others see all that is not dropped: espial is first in the chain."""
        lab.talk(1, 2, clear, (4,), lossy=True)
        for number, peer in ((1, 2), (2, 1)):
            lab.underlay_udp(number, peer, other)
        passed = clear if passes else 0
        shown = tc("tc", "qdisc", "show", "dev", "prd-port").stdout
        assert "qdisc pfifo 7:" in shown and "clsact" in shown, f"{when}: qdiscs: {shown}"
        for hook in ("ingress", "egress"):
            text = tc("tc", "-s", "filter", "show", "dev", "prd-port", hook).stdout
            assert "pref 77" in text, f"{when}: no filter of others at {hook}"
            seen = int(text.split("pref 77")[-1].split(" bytes ")[1].split(" pkt")[0])
            total[hook] += passed + other
            assert seen == total[hook], f"{when}: filter at {hook}: {seen}, expected {total[hook]}"
        total["cleartext"] += passed
        total["other"] += other

        def counted() -> bool:
            counts = second.counts()
            for way in ("receive", "transmit"):
                for name in ("cleartext", "other"):
                    seen = counts[way, "node2", name, "ipv4"][0]
                    assert seen == total[name], f"{way} {name}: {seen}, expected {total[name]}"
            return True
        until(f"{when}: the program of others counts", counted, every=0.1)
    def programs() -> list[int]:
        return [attached.programs(node.namespace, "prd-port", hook) for hook in ("ingress", "egress")]
    go_on("before", True)
    others = programs()
    watch = lab.watch(1, mode="monitor")
    go_on("attached", True)
    watch.espials[1].set_mode("enforce")
    go_on("enforced", False)
    for how in (signal.SIGTERM, signal.SIGKILL):
        watch.espials[1].stop(how)
        watch.espials[1].start()
        watch.espials[1].ready()
    go_on("swapped", False)
    watch.dropped(1, 2, {"cleartext": 20}, {"cleartext": 20})
    watch.espials[1].stop()
    watch.espials[1].detach()
    del watch.espials[1]
    # The kernel ends a link some time after its last pin is gone.
    until("only the programs of others are left", lambda: programs() == others)
    go_on("detached", True)
