# SPDX-License-Identifier: Apache-2.0
"""Scenarios: functions that take a Lab. The registry, and what a scenario works with."""
import contextlib
import dataclasses
import shutil
import threading
import time
from typing import Callable

from . import keep, traffic
from .count import (CLASSES, PROTECTED, UNPROTECTED, Count, Counts, SwitchCount, WireCount,
                    of_peer, since, unprotected)
from .espial import Espial, executable
from .mesh import Mesh, Spec
from .traffic import Sent
from .wait import PATIENCE, until

DEBIAN = ("6.1", "6.12")
NEWEST = DEBIAN[-1]


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    spec: Spec | None   # None: needs no mesh
    run: Callable[["Lab"], None]
    kernels: tuple[str, ...]        # on which it can be played
    plays: tuple[str, ...]          # on which the default run plays it; the others with --long
    promise: str        # what it proves, one line
    spoils: bool = False       # leaves the mesh unusable for the next scenario
    needs_espial: bool = False


REGISTRY: list[Scenario] = []


def scenario(*, kernels: tuple[str, ...] = DEBIAN, plays: dict[str, str] | None = None, spoils: bool = False,
             needs_espial: bool = False, **specs: Spec):
    """Registers a function once per spec; `plain` alone needs no suffix: NAME or NAME-KEY.

    `plays`: kernel to the specs' keys with which the default run plays it there. Who is played by
    default says in its docstring what it proves that no cheaper test does.
    """
    specs = specs or {"plain": Spec()}
    plays = {kernel: keys.split() for kernel, keys in (plays or {}).items()}

    def register(function: Callable[["Lab"], None]) -> Callable[["Lab"], None]:
        base = function.__name__.replace("_", "-")
        promise = (function.__doc__ or "").strip().split("\n\n")[0]
        assert promise or not plays, f"{base}: played by default, and no word of what it proves"
        assert set(plays) <= set(kernels), f"{base}: played on a kernel that it is not for"
        assert {key for keys in plays.values() for key in keys} <= set(specs), f"{base}: plays what?"
        for key, spec in specs.items():
            name = base if key == "plain" else f"{base}-{key.replace('_', '-')}"
            REGISTRY.append(Scenario(name, spec, function, kernels,
                                     tuple(kernel for kernel, keys in plays.items() if key in keys),
                                     " ".join(promise.split()), spoils, needs_espial))
        return function
    return register


def meshless(name: str, promise: str, run: Callable[["Lab"], None]) -> None:
    """Registers what proves something about a Debian kernel itself. Its Lab has no mesh."""
    REGISTRY.append(Scenario(name, None, run, DEBIAN, DEBIAN, promise, needs_espial=True))


class Watch:
    """Two observers of some nodes, from their start on: nft, and espial where it is built."""

    def __init__(self, lab: "Lab", numbers: tuple[int, ...], espial: bool, discover: bool,
                 wire: str | None, more: dict):
        self.lab = lab
        self.wires: dict[int, WireCount] = {}
        self.switches: dict[int, SwitchCount] = {}     # where enforcement is watched
        self.espials: dict[int, Espial] = {}
        self._zero: dict[int, Counts] = {}
        try:
            for number in numbers:
                node = lab.mesh.node(number)
                # Rules stay as long as the mesh does; only the zero is the scenario's own.
                self.wires[number] = self._counting((number, wire or node.wire),
                                                    lambda: WireCount(node, wire))
                if "mode" in more:
                    self.switch(number)
                if espial and executable():
                    self.espials[number] = Espial(node, discover, **more)
                    if not lab.fresh:
                        keep.lay_out(self.espials[number].pins)
                    self.espials[number].start()
            for number, espial_ in self.espials.items():
                espial_.ready()
            for number in numbers:
                self.zero(number)
        except BaseException:
            self.close()
            raise

    def switch(self, number: int) -> None:
        """Has the switch count for this node, also without an espial there."""
        self.switches[number] = self._counting(("switch", number),
                                               lambda: SwitchCount(self.lab.mesh.node(number)))
        self._zero.setdefault(number, {}).update(
            {("switch",) + key: value for key, value in self.switches[number].read().items()})

    def _counting(self, key: tuple, create: Callable[[], Count]) -> Count:
        """The mesh's count of that name; a new one where a former scenario replaced a device."""
        known = self.lab.mesh.wire_counts
        if key in known and not known[key].alive:
            known.pop(key).close()
        if key not in known:
            known[key] = create()
        return known[key]

    def zero(self, number: int) -> None:
        """Counts of this node are from now on, a moment at which nothing passes: bridges and hosts
        tell of their multicast groups when they like."""
        wire, espial, switch = self.wires[number], self.espials.get(number), \
            self.switches.get(number)
        for _ in range(20):
            before, own = wire.read(), espial.counts() if espial else {}
            outside = switch.read() if switch else {}
            if wire.read() == before:
                break
        else:
            raise AssertionError(f"node{number}: the wire is never at rest")
        self._zero[number] = {("wire",) + key: value for key, value in before.items()} | \
            {("espial",) + key: value for key, value in own.items()} | \
            {("switch",) + key: value for key, value in outside.items()}

    def rewire(self, number: int, device: str | None = None) -> None:
        """Counts anew after the wire device was replaced or renamed: its rules went with it."""
        node, known = self.lab.mesh.node(number), self.lab.mesh.wire_counts
        for key in [key for key, wire in known.items() if wire is self.wires[number]]:
            del known[key]
        self.wires[number].close()
        self.wires[number] = WireCount(node, device)
        known[number, self.wires[number].device] = self.wires[number]
        self.zero(number)

    def unwire(self, number: int) -> None:
        """The rules of this node's wire device go with the scenario."""
        wire, known = self.wires[number], self.lab.mesh.wire_counts

        def forget() -> None:
            for key in [key for key, value in known.items() if value is wire]:
                del known[key]
            wire.close()
        self.lab.undo(forget)

    def _start(self, number: int, who: str) -> Counts:
        return {key[1:]: value for key, value in self._zero[number].items() if key[0] == who}

    def wire(self, number: int) -> Counts:
        """What nft counted on the wire of a node since the start."""
        return since(self.wires[number].read(), self._start(number, "wire"))

    def expect(self, number: int, peer: int, transmit: dict[str, int] | None = None,
               receive: dict[str, int] | None = None) -> None:
        """The independent count of this pair is exactly this: {"esp/ipv4": 40}, nothing else."""
        name = self.lab.mesh.node(peer).name
        wanted = {"transmit": transmit or {}, "receive": receive or {}}

        def equal() -> bool:
            counts = self.wire(number)
            seen = {way: of_peer(counts, way, name) for way in wanted}
            assert seen == wanted, f"seen {seen}, expected {wanted}"
            return True
        until(f"node{number} to {name} on the wire", equal, every=0.1)

    def agree(self, *numbers: int, flooded: bool = False, lengths: bool = True,
              ignore: tuple[str, ...] = ()) -> None:
        """espial's packets and bytes equal the independent count, per peer, class, way, family."""
        for number in numbers or tuple(self.espials):
            espial = self.espials.get(number)
            if not espial:
                continue
            names = tuple(name for name in CLASSES + ("decrypted",) if name not in ignore)

            def equal() -> bool:
                wire = self.wire(number)
                own = since(espial.counts(), self._start(number, "espial"))
                for key in sorted(wire.keys() | own.keys()):
                    if key[2] not in names or not key[1]:
                        continue
                    expected, seen = wire.get(key, (0, 0)), own.get(key, (0, 0))
                    same = expected == seen if lengths and key[2] != "decrypted" else \
                        expected[0] == seen[0]
                    assert same, f"{' '.join(key)}: nft {expected}, espial {seen}"
                if flooded:
                    for way in ("receive", "transmit"):
                        for family in ("ipv4", "ipv6"):
                            pick = lambda counts: sum(
                                value[0] for key, value in counts.items()
                                if (key[0], key[2], key[3]) == (way, "flooded", family))
                            assert pick(wire) == pick(own), \
                                f"{way} flooded {family}: nft {pick(wire)}, espial {pick(own)}"
                return True
            until(f"node{number}: espial agrees with nft", equal, every=0.2)

    def verdict(self, number: int, peer: int, *wanted: str) -> None:
        espial = self.espials.get(number)
        if not espial:
            return

        def right() -> bool:
            seen = espial.peer(f"node{peer}")["verdict"]
            assert seen in wanted, f"{seen}, expected {' or '.join(wanted)}"
            return True
        until(f"node{number}: verdict on node{peer}", right, every=0.2)

    def fires(self, number: int, alarm: str, peer: int | None = None, hold_off: int = 0,
              meanwhile: Callable[[], object] = lambda: None) -> None:
        """The alarm fires; `hold_off`: seconds that it waits by its own rule, `meanwhile`: what goes on
        until then."""
        espial = self.espials.get(number)
        if not espial:
            return
        wanted = (alarm, f"node{peer}" if peer else "")

        def right() -> bool:
            meanwhile()
            seen = espial.firing()
            assert wanted in seen, f"firing: {sorted(seen) or 'none'}"
            return True
        until(f"node{number}: {' '.join(wanted)} fires", right, PATIENCE + hold_off, 0.2)

    def calm(self, *numbers: int, but: str = "") -> None:
        """No alarm fires; `but`: except this one, which the scenario itself gives rise to."""
        for number in numbers or tuple(self.espials):
            if number in self.espials:
                seen = {alarm for alarm in self.espials[number].firing() if alarm[0] != but}
                assert not seen, f"node{number}: firing: {sorted(seen)}"

    def calms(self, *numbers: int) -> None:
        """Nothing fires any more soon after its cause has ended."""
        def over() -> bool:
            self.calm(*numbers)
            return True
        until("alarms end", over, every=0.2)

    def lossless(self, *numbers: int) -> None:
        """The kernel dropped nothing of the mesh."""
        for number in numbers or tuple(self.espials):
            for peer in self.espials[number].status()["peers"] if number in self.espials else ():
                assert peer["kernel_drops"] == {"netfilter": {}, "reasons": {}}, \
                    f"node{number}: {peer['name']}: {peer['kernel_drops']}"

    def no_peer(self, number: int, way: str, name: str, wanted: dict[str, int]) -> None:
        """Packets of no peer: both observers say exactly this, by family."""
        node, espial = self.wires[number], self.espials.get(number)

        def equal() -> bool:
            for who, counts in (("nft", self.wire(number)),
                                ("espial", since(espial.counts(), self._start(number, "espial"))
                                 if espial else None)):
                if counts is None:
                    continue
                seen = {family: counts[way, "", name, family][0] for family in ("ipv4", "ipv6")
                        if (way, "", name, family) in counts}
                assert seen == wanted, f"{who} {seen}, expected {wanted}"
            return True
        until(f"{node.node.name}: {way} {name}", equal, every=0.2)

    # -- enforcement: what the switch saw, what espial says that it dropped ----------------------

    def outside(self, number: int) -> Counts:
        """What the switch counted of a node since the start."""
        return since(self.switches[number].read(), self._start(number, "switch"))

    def passed(self, number: int) -> int:
        """Packets that were readable on the wire of a node, sent or received, since the start."""
        return sum(unprotected(self.outside(number)).values())

    def sealed(self, *numbers: int) -> None:
        """Nothing readable left these nodes, or was sent to them, since the start."""
        for number in numbers or tuple(self.switches):
            seen = unprotected(self.outside(number))
            assert not seen, f"node{number}: on the wire: {seen}"

    def dropped(self, number: int, peer: int, transmit: dict[str, int] | None = None,
                receive: dict[str, int] | None = None, what: str = "dropped") -> None:
        """espial dropped of this peer exactly this: {"cleartext": 40}, packets by reason."""
        espial = self.espials.get(number)
        if not espial:
            return
        wanted = {"transmit": transmit or {}, "receive": receive or {}}

        def equal() -> bool:
            seen: dict[str, dict[str, int]] = {"transmit": {}, "receive": {}}
            for (way, reason), (packets, _) in espial.drops(f"node{peer}", what).items():
                seen[way][reason] = packets
            assert seen == wanted, f"{what} {seen}, expected {wanted}"
            return True
        until(f"node{number}: {what} of node{peer}", equal, every=0.1)

    def untouched(self, *numbers: int) -> None:
        """The switch saw exactly what nft saw in the node: nothing was dropped between."""
        for number in numbers or tuple(self.switches):
            def equal() -> bool:
                inside, outside = ({key: value for key, value in counts.items()
                                    if key[1] and key[2] in CLASSES}
                                   for counts in (self.wire(number), self.outside(number)))
                assert inside == outside, f"nft {inside}, switch {outside}"
                return True
            until(f"node{number}: nothing is dropped", equal, every=0.2)

    def balanced(self, *numbers: int, null: bool = False) -> None:
        """Three witnesses agree: what the switch saw is what espial put into classes, to the byte;
        what nft saw inside of tc and the switch did not, or the reverse, is what espial dropped.
        `null`: the rules take ESP without encryption for ESP."""
        for number in numbers or tuple(self.espials):
            espial = self.espials.get(number)
            if not espial:
                continue

            def equal() -> bool:
                outside, inside = self.outside(number), self.wire(number)
                status = espial.status()
                own = since(espial.counts(status), self._start(number, "espial"))
                for key in sorted(outside.keys() | own.keys()):
                    if null or not key[1] or key[2] not in CLASSES:
                        continue
                    expected, seen = outside.get(key, (0, 0)), own.get(key, (0, 0))
                    assert expected == seen, f"{' '.join(key)}: switch {expected}, espial {seen}"
                for peer in self.lab.mesh.node(number).peers:
                    for way, sign in (("transmit", 1), ("receive", -1)):
                        def total(counts: Counts) -> list[int]:
                            cells = [value for key, value in counts.items()
                                     if key[:2] == (way, peer.name) and
                                     key[2] in PROTECTED + UNPROTECTED]
                            return [sum(cell[i] for cell in cells) for i in (0, 1)]
                        lost = [sign * (one - two)
                                for one, two in zip(total(inside), total(outside))]
                        drops = [value for key, value in espial.drops(peer.name, status=status).items()
                                 if key[0] == way and key[1] != "spoofed"]
                        said = [sum(drop[i] for drop in drops) for i in (0, 1)]
                        assert lost == said, f"{way} {peer.name}: nft and the switch differ by " \
                            f"{lost}, espial dropped {said}"
                return True
            until(f"node{number}: three witnesses agree", equal, every=0.2)

    def close(self) -> None:
        """What fails with one node must not leave another's pins to the next scenario."""
        problem: Exception | None = None
        for espial in self.espials.values():
            for action in (espial.stop, lambda: self.lab.fresh or keep.hold(espial.pins),
                           espial.detach):
                try:
                    action()
                except Exception as error:
                    problem = problem or error
            shutil.rmtree(espial.folder, ignore_errors=True)
        self.espials, self.wires, self.switches = {}, {}, {}
        if problem:
            raise problem


class Lab:
    """What a scenario gets: a mesh, traffic that is added up, and watches that end with it."""

    def __init__(self, mesh: Mesh | None, kernel: str, fresh: bool = True):
        """`fresh`: espial loads its programs, else it adopts those of a former scenario (keep)."""
        self.mesh, self.kernel, self.fresh = mesh, kernel, fresh
        if fresh:
            keep.forget_all()
        self.sent = 0
        self.notes: list[str] = []      # told in the line of the result
        self._watches: list[Watch] = []
        self._undo: list[Callable[[], None]] = []
        self._rests: list[threading.Lock] = []      # of hearts

    def watch(self, *numbers: int, espial: bool = True, discover: bool = False,
              wire: str | None = None, **more: object) -> Watch:
        watch = Watch(self, numbers or (1, 2), espial, discover, wire, more)
        self._watches.append(watch)
        return watch

    def undo(self, action: Callable[[], None]) -> None:
        """Runs `action` when the scenario is over, last registered first."""
        self._undo.append(action)

    def close(self, failed: bool) -> None:
        for watch in reversed(self._watches):
            watch.close()
        if not failed:
            for action in reversed(self._undo):
                action()

    # -- traffic ---------------------------------------------------------------------------------

    def _add(self, sent: Sent, lossy: bool, target: int | None = None) -> Sent:
        self.sent += sent.sent
        if not lossy and sent.sent != sent.received:
            where = {} if target is None else {
                space.name: traffic.losses(space) for space in
                (self.mesh.node(target).namespace, self.mesh.node(target).pod.namespace)}
            raise AssertionError(f"{sent.sent} sent, {sent.received} arrived; there {where}")
        return sent

    def udp(self, source: int, target: int, count: int = 20, family: int = 4, size: int = 64,
            lossy: bool = False, **more: object) -> Sent:
        """Datagrams from the pod of one node to the pod of another; all arrive unless `lossy`."""
        one, two = self.mesh.node(source).pod, self.mesh.node(target).pod
        return self._add(traffic.udp(one.namespace, one.address(family), two.namespace,
                                     two.address(family), count, size, lossy, **more), lossy, target)

    def host_udp(self, source: int, target: int, count: int = 20, family: int = 4,
                 lossy: bool = False) -> Sent:
        """Datagrams from a node's underlay address to a remote pod."""
        one, two = self.mesh.node(source), self.mesh.node(target).pod
        return self._add(traffic.udp(one.namespace, one.underlay[family], two.namespace,
                                     two.address(family), count, 64, lossy), lossy)

    def underlay_udp(self, source: int, target: int, count: int = 20, family: int = 4) -> Sent:
        """Datagrams between underlay addresses, no business of IPsec's."""
        one, two = self.mesh.node(source), self.mesh.node(target)
        return self._add(traffic.udp(one.namespace, one.underlay[family], two.namespace,
                                     two.underlay[family], count), False)

    def heartbeat(self, one: int, two: int) -> traffic.Heartbeat:
        """Between the underlay addresses of two nodes."""
        ends = [self.mesh.node(number) for number in (one, two)]
        heart = traffic.Heartbeat(*(value for node in ends for value in
                                    (node.namespace, list(node.underlay.values()))))
        self._rests.append(heart.rest)
        return heart

    def forget_neighbours(self, *numbers: int) -> None:
        """These nodes ask anew who has an address on the underlay. Hearts rest meanwhile: a packet that
        waits for an answer goes with the entry that it waits for, and nothing counts it."""
        with contextlib.ExitStack() as held:
            for rest in self._rests:
                held.enter_context(rest)
            for node in map(self.mesh.node, numbers):
                node.namespace.ip(f"neigh flush dev {node.underlay_device}")

    def stream(self, source: int, target: int, **more: float) -> traffic.Stream:
        """From pod to pod, until left."""
        ends = [self.mesh.node(number).pod for number in (source, target)]
        return traffic.Stream(*(value for pod in ends for value in
                                (pod.namespace, [pod.v4, pod.v6])), **more)

    def ping(self, source: int, target: int, count: int = 5, family: int = 4) -> Sent:
        """Echo requests from pod to pod, each answered."""
        one, two = self.mesh.node(source).pod, self.mesh.node(target).pod
        return self._add(traffic.ping(one.namespace, one.address(family), two.address(family),
                                      count), False)

    def tcp(self, source: int, target: int, size: int, family: int = 4) -> tuple[int, int]:
        """A connection that moves `size` bytes; returns the segments sent forth and back."""
        one, two = self.mesh.node(source).pod, self.mesh.node(target).pod
        arrived, forth, back = traffic.tcp(one.namespace, one.address(family), two.namespace,
                                           two.address(family), size)
        self.sent += forth
        assert arrived == size, f"{arrived} of {size} bytes arrived"
        return forth, back

    def talk(self, one: int, two: int, count: int = 20, families: tuple[int, ...] = (4, 6),
             lossy: bool = False) -> int:
        """`count` datagrams per family each way; returns what each side sent in all."""
        for family in families:
            self.udp(one, two, count, family, lossy=lossy)
            self.udp(two, one, count, family, lossy=lossy)
        return count * len(families)

    def frames(self, source: int, target_mac: str, packet: bytes, count: int = 20) -> Sent:
        """The same frame again and again out of a pod, whatever sense it makes."""
        return self._add(traffic.frames(self.mesh.node(source).pod.namespace, "eth0", target_mac,
                                        packet, count), True)

    def routed(self, source: int, packet: bytes, count: int = 20) -> Sent:
        """The same packet out of a pod, addressed to its node's pod bridge, which routes it."""
        node = self.mesh.node(source)
        link = node.namespace.run("ip", "-br", "link", "show", "dev", node.pod_bridge).stdout
        return self.frames(source, link.split()[2], packet, count)

    def wire_frames(self, source: int, packet: bytes, count: int = 20, vlan: int = 0) -> Sent:
        """The same frame out of the wire device of a node itself."""
        node = self.mesh.node(source)
        return self._add(traffic.frames(node.namespace, node.wire, "ff:ff:ff:ff:ff:ff", packet,
                                        count, vlan), True)

    # -- what breaks a mesh ----------------------------------------------------------------------

    def nft(self, number: int, family: str, chain: str) -> None:
        """One more nft table with one chain in a node, until the scenario ends."""
        namespace = self.mesh.node(number).namespace
        namespace.run("nft", "-f", "-", input=f"table {family} lab_break {{ chain c {{ {chain}\n }}\n }}\n")
        self.undo(lambda: namespace.run("nft", "delete", "table", family, "lab_break"))

    def unload(self, *pair: int) -> None:
        """No policies between two nodes until the scenario ends."""
        self.mesh.unload(*pair)
        self.undo(lambda: self.mesh.reload(*pair))

    def tunnel(self, kind: str, one: int, two: int) -> None:
        self.mesh.tunnel(kind, one, two)
        self.undo(lambda: self.mesh.untunnel(one, two))


def selected(kernel: str, patterns: str, long: bool) -> list[Scenario]:
    """What the default run plays on a kernel; with `long`, or by a pattern (separated by commas) that
    the name contains, all that it can play. Those of one mesh are side by side, after those that need
    none."""
    chosen = [item for item in REGISTRY if kernel in item.kernels and
              (long or patterns or kernel in item.plays) and
              any(pattern in item.name for pattern in patterns.split(","))]
    specs = list(dict.fromkeys(item.spec for item in chosen))
    # ESP offload modules stay loaded: what needs them comes last. Spoilers end a mesh's use.
    return sorted(chosen, key=lambda item: (item.spec is not None, item.spec and item.spec.gro,
                                            specs.index(item.spec), item.spoils))


def duration(since_: float) -> str:
    return f"{time.monotonic() - since_:.1f}s"
