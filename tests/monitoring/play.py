# SPDX-License-Identifier: Apache-2.0
"""What is broken and repaired, which alerts have to come and go, and what the panels have to show."""
import dataclasses
import signal
import socket
import threading
import time

from demo_mesh.alertmanager import Alertmanager
from demo_mesh.prometheus import Prometheus
from espial_lab import traffic
from espial_lab.espial import Espial
from espial_lab.mesh import Mesh
from espial_lab.wait import Timeout, until

import panels
from clock import Rules, daemon_hold_off

WINDOW = 60      # of espial's own alarms about traffic (userspace/model/traffic/window.h)
SNAPSHOT = 1     # seconds between two looks of espial at its counters
BUSY = 40        # what a machine that does something else, too, may add: it guards against hanging only
PROBES = 5       # seconds between espial's own probes of a way
# Until ProbeFailed fires, and until it ends (espial.8): rounds are shifted by up to a quarter.
PROBES_FAIL, PROBES_PASS = 3.25 * PROBES + 2, 1.25 * PROBES + 2
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3

# What this mesh cannot show without ESP in the kernel, or has no reason to: asked of the promised
# exposition instead (README.md).
FED = {
    ("espial-peer", "How long do the SAs last?"): "SAs are charon's, the kernel has none",
}
# The one query, of a panel with others, that only nodes with the full set answer.
FULL_QUERY = "_exempted_packets_total"
# What a node with the compact set says of good verdicts: nothing, as the panels say themselves.
COMPACT_SILENT = {
    ("espial-overview", "What does each node say about each peer?"),
    ("espial-peer", "What is the verdict?"),
}


@dataclasses.dataclass(frozen=True)
class Expected:
    alert: str
    node: str
    peer: str = ""

    def matches(self, labels: dict[str, str]) -> bool:
        wanted = {"alertname": self.alert, "cluster": "demo", "node": self.node} | \
            ({"peer": self.peer} if self.peer else {})
        return wanted.items() <= labels.items()

    def __str__(self) -> str:
        return f"{self.alert} of {self.node}" + (f" about {self.peer}" if self.peer else "")


class Play:
    """Traffic flows between all pods from the beginning to the end of the context."""

    def __init__(self, mesh: Mesh, espials: dict[int, Espial], prometheus: Prometheus,
                 alertmanager: Alertmanager, rules: Rules, interval: int, evaluation: int):
        """`interval` and `evaluation`: seconds between scrapes and between looks at the rules."""
        self._mesh, self._espials = mesh, espials
        self._prometheus, self._alertmanager = prometheus, alertmanager
        self._rules, self._interval, self._cycle = rules, interval, interval + evaluation
        self._stop = threading.Event()
        self._traffic = threading.Thread(target=self._talk, daemon=True)
        self.passed, self.failures = 0, []

    def __enter__(self) -> "Play":
        self._traffic.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._traffic.join(10)

    def _talk(self) -> None:
        pairs = [(one, two, family) for one in (1, 2, 3) for two in (1, 2, 3) if one != two
                 for family in (4, 6)]
        while not self._stop.is_set():
            for one, two, family in pairs:
                source, target = self._mesh.node(one).pod, self._mesh.node(two).pod
                try:
                    traffic.ping(source.namespace, source.address(family), target.address(family), 1, 0.02)
                except OSError:
                    pass      # refused by a policy: that, too, is what is tested
            self._too_big()
            self._stop.wait(0.2)

    def _too_big(self) -> None:
        """A datagram that no fragment may be made of, too long for the way from node3."""
        source, target = self._mesh.node(3).pod, self._mesh.node(2).pod
        with source.namespace:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
            try:
                sender.sendto(bytes(1460), (target.address(4), traffic.PORT))
            except OSError:
                pass

    def _check(self, what: str, fault: str) -> None:
        if fault:
            self.failures.append(what)
            print(f"FAIL {what}: {fault}", flush=True)
        else:
            self.passed += 1

    # -- alerts ----------------------------------------------------------------------------------

    def _there(self, expected: Expected) -> bool:
        return any(expected.matches(alert["labels"]) for alert in self._alertmanager.alerts())

    def _arrives(self, expected: Expected, since: float, more: float = 0) -> None:
        """`more`: seconds until espial itself can know."""
        promised = more + daemon_hold_off(expected.alert) + self._rules.hold_off(expected.alert) + \
            SNAPSHOT + self._cycle
        self._within(f"{expected} is in Alertmanager", lambda: self._there(expected), since, promised)

    def _goes(self, expected: Expected, since: float, window: float) -> None:
        promised = window + self._rules.remembered(expected.alert) + SNAPSHOT + self._cycle
        self._within(f"{expected} is resolved", lambda: not self._there(expected), since, promised)

    def _within(self, what: str, condition, since: float, promised: float) -> None:
        """Measured from `since`: what was waited for before counts, too."""
        try:
            until(what, condition, max(0.1, since + promised + BUSY - time.monotonic()), 0.1)
            took = time.monotonic() - since
            print(f"{what} after {took:.1f} s (promised: {promised:.0f} s)", flush=True)
            self._check(what, "")
        except Timeout as error:
            seen = sorted({alert["labels"]["alertname"] for alert in self._alertmanager.alerts()
                           if alert["labels"].get("cluster") == "demo"})
            self._check(what, f"{error} of {promised:.0f} s and {BUSY} s; there are {', '.join(seen)}")

    # -- panels ----------------------------------------------------------------------------------

    def _panels(self) -> None:
        began, count = time.monotonic(), 0
        for query in panels.queries():
            count += 1
            where = (query.dashboard, query.panel)
            self._check(f"{query.where}: {query.expr}", self._query_fault(query, where in FED))
            if not query.full and FULL_QUERY not in query.expr and where not in COMPACT_SILENT:
                compact = panels.answer(query, self._prometheus, self._choice("demo", "node3", "node1", only=True))
                self._check(f"{query.where}, compact: {query.expr}", "" if compact else "is empty")
        for what, values in panels.choices(self._prometheus, self._choice("demo", "node1", "node2")):
            self._check(what, "" if values else "nothing to choose")
        print(f"{count} queries of {len(panels.dashboards())} dashboards in {time.monotonic() - began:.1f} s",
              flush=True)

    def _choice(self, *pair: str, only: bool = False) -> panels.Choice:
        return panels.Choice(*pair, self._interval, only)

    def _query_fault(self, query: panels.Query, other: bool) -> str:
        try:
            found = panels.answer(query, self._prometheus, self._choice("demo", "node1", "node2"))
            if not found and other:
                found = panels.answer(query, self._prometheus, self._choice("fed", "node9", "node3"))
        except ValueError as error:
            return str(error)
        if not found:
            return "is empty"
        lacking = panels.lacking(query, found)
        return f"no series has {', '.join(sorted(lacking))}" if lacking else ""

    # -- the play --------------------------------------------------------------------------------

    def run(self) -> None:
        leak = Expected("EspialCleartextTraffic", "node1", "node2")
        drop = Expected("EspialEnforcementDropping", "node1", "node3")
        forward = Expected("EspialForwardDrops", "node3")
        probe = Expected("EspialProbeFailed", "node1", "node3")
        down = Expected("EspialMonitorDown", "node2")
        one, two, three = (self._espials[number] for number in (1, 2, 3))
        self._prometheus.mark()
        until("Alertmanager answers", self._answers, every=0.1)
        until("all six ways are all encrypted, by the recorded coverage", self._encrypted,
              BUSY + 3 * self._cycle, 0.1)
        until("the last probes of all twelve ways were encrypted", self._probed, BUSY + self._cycle, 0.1)
        quiet = [expected for expected in (leak, drop, forward, probe, down) if self._there(expected)]
        self._check("a healthy mesh is quiet", ", ".join(map(str, quiet)))

        # Broken: no policies between node1 and the others; node1 lets nothing of node3 pass in clear; a
        # rule of node3 drops what it forwards; node2's espial is gone.
        self._mesh.unload(1, 2)
        leaking = time.monotonic()
        self._mesh.unload(1, 3)
        one.run("policy", "set", "node3", "enforce", "--force", check=True)
        enforcing = time.monotonic()
        three.node.namespace.run("nft", "-f", "-", input="table inet broken { chain forward { "
                                 "type filter hook forward priority 0; policy drop; }; }")
        blocked = time.monotonic()
        two.stop(signal.SIGTERM)
        stopped = time.monotonic()
        self._arrives(leak, leaking)
        self._arrives(drop, enforcing)
        self._arrives(forward, blocked)
        self._arrives(down, stopped)
        self._arrives(probe, enforcing, PROBES_FAIL)
        self._panels()

        # Repaired.
        two.start()
        two.ready()
        answering = time.monotonic()
        three.node.namespace.run("nft", "delete", "table", "inet", "broken")
        self._mesh.reload(1, 2)
        self._mesh.reload(1, 3)
        one.run("policy", "set", "node3", "monitor", check=True)
        repaired = time.monotonic()
        self._goes(down, answering, 0)
        self._goes(probe, repaired, PROBES_PASS)
        for expected in (leak, drop, forward):
            self._goes(expected, repaired, WINDOW)

    def _encrypted(self) -> bool:
        found = self._prometheus.query('espial:pair_transmit_coverage:ratio5m{cluster="demo"}')
        return [series["value"][1] for series in found] == 6 * ["1"]

    def _probed(self) -> bool:
        found = self._prometheus.query('sum by (outcome) (espial_probe_ways{cluster="demo"}) > 0')
        return [(series["metric"]["outcome"], series["value"][1]) for series in found] == [("encrypted", "12")]

    def _answers(self) -> bool:
        try:
            return self._alertmanager.alerts() is not None
        except OSError:
            return False
