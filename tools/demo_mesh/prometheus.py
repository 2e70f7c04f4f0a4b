# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus (Debian's) that scrapes the three espials, and what it answers.

Every espial listens on the loopback of its node. A relay per node, with one socket in the world of
Prometheus and one in the node, leads there.
"""
import json
import pathlib
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from espial_lab.espial import LISTEN
from espial_lab.mesh import Node
from espial_lab.wait import until

from . import alertmanager
from .relay import LOOPBACK, Relay

ADDRESS = (LOOPBACK, 9090)
_RELAYS = 9101     # port of the first node
RULES = pathlib.Path(__file__).resolve().parents[2] / "dashboards" / "rules" / "espial.rules.yml"

# A peer's coverage over a time, per node: what dashboards and alerts ask.
COVERAGE = ("sum by (node, peer) (increase(espial_peer_transmit_encrypted_packets_total[{0}]))"
            " / (sum by (node, peer) (increase(espial_peer_transmit_encrypted_packets_total[{0}]))"
            " + sum by (node, peer) (increase(espial_peer_transmit_unprotected_packets_total[{0}])))")


def installed() -> bool:
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


class Prometheus:
    """Runs from the constructor to close(). `interval`: of scrapes and rules, as Prometheus writes it;
    `alerting`: there is an Alertmanager, too; `others`: static configurations of more targets."""

    def __init__(self, nodes: list[Node], folder: str, interval: str, rules: pathlib.Path = RULES,
                 alerting: bool = False, others: tuple[dict, ...] = (), evaluation: str = ""):
        self._nodes = nodes
        self._relays = [Relay(node.namespace, _RELAYS + index, LISTEN)
                        for index, node in enumerate(nodes)]
        config = {"global": {"scrape_interval": interval, "scrape_timeout": interval,
                             "evaluation_interval": evaluation or interval},
                  "rule_files": [str(rules)],
                  "scrape_configs": [{"job_name": "espial", "static_configs": [
                      {"targets": [f"{ADDRESS[0]}:{_RELAYS + index}"],
                       "labels": {"cluster": "demo", "node": node.name}} for index, node in enumerate(nodes)] +
                      list(others)}]}
        if alerting:
            host, port = alertmanager.ADDRESS
            config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [f"{host}:{port}"]}]}]}
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
        self._process.wait(60)

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
            with urllib.request.urlopen(url, timeout=60) as answer:
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
        until("Prometheus scrapes all nodes", scraped, every=0.1)
        return now

    def coverage(self, begin: float) -> dict[tuple[str, str], float]:
        """(node, peer) to the ratio of encrypted packets that were sent since `begin`."""
        span = f"{int(1000 * (time.time() - begin))}ms"
        return {(one["metric"]["node"], one["metric"]["peer"]): float(one["value"][1])
                for one in self.query(COVERAGE.format(span)) if one["value"][1] != "NaN"}


def complaints(exposition: str) -> str:
    """What `promtool check metrics` has to say; empty if the exposition is clean."""
    done = subprocess.run(["promtool", "check", "metrics"], input=exposition, text=True,
                          capture_output=True, timeout=60)
    said = (done.stdout + done.stderr).strip()
    return said or (f"exit status {done.returncode}" if done.returncode else "")
