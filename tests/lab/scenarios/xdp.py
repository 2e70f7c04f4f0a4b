# SPDX-License-Identifier: Apache-2.0
"""The XDP accelerator on the real uplinks of a mesh: it drops what tc would drop, before an skb
exists, and nothing else. veth has native XDP; what `require` says of it, NICs have with `auto`."""
import os
import signal
import time

from espial_lab import offload, traffic, xdp
from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.wait import until
from scenarios.enforce import BOTH, undisturbed, unharmed
from scenarios.mesh import exchanged, rekeyed

SHARED = Spec(layout="A")
BARE = Spec(secured=False)
BARE_SHARED = Spec(layout="A", secured=False)
NATIVE = 1


def device_of(watch: Watch, number: int, name: str) -> dict:
    """What status says of XDP on one device; {} when it is not asked for there."""
    for device in watch.espials[number].status()["devices"]:
        if device["name"] == name:
            return device["xdp"] or {}
    raise AssertionError(f"node{number}: status knows no device {name}")


def on(watch: Watch, number: int, device: str) -> None:
    """Attached, natively: the kernel, status and the metric say so."""
    node, espial = watch.lab.mesh.node(number), watch.espials[number]

    def there() -> bool:
        said, seen = device_of(watch, number, device), xdp.attached(node.namespace, device)
        assert said == {"attached": True, "why": ""}, f"status: {said}"
        assert seen.get("mode") == NATIVE, f"kernel: {seen or 'no program'}"
        return True
    until(f"node{number}: XDP on {device}", there, every=0.1)
    line = f'espial_program_attached{{device="{device}",hook="xdp",mode="native"}} 1'
    assert line in espial.get("/metrics")[1], f"node{number}: no metric {line}"


def off(watch: Watch, number: int, device: str, why: str) -> None:
    """Not attached: status and the metric say so, and why."""
    def told() -> bool:
        said = device_of(watch, number, device)
        assert said == {"attached": False, "why": why}, f"status: {said}"
        return True
    until(f"node{number}: no XDP on {device}", told, every=0.1)
    line = f'espial_program_attached{{device="{device}",hook="xdp",mode="native"}} 0'
    assert line in watch.espials[number].get("/metrics")[1], f"node{number}: no metric {line}"


def tags(lab: Lab, number: int) -> None:
    """The wire device of a node shows VLAN tags to XDP; without that it gets none."""
    node = lab.mesh.node(number)
    offload.show_tags(node.namespace, node.wire, lab.mesh.switch, f"port{number}")


def accelerated(lab: Lab, *numbers: int, **more: object) -> Watch:
    """Neighbours are known, so that no packet waits; then enforcement with XDP."""
    for number in numbers:
        tags(lab, number)
    for family in (4, 6):
        lab.underlay_udp(1, 2, 1, family)
    watch = lab.watch(*numbers, mode="enforce", xdp="require", **more)
    for number in numbers:
        on(watch, number, lab.mesh.node(number).wire)
    return watch


def tap(lab: Lab, number: int, peer: int) -> xdp.Tap:
    """Sees what of a peer's pods becomes an skb on the wire device of a node."""
    node = lab.mesh.node(number)
    one = xdp.Tap(node.namespace, node.wire, (bytes((10, 101, peer)),
                                              bytes((0xfd, 0, 1, 1, 0, peer))))
    lab.undo(one.close)
    return one


# -- what it drops -------------------------------------------------------------------------------

@scenario(plays={"6.1": "separate", "6.12": "shared"}, needs_espial=True, separate=BARE,
          shared=BARE_SHARED)
def xdp_leak(lab: Lab) -> None:
    """From a node without enforcement: no skb is made of any of it. Without XDP each becomes one,
    which is what the witness is held to."""
    watch, witness = accelerated(lab, 1), tap(lab, 1, 2)
    for family in (4, 6):
        assert lab.udp(2, 1, 20, family, lossy=True).received == 0, "a clear packet was delivered"
    watch.dropped(1, 2, receive={"cleartext": 40})
    assert witness.read() == 0, f"{witness.seen} packets became skbs"
    assert not any(watch.wire(1).get(("receive", "node2", "cleartext", family))
                   for family in ("ipv4", "ipv6")), "nft in the node saw cleartext"
    sent = sum(watch.outside(1)["receive", "node2", "cleartext", family][0]
               for family in ("ipv4", "ipv6"))
    assert sent == 40, f"the switch saw {sent} of 40"
    watch.balanced()
    # From an underlay address to a pod: XDP's work as well.
    assert lab.host_udp(2, 1, 20, lossy=True).received == 0, "a node's packet was delivered"
    watch.dropped(1, 2, receive={"cleartext": 40, "cleartext_host": 20})
    watch.balanced()
    watch.fires(1, "EnforcementDropping", 2)
    espial = watch.espials[1]
    espial.stop()
    espial.detach()
    assert not xdp.attached(lab.mesh.node(1).namespace, lab.mesh.node(1).wire), "XDP is left"
    lab.udp(2, 1, 20)
    until("the witness sees what is not dropped", lambda: witness.read() == 20)


# -- what it must not touch ----------------------------------------------------------------------

@scenario(plays={"6.1": "separate", "6.12": "shared"}, needs_espial=True, separate=Spec(),
          shared=SHARED, outer6=Spec(outer=6), encap=Spec(encap=True))
def xdp_healthy(lab: Lab) -> None:
    """Load, both families, pings, TCP, ARP and ND: all arrives and all is counted."""
    watch = accelerated(lab, 1, 2)
    with lab.heartbeat(1, 2) as heart:
        lab.talk(1, 2, 200)
        for family in (4, 6):
            lab.ping(1, 2, 5, family)
            lab.tcp(1, 2, 50_000, family)
        undisturbed(lab)
    watch.balanced()
    watch.agree(ignore=("decrypted",))
    unharmed(watch)
    watch.calm()
    lab.notes.append(f"{heart.beats} heartbeats")


@scenario(needs_espial=True, separate=Spec(), shared=SHARED)
def xdp_rekeyed(lab: Lab) -> None:
    watch = accelerated(lab, 1, 2)
    exchanged(watch, rekeyed(lab))
    for number in (1, 2):
        on(watch, number, lab.mesh.node(number).wire)
    watch.balanced()
    unharmed(watch)


@scenario(plays={"6.12": "shared"}, needs_espial=True, separate=Spec(gro=True),
          shared=Spec(gro=True, layout="A"))
def xdp_gro(lab: Lab) -> None:
    """With ESP GRO the device shows decrypted packets to tc. Native XDP stands before: it sees the
    ESP only. Generic XDP would stand behind, and drop every packet of this mesh."""
    lab.mesh.node(1).namespace.run("modprobe", "-a", "esp4_offload", "esp6_offload")
    watch, witness = accelerated(lab, 1, 2), tap(lab, 1, 2)
    sent = lab.talk(1, 2, 200)
    for number, peer in BOTH:
        opened = sum(watch.wire(number)["receive", f"node{peer}", "decrypted", family][0]
                     for family in ("ipv4", "ipv6"))
        assert opened == sent, f"node{number}: decrypted {opened} of {sent}"
    lab.notes.append(f"{witness.read()} of {sent} decrypted packets on the wire device")
    for family in (4, 6):
        lab.tcp(1, 2, 200_000, family)
    unharmed(watch)


@scenario(needs_espial=True, separate=Spec(start="trap"), shared=Spec(layout="A", start="trap"),
          spoils=True)
def xdp_before_ipsec(lab: Lab) -> None:
    """Enforced and accelerated on both before there is an SA: IKE gets through, the mesh comes up."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    for node in lab.mesh.nodes:
        node.charon.stop()
    assert not one.namespace.run("ip", "xfrm", "state").stdout, "SAs are left"
    watch = accelerated(lab, 1, 2)
    with lab.heartbeat(1, 2) as heart:
        lab.talk(1, 2, lossy=True)
        watch.sealed()
        for node in (one, two):
            node.charon.start()
        for node in (one, two):
            node.charon.ready()
            node.load()
        for family in (4, 6):
            until(f"IPv{family} flows by itself",
                  lambda: lab.udp(1, 2, 1, family, lossy=True).received == 1)
        lab.talk(1, 2)
        watch.sealed()
    for number, peer in BOTH:
        watch.dropped(number, peer, {"cleartext": 40})
        on(watch, number, lab.mesh.node(number).wire)
    lab.notes.append(f"{heart.beats} heartbeats")


# -- others on the same device -------------------------------------------------------------------

BUSY = "another XDP program is attached; espial leaves it alone"


def beside(lab: Lab, attach, detach) -> None:
    """`attach` puts another's program on the device before espial comes: it stays, tc does the work
    and says so; when it goes, ours comes by itself."""
    node = lab.mesh.node(1)
    tags(lab, 1)
    attach()
    before = xdp.attached(node.namespace, "prd-port")
    assert before, "the other program is not attached"
    watch = lab.watch(1, mode="enforce", xdp="require")
    off(watch, 1, "prd-port", BUSY)
    watch.fires(1, "XdpUnavailable")
    witness = tap(lab, 1, 2)
    for family in (4, 6):
        assert lab.udp(2, 1, 20, family, lossy=True).received == 0, "a clear packet was delivered"
    watch.dropped(1, 2, receive={"cleartext": 40})
    assert witness.read() == 40, f"{witness.seen} of 40 became skbs: who dropped them?"
    now = xdp.attached(node.namespace, "prd-port")
    assert now == before, f"was {before}, is {now}"
    detach()
    on(watch, 1, "prd-port")
    until("the alarm ends", lambda: ("XdpUnavailable", "") not in watch.espials[1].firing())
    lab.udp(2, 1, 20, lossy=True)
    watch.dropped(1, 2, receive={"cleartext": 60})
    assert witness.read() == 40, "XDP does not drop"


@scenario(plays={"6.1": "bare"}, needs_espial=True, bare=BARE)
def xdp_beside_others(lab: Lab) -> None:
    """Another's program on the device stays, tc drops instead, and when it goes ours comes."""
    node, others = lab.mesh.node(1), []
    beside(lab, lambda: others.append(xdp.Foreign(node.namespace, "prd-port")),
           lambda: others[0].off())


@scenario(plays={"6.12": "bare"}, needs_espial=True, bare=BARE)
def xdp_displaced(lab: Lab) -> None:
    """`ip link set xdp off` is refused; a link that is forced off comes back within a second, and an
    alarm tells it. What comes meanwhile is dropped by tc."""
    watch, node = accelerated(lab, 1), lab.mesh.node(1)
    done = node.namespace.run("ip", "link", "set", "dev", "prd-port", "xdpdrv", "off", check=False)
    assert done.returncode, "the kernel let somebody take XDP off a link"
    on(watch, 1, "prd-port")
    ours = xdp.attached(node.namespace, "prd-port")["id"]
    links = [line.split(":")[0] for line in node.namespace.run("bpftool", "link", "list").stdout
             .splitlines() if f"prog {ours} " in line + " " and "xdp" in line]
    assert len(links) == 1, f"links of program {ours}: {links}"
    with lab.stream(2, 1) as stream:
        stream.more()
        started = time.monotonic()
        node.namespace.run("bpftool", "link", "detach", "id", links[0])
        until("healed", lambda: xdp.attached(node.namespace, "prd-port"), every=0.01)
        took = time.monotonic() - started
        stream.more()
    lab.sent += stream.sent
    assert stream.received == 0, f"{stream.received} of {stream.sent} arrived"
    watch.dropped(1, 2, receive={"cleartext": stream.sent})
    watch.fires(1, "ProgramDetached")
    lab.notes.append(f"healed after {took:.2f} s")


# -- the daemon's life, the device's life --------------------------------------------------------

@scenario(plays={"6.1": "bare"}, needs_espial=True, bare=BARE)
def xdp_killed(lab: Lab) -> None:
    """SIGKILL: XDP goes on dropping; a new daemon takes it over; detach removes it."""
    watch, witness, node = accelerated(lab, 1), tap(lab, 1, 2), lab.mesh.node(1)
    espial = watch.espials[1]
    before = xdp.attached(node.namespace, "prd-port")
    with lab.stream(2, 1) as stream:
        stream.more()
        espial.stop(signal.SIGKILL)
        stream.more()
        assert xdp.attached(node.namespace, "prd-port") == before, "XDP went with the daemon"
        espial.start()
        stream.more()
        espial.ready()
        stream.more()
    lab.sent += stream.sent
    assert stream.received == 0, f"{stream.received} of {stream.sent} arrived"
    watch.dropped(1, 2, receive={"cleartext": stream.sent})
    assert witness.read() == 0, f"{witness.seen} packets became skbs"
    on(watch, 1, "prd-port")
    espial.stop(signal.SIGKILL)
    pins = espial.pins
    espial.detach()
    until("XDP is gone", lambda: not xdp.attached(node.namespace, "prd-port"))
    assert not os.path.exists(pins), f"{pins} is left"
    lab.udp(2, 1, 20)


@scenario(needs_espial=True, separate=Spec())
def xdp_mtu(lab: Lab) -> None:
    """An MTU above one page, set while XDP is there and before it comes: both work."""
    node, switch = lab.mesh.node(1), lab.mesh.switch
    watch = accelerated(lab, 1)

    def mtu(size: int) -> None:
        switch.ip(f"link set port1 mtu {size}")
        node.namespace.ip(f"link set prd-port mtu {size}")
    lab.undo(lambda: mtu(1500))
    mtu(9000)
    on(watch, 1, "prd-port")
    lab.talk(1, 2)
    espial = watch.espials[1]
    espial.stop()
    espial.detach()
    espial.start()
    espial.ready()
    on(watch, 1, "prd-port")
    lab.talk(1, 2)
    # A frame of several buffers; the bridge of the lab stays at 1,500, so it is sent as it is.
    packet = traffic.ipv4(lab.mesh.node(2).pod.v4, node.pod.v4, 17, traffic.udp_payload(size=8000), 64)
    witness = tap(lab, 1, 2)
    lab.sent += traffic.frames(switch, "port1", "ff:ff:ff:ff:ff:ff", packet, 20).sent
    watch.dropped(1, 2, receive={"cleartext": 20})
    assert witness.read() == 0, f"{witness.seen} packets became skbs"


# -- VLANs ---------------------------------------------------------------------------------------

HIDDEN = "VLAN tags are stripped before XDP, which would drop packets of other VLANs: " \
    "ethtool -K prd-port rx-vlan-hw-parse off"


@scenario(needs_espial=True, bare=BARE)
def xdp_other_vlan(lab: Lab) -> None:
    """Our addresses in another VLAN are none of ours. Where a device takes tags off, XDP would see
    no difference (seen: it dropped all of these): it stays away, and leaves when that begins."""
    node, switch = lab.mesh.node(1), lab.mesh.switch
    names = ("rx-vlan-hw-parse", "rx-vlan-stag-hw-parse")
    offload.set_features(node.namespace, "prd-port", True, *names)
    offload.set_features(switch, "port1", True, "tx-vlan-hw-insert", "tx-vlan-stag-hw-insert")
    watch = lab.watch(1, mode="enforce", xdp="require")
    off(watch, 1, "prd-port", HIDDEN)
    assert not xdp.attached(node.namespace, "prd-port"), "XDP is attached"
    watch.fires(1, "XdpUnavailable")
    packet = traffic.ipv4("10.101.2.10", "10.101.1.10", 17, traffic.udp_payload(), 64)
    lab.wire_frames(2, packet, vlan=99)
    watch.no_peer(1, "receive", "other_vlan", {"ipv4": 20})
    tags(lab, 1)
    on(watch, 1, "prd-port")
    lab.wire_frames(2, packet, vlan=99)
    watch.no_peer(1, "receive", "other_vlan", {"ipv4": 40})
    watch.dropped(1, 2)
    lab.udp(2, 1, 20, lossy=True)
    watch.dropped(1, 2, receive={"cleartext": 20})
    offload.set_features(node.namespace, "prd-port", True, *names)
    off(watch, 1, "prd-port", HIDDEN)
    assert not xdp.attached(node.namespace, "prd-port"), "XDP is still attached"
