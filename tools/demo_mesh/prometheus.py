# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus (Debian's) that scrapes the three espials, and what it answers.

Every espial listens on the loopback of its node. A relay per node, with one socket in the world of
Prometheus and one in the node, leads there: no packet of a scrape crosses the mesh.
"""
import ctypes
import json
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from espial_lab.espial import LISTEN
from espial_lab.mesh import Node
from espial_lab.netns import CLONE_NEWNET, Namespace
from espial_lab.wait import until

ADDRESS = ("127.0.0.1", 9090)
_RELAYS = 9101     # port of the first node
RULES = pathlib.Path(__file__).resolve().parents[2] / "dashboards" / "rules" / "espial.rules.yml"
_libc = ctypes.CDLL(None, use_errno=True)

# A peer's coverage over a time, per node: what dashboards and alerts ask.
COVERAGE = ("sum by (node, peer) (increase(espial_peer_transmit_encrypted_packets_total[{0}]))"
            " / (sum by (node, peer) (increase(espial_peer_transmit_encrypted_packets_total[{0}]))"
            " + sum by (node, peer) (increase(espial_peer_transmit_unprotected_packets_total[{0}])))")


def installed() -> bool:
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class _Relay:
    """Connections to 127.0.0.1:port, here, end at espial's address inside the node."""

    def __init__(self, namespace: Namespace, port: int):
        self._path = namespace.path
        self._listener = socket.create_server((ADDRESS[0], port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client:
            try:
                # setns(2) moves this thread alone, and the thread ends with the connection.
                with open(self._path) as namespace:
                    if _libc.setns(namespace.fileno(), CLONE_NEWNET) < 0:
                        return
                with socket.create_connection(LISTEN, 10) as server:
                    forth = threading.Thread(target=_copy, args=(client, server), daemon=True)
                    forth.start()
                    _copy(server, client)
                    forth.join(10)
            except OSError:
                pass

    def close(self) -> None:
        self._listener.close()


class Prometheus:
    """Runs from the constructor to close(). `interval`: of scrapes and rules, as Prometheus writes it;
    `alertmanager`: an address that alerts are sent to; `others`: static configurations of more targets."""

    def __init__(self, nodes: list[Node], folder: str, interval: str, rules: pathlib.Path = RULES,
                 alertmanager: str = "", others: tuple[dict, ...] = (), evaluation: str = ""):
        self._nodes = nodes
        self._relays = [_Relay(node.namespace, _RELAYS + index)
                        for index, node in enumerate(nodes)]
        config = {"global": {"scrape_interval": interval, "scrape_timeout": interval,
                             "evaluation_interval": evaluation or interval},
                  "rule_files": [str(rules)],
                  "scrape_configs": [{"job_name": "espial", "static_configs": [
                      {"targets": [f"{ADDRESS[0]}:{_RELAYS + index}"],
                       "labels": {"cluster": "demo", "node": node.name}} for index, node in enumerate(nodes)] +
                      list(others)}]}
        if alertmanager:
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
        self.config, self.log = f"{folder}/prometheus.yml", f"{folder}/prometheus.log"
        with open(self.config, "w") as file:
            json.dump(config, file)      # JSON is YAML
        with open(self.log, "w") as log:
            self._process = subprocess.Popen(
                ["prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={folder}/tsdb",
                 f"--web.listen-address={ADDRESS[0]}:{ADDRESS[1]}"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def close(self) -> None:
        for relay in self._relays:
            relay.close()
        # Nothing of it is read again.
        self._process.kill()
        self._process.wait(10)

    def query(self, expression: str) -> list[dict]:
        """An instant query: [{"metric": {...}, "value": [time, "text"]}]."""
        return self.get("query", {"query": expression})["result"]

    def query_range(self, expression: str, seconds: int, step: int) -> list[dict]:
        """The last seconds: [{"metric": {...}, "values": [[time, "text"], ...]}]."""
        now = time.time()
        return self.get("query_range", {"query": expression, "start": now - seconds, "end": now,
                                        "step": step})["result"]

    def firing(self, alert: str) -> list[dict[str, str]]:
        """The labels of each instance of an alert that fires now."""
        return [one["labels"] for one in self.get("alerts")["alerts"]
                if one["state"] == "firing" and one["labels"]["alertname"] == alert]

    @staticmethod
    def get(what: str, parameters: dict | None = None) -> dict | list:
        """What the HTTP API has under /api/v1/ there. A query that it refuses is a ValueError."""
        url = f"http://{ADDRESS[0]}:{ADDRESS[1]}/api/v1/{what}?{urllib.parse.urlencode(parameters or {})}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code not in (400, 422):
                raise
            raise ValueError(json.load(error).get("error", str(error))) from error

    def mark(self) -> float:
        """Waits until every node was scraped after now; returns that now."""
        now = time.time()

        def scraped() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"prometheus ended; see {self.log}")
            try:
                # Of a plain selector only is timestamp() the sample's; a failed scrape leaves none.
                found = self.query('timestamp(espial_build_info{cluster="demo"})')
            except OSError:
                return False
            return len([one for one in found if float(one["value"][1]) > now]) == len(self._nodes)
        until("Prometheus scrapes all nodes", scraped, 20, 0.1)
        return now

    def coverage(self, begin: float) -> dict[tuple[str, str], float]:
        """(node, peer) to the ratio of encrypted packets that were sent since `begin`."""
        span = f"{int(1000 * (time.time() - begin))}ms"
        return {(one["metric"]["node"], one["metric"]["peer"]): float(one["value"][1])
                for one in self.query(COVERAGE.format(span)) if one["value"][1] != "NaN"}


def complaints(exposition: str) -> str:
    """What `promtool check metrics` has to say; empty if the exposition is clean."""
    done = subprocess.run(["promtool", "check", "metrics"], input=exposition, text=True,
                          capture_output=True, timeout=30)
    said = (done.stdout + done.stderr).strip()
    return said or (f"exit status {done.returncode}" if done.returncode else "")
