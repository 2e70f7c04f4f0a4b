# SPDX-License-Identifier: Apache-2.0
"""Where a step plays: it breaks the mesh, sends pings and says what espial has to say about them.

Every claim is checked three ways: the verdict is the expected one; espial's counters of the pair
equal nft's, packet for packet; the coverage that espial shows is the one that nft's counters give.
Where espial enforces, what it says to have dropped is what nft saw come up to it, and the switch, a
witness that the node cannot reach, saw none of it.
"""
import dataclasses
import json
import shlex

from espial_lab import traffic
from espial_lab.count import CLASSES, PROTECTED, UNPROTECTED, Counts, since, unprotected
from espial_lab.mesh import Node
from espial_lab.scenario import Lab, Watch
from espial_lab.wait import Timeout, until

from .prometheus import Prometheus, complaints

WAYS = ("transmit", "receive")
PINGS = 10


@dataclasses.dataclass
class Ping:
    """What a user sees: echo requests, and how many came back."""
    source: str
    target: str
    family: str
    sent: int
    received: int
    expected_loss: int     # percent

    @property
    def loss(self) -> int:
        return 100 - 100 * self.received // self.sent if self.sent else 100

    @property
    def ok(self) -> bool:
        return self.loss == self.expected_loss


@dataclasses.dataclass
class Row:
    """What espial says of a peer. `wire`: nft's packets per class; `coverage`: espial's ratios."""
    node: str
    peer: str
    family: str
    expected: str
    seen: str
    ok: bool
    wire: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    coverage: dict[str, float | None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Stopped(Row):
    """A leak that enforcement stopped. Packets by class: that nft saw on their way to the wire, that
    the switch saw come out of the node, and that espial says it dropped."""
    tried: dict[str, int] = dataclasses.field(default_factory=dict)
    out: dict[str, int] = dataclasses.field(default_factory=dict)
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Alarm:
    node: str
    alarm: str
    peer: str
    evidence: str     # espial's own words; empty if it does not fire


def _packets(counts: Counts, peer: str) -> dict[str, dict[str, int]]:
    """Way to class to packets, both families together, of one peer."""
    found: dict[str, dict[str, int]] = {way: {} for way in WAYS}
    for (way, who, name, _), (packets, _) in sorted(counts.items()):
        if who == peer and name in PROTECTED + UNPROTECTED:
            found[way][name] = found[way].get(name, 0) + packets
    return found


def _coverage(packets: dict[str, int]) -> float | None:
    protected = sum(packets.get(name, 0) for name in PROTECTED)
    every = protected + sum(packets.get(name, 0) for name in UNPROTECTED)
    return protected / every if every else None


def _difference(wire: Counts, own: Counts, peer: str) -> str:
    """The first counter about which nft and espial disagree, in words; empty if there is none."""
    for key in sorted(wire.keys() | own.keys()):
        if key[1] == peer and key[2] in CLASSES and wire.get(key) != own.get(key):
            return f"{' '.join(key)}: nft {wire.get(key, (0, 0))}, espial {own.get(key, (0, 0))}"
    return ""


class Stage:
    """One step's view of the mesh. Without `prometheus` what it would be asked is left out."""

    def __init__(self, lab: Lab, prometheus: Prometheus | None):
        self.lab, self._prometheus = lab, prometheus
        self.pings: list[Ping] = []
        self.rows: list[Row] = []
        self.stopped_leaks: list[Stopped] = []
        self.alarms: list[Alarm] = []
        self.watching: Watch | None = None
        self.facts: list[tuple[str, bool]] = []
        self._zero: dict[int, tuple[Counts, Counts]] = {}
        self._begin = 0.0

    def node(self, number: int) -> Node:
        return self.lab.mesh.node(number)

    def watch(self, scraped: bool = False, mode: str = "") -> None:
        """A fresh espial per node, so that its sliding minute holds this step alone.

        `scraped`: Prometheus has seen them before any traffic, so that `query_says` can ask it.
        `mode`: of all peers; with one, the switch is a witness, too.
        """
        self.watching = self.lab.watch(1, 2, 3, **({"mode": mode} if mode else {}))
        self.zero()
        if scraped and self._prometheus:
            self._begin = self._prometheus.mark()

    def zero(self) -> None:
        """What is expected from now on is about what is sent from now on."""
        for number, espial in self.watching.espials.items():
            self._zero[number] = (self.watching.wires[number].read(), espial.counts())
            self.watching.zero(number)

    # -- what the user does ----------------------------------------------------------------------

    def ping(self, source: int, target: int, family: int, loss: int = 0) -> None:
        """From pod to pod."""
        pod = self.node(source).pod
        self._ping(pod.namespace, f"pod{source}", pod.address(family), target, family, loss)

    def host_ping(self, source: int, target: int, family: int, loss: int = 0) -> None:
        """From the node itself, with its underlay address, to a remote pod."""
        node = self.node(source)
        self._ping(node.namespace, node.name, node.underlay[family], target, family, loss)

    def _ping(self, namespace, name: str, address: str, target: int, family: int,
              loss: int) -> None:
        # What is expected to be lost is not waited for.
        sent = traffic.ping(namespace, address, self.node(target).pod.address(family), PINGS,
                            0.05 if loss == 100 else 20, all_of_them=True)
        self.lab.sent += sent.sent
        self.pings.append(Ping(name, f"pod{target}", f"ipv{family}", sent.sent, sent.received,
                               loss))

    # -- what espial has to say ------------------------------------------------------------------

    def expect(self, number: int, peer: int, family: str, verdict: str) -> None:
        """`family` is the one of the traffic: ipv4, ipv6 or both."""
        espial, wire = self.watching.espials[number], self.watching.wires[number]
        name = self.node(peer).name
        row = Row(f"node{number}", name, family, verdict, "", False)

        def right() -> bool:
            status = espial.cli_status()
            own = espial.peer(name, status)
            counts = since(wire.read(), self._zero[number][0])
            row.seen, row.wire = own["verdict"], _packets(counts, name)
            row.coverage = {way: own[way]["coverage"] for way in WAYS}
            assert row.seen == verdict, f"verdict {row.seen}"
            difference = _difference(
                counts, since(espial.counts(status), self._zero[number][1]), name)
            assert not difference, difference
            for way in WAYS:
                true = _coverage(row.wire[way])
                assert row.coverage[way] == true or None not in (true, row.coverage[way]) and \
                    abs(row.coverage[way] - true) < 1e-6, \
                    f"{way} coverage {row.coverage[way]}, nft's {true}"
            return True
        try:
            row.ok = until(f"node{number} on {name}", right, every=0.15)
        except Timeout as error:
            if row.seen == verdict:
                row.seen = f"{verdict}, but {str(error).split(': ', 2)[-1]}"
        self.rows.append(row)

    def stopped(self, number: int, peer: int, family: str, tried: dict[str, int]) -> None:
        """Exactly these packets, by class, went up to the wire; all were dropped, none came out."""
        espial, name = self.watching.espials[number], self.node(peer).name
        row = Stopped(f"node{number}", name, family, "stopped", "", False)

        def right() -> bool:
            inside = since(self.watching.wires[number].read(), self._zero[number][0])
            row.tried = {key: count for key, count in _packets(inside, name)["transmit"].items()
                         if key in UNPROTECTED}
            # Whatever family and whoever's: nothing readable between this node and the switch.
            row.out = unprotected(self.watching.outside(number))
            row.dropped = {reason: packets for (way, reason), (packets, _) in
                           espial.drops(name, status=espial.cli_status()).items()
                           if way == "transmit"}
            row.seen = "stopped" if row.tried == row.dropped == tried and not row.out else \
                f"tried {row.tried}, on the wire {row.out}, dropped {row.dropped}"
            return row.seen == "stopped"
        try:
            row.ok = until(f"node{number} stops what goes to {name}", right, every=0.15)
        except Timeout:
            pass
        self.rows.append(row)
        self.stopped_leaks.append(row)

    def says(self, number: int, *arguments: str, status: int, text: str) -> None:
        """The command espial ARGUMENTS on this node ends with `status` and says `text`."""
        done = self.watching.espials[number].run(*arguments)
        said = (done.stdout + done.stderr).strip()
        line = next((line.strip() for line in said.splitlines() if text in line), "")
        ok = done.returncode == status and bool(line)
        self.rows.append(Row(f"node{number}", "", "both", f"exit {status}: {text}",
                             f"exit {done.returncode}: {text if line else said}", ok))
        self.facts.append((f"node{number}$ espial {' '.join(arguments)}", ok))
        self.facts.append((f"  {line or said}", ok))

    def repair(self, number: int) -> None:
        """Runs what `espial doctor` says against its first finding, as it stands."""
        done = self.watching.espials[number].run("doctor", "--json")
        for command in json.loads(done.stdout)["findings"][0]["remedies"]:
            self.node(number).namespace.run(*shlex.split(command))
            self.facts.append((f"node{number}$ {command}", True))

    def alarm(self, number: int, alarm: str, peer: int) -> None:
        """This alarm fires."""
        espial, name = self.watching.espials[number], self.node(peer).name
        found: list[str] = []

        def fires() -> bool:
            status = espial.cli_status()
            found.extend(item["evidence"] for item in status["alarms"]
                         if (item["alarm"], item["peer"], item["state"]) == (alarm, name, "firing"))
            return bool(found)
        try:
            until(f"{alarm} fires", fires, every=0.15)
        except Timeout:
            found = [""]
        self.alarms.append(Alarm(f"node{number}", alarm, name, found[0]))
        self.rows.append(Row(f"node{number}", name, "both", f"{alarm} firing",
                             f"{alarm} firing" if found[0] else f"{alarm} silent", bool(found[0])))

    def query_says(self, number: int, peer: int, family: str, ratio: float) -> None:
        """The coverage query of a real Prometheus returns this ratio."""
        if not self._prometheus:
            return
        name, seen = self.node(peer).name, None

        def right() -> bool:
            nonlocal seen
            seen = self._prometheus.coverage(self._begin).get((f"node{number}", name))
            return seen is not None and abs(seen - ratio) < 1e-9
        try:
            ok = until("the query's answer", right, every=0.2)
        except Timeout:
            ok = False
        self.rows.append(Row(f"node{number}", name, family, f"coverage {ratio:g}",
                             "no coverage" if seen is None else f"coverage {seen:g}", ok))
        self.facts.append((f"Prometheus: coverage of what node{number} sent to {name}: "
                           f"{'nothing' if seen is None else format(seen, 'g')}", ok))

    def alerts(self, number: int, alert: str, peer: int) -> None:
        """The fleet's rules make a real Prometheus fire this alert."""
        if not self._prometheus:
            return
        name, wanted = self.node(peer).name, {"node": f"node{number}", "peer": self.node(peer).name}
        try:
            until(f"Prometheus fires {alert}",
                  lambda: any(wanted.items() <= labels.items()
                              for labels in self._prometheus.firing(alert)), every=0.2)
            ok = True
        except Timeout:
            ok = False
        seen = f"{alert} {'firing' if ok else 'silent'}"
        self.rows.append(Row(f"node{number}", name, "both", f"{alert} firing", seen, ok))
        self.facts.append((f"Prometheus: {seen} for node{number} and {name}", ok))

    def exposition_is_clean(self, number: int) -> None:
        """promtool has nothing to say about a live scrape."""
        if not self._prometheus:
            return
        said = complaints(self.watching.espials[number].get("/metrics")[1])
        self.rows.append(Row(f"node{number}", "", "both", "clean metrics",
                             said.splitlines()[0] if said else "clean metrics", not said))
        self.facts.append((f"promtool check metrics on node{number}: {said or 'clean'}", not said))

    def failed(self, why: str) -> None:
        """The step could not be played to its end."""
        self.rows.append(Row("", "", "both", "the step is played", why, False))
        self.facts.append((why, False))

    @property
    def ok(self) -> bool:
        return bool(self.rows) and all(row.ok for row in self.rows) and \
            all(ping.ok for ping in self.pings)
