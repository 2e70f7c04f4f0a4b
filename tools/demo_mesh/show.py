# SPDX-License-Identifier: Apache-2.0
"""Builds the mesh, plays the steps, keeps the mesh running for who wants to look around."""
import contextlib
import json
import os
import platform
import subprocess
import time
from typing import Iterator, TextIO

from espial_lab import traffic
from espial_lab.espial import executable
from espial_lab.mesh import Mesh, Spec
from espial_lab.netns import Namespace
from espial_lab.scenario import Lab

from . import alertmanager, prometheus
from .relay import Gate
from .screen import Screen
from .stage import Row, Stage
from .steps import STEPS, Step
from .world import Interrupted

# What to ask of a mesh: who leaks, how much is encrypted, what is wrong, why packets are lost.
QUERIES = ("espial_peer_verdict == 1", "espial:pair_transmit_coverage:ratio5m", "espial_alarm == 1",
           "sum by (node, hook) (rate(espial_netfilter_dropped_packets_total[1m])) > 0")
MODULES = ("xfrm_user", "esp4", "esp6", "tun", "bridge", "veth", "nf_tables", "sch_ingress",
           "cls_bpf", "ipip", "ip6_tunnel")


def kernel_esp() -> bool:
    """True if this kernel makes ESP itself: it accepts a state of either family."""
    subprocess.run(["modprobe", "-a", "-q", *MODULES], check=False, stderr=subprocess.DEVNULL)
    probe = Namespace("probe")
    try:
        return all(probe.run(
            "ip", "xfrm", "state", "add", "src", source, "dst", target, "proto", "esp", "spi", "256",
            "mode", "tunnel", "aead", "rfc4106(gcm(aes))", "0x" + 20 * "01", "128",
            check=False).returncode == 0
            for source, target in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")))
    finally:
        probe.close()


def _versions(mesh: Mesh) -> str:
    espial = subprocess.run([executable(), "--version"], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL).stdout.split("\n")[0]
    with mesh.node(1).charon.session() as session:
        swan = session.call("version")["version"]
    esp = "charon makes ESP (kernel-libipsec, in UDP), for this kernel does not" \
        if mesh.spec.libipsec else "the kernel makes ESP"
    return f"{espial}, strongSwan {swan}, Linux {platform.release()}: {esp}."


def _play(step: Step, mesh: Mesh, scraper: prometheus.Prometheus | None) -> Stage:
    lab = Lab(mesh, "demo")
    stage = Stage(lab, scraper)
    try:
        step.play(stage)
    except Exception as error:  # a step may fail in any way; it is told, and the others still play
        if os.environ.get("ESPIAL_LAB_TRACE"):
            raise
        stage.failed(f"{type(error).__name__}: {error}")
    finally:
        lab.close(False)
    return stage


@contextlib.contextmanager
def _scraping(mesh: Mesh, interval: str, alerting: bool) -> Iterator[prometheus.Prometheus | None]:
    """Prometheus where it is installed; `alerting`: with an Alertmanager."""
    with contextlib.ExitStack() as stack:
        if alerting:
            stack.enter_context(contextlib.closing(alertmanager.Alertmanager(mesh.folder)))
        yield stack.enter_context(contextlib.closing(prometheus.Prometheus(
            mesh.nodes, mesh.folder, interval, alerting=alerting))) if prometheus.installed() else None


class Show:
    """One run. `report`: where the JSON goes; `need_prometheus`: fail without it; `gate`: how
    the machine reaches a demo started with --stay."""

    def __init__(self, screen: Screen, report: TextIO | None, need_prometheus: bool, only: str,
                 emulated: bool = False, gate: Gate | None = None):
        self._screen, self._report, self._need = screen, report, need_prometheus
        # Scrapes are expensive for an emulated processor.
        self._interval = "2s" if emulated else "500ms"
        self._only, self._gate = only, gate
        self._rows: list[dict] = []
        self._right = True

    def run(self, stay: bool) -> int:
        started = time.monotonic()
        in_kernel = kernel_esp()
        self._screen.title("Espial watches a strongSwan mesh: three nodes, each with a pod, charon "
                           "and espial.",
                           "nft counts the same wire, and espial's numbers must be equal.")
        if self._need and not prometheus.installed():
            self._screen.fact("Prometheus is not installed", False)
            return 1
        with contextlib.closing(Mesh(Spec(libipsec=not in_kernel, encap=not in_kernel))) as mesh, \
                _scraping(mesh, self._interval, stay and alertmanager.installed()) as scraper:
            self._screen.line(self._screen.dim(_versions(mesh)))
            self._screen.line(self._screen.dim(f"Up, with SAs of both families between all nodes: "
                                               f"{time.monotonic() - started:.1f} s"))
            chosen = [step for step in STEPS if (step.kernel if in_kernel else step.user)
                      and self._only in step.name]
            for number, step in enumerate(chosen, 1):
                self._step(number, step, mesh, scraper)
            right = sum(row["ok"] for row in self._rows)
            self._write()
            self._screen.line()
            self._screen.title(f"{right} of {len(self._rows)} right, {len(chosen)} steps, "
                               f"{time.monotonic() - started:.0f} s")
            if stay:
                with contextlib.suppress(Interrupted):     # the usual way to end it
                    self._stay(mesh, scraper)
        return 0 if self._right and self._rows else 1

    def _step(self, number: int, step: Step, mesh: Mesh,
              scraper: prometheus.Prometheus | None) -> None:
        began = time.monotonic()
        self._screen.step(number, step.story)
        stage = _play(step, mesh, scraper)
        self._screen.played(stage, time.monotonic() - began)
        self._right = self._right and stage.ok
        for row in stage.rows:
            self._rows.append({"name": step.name, "node": row.node, "peer": row.peer,
                               "family": row.family, "expected": row.expected, "seen": row.seen,
                               "ok": row.ok})
        for ping in stage.pings:
            self._rows.append({"name": step.name, "node": ping.source, "peer": ping.target,
                               "family": ping.family, "expected": f"{ping.expected_loss} % loss",
                               "seen": f"{ping.loss} % loss", "ok": ping.ok})

    def _write(self) -> None:
        if self._report:
            json.dump({"schema_version": 1, "steps": self._rows}, self._report, indent=1)
            self._report.write("\n")
            self._report.flush()

    # -- looking around --------------------------------------------------------------------------

    def _stay(self, mesh: Mesh, scraper: prometheus.Prometheus | None) -> None:
        """The healthy mesh again, with a little traffic, until a signal ends it all."""
        lab = Lab(mesh, "demo")
        watch = lab.watch(1, 2, 3)
        try:
            for number, espial in watch.espials.items():
                _tools(f"node{number}", espial=f"{espial.program} \"$@\" --config {espial.config}",
                       swanctl=f"/usr/sbin/swanctl \"$@\" --uri unix://{espial.node.charon.socket}")
            self._screen.line("The mesh stays until Ctrl-C, pods ping each other. Look around, from "
                              "another terminal:")
            enter = "    sudo tools/demo --in"
            for text in ("node1 espial status --watch", "node1 tcpdump -ni prd-port",
                         "node1 curl -s http://127.0.0.1:9754/metrics",
                         "pod1 ping 10.101.2.10",
                         "node1 swanctl --terminate --ike node2 --force     # and it leaks",
                         "node1 swanctl --initiate --child node2-v4         # and node2-v6: healed"):
                self._screen.line(f"{enter} {text}")
            if scraper:
                self._where_to_look()
            while True:
                for one, two in ((1, 2), (1, 3), (2, 3)):
                    for family in (4, 6):
                        source, target = mesh.node(one).pod, mesh.node(two).pod
                        with contextlib.suppress(OSError):
                            traffic.ping(source.namespace, source.address(family),
                                         target.address(family), 1, 0.2)
                time.sleep(1)
        finally:
            lab.close(False)


    def _where_to_look(self) -> None:
        self._gate.serve()
        urls = [("Prometheus, with the fleet's rules", prometheus.ADDRESS)] + \
            ([("Alertmanager", alertmanager.ADDRESS)] if alertmanager.installed() else [])
        for what, (host, port) in urls:
            reached = "" if port not in self._gate.taken else \
                f": the port is in use on this machine; sudo tools/demo --in prometheus curl -s http://{host}:{port}"
            self._screen.line(f"{what}: http://{host}:{port}{reached}")
        self._screen.line("PromQL to paste there:")
        for text in QUERIES:
            self._screen.line(f"    {text}")
        self._screen.line(f"Grafana: a data source Prometheus at http://{prometheus.ADDRESS[0]}:{prometheus.ADDRESS[1]}, then "
                          "import dashboards/grafana/espial-*.json; the cluster is called demo.")


def _tools(namespace: str, **commands: str) -> None:
    """Commands that are set up for their node, for `tools/demo --in`."""
    folder = f"/run/demo/{namespace}"
    os.makedirs(folder, exist_ok=True)
    for name, command in commands.items():
        with open(f"{folder}/{name}", "w") as file:
            file.write(f"#!/bin/sh\nexec {command}\n")
        os.chmod(f"{folder}/{name}", 0o755)
