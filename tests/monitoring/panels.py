# SPDX-License-Identifier: Apache-2.0
"""Every query of every dashboard, with its variables filled in as Grafana would, put to Prometheus."""
import dataclasses
import json
import pathlib
import re
from typing import Iterator

from demo_mesh.prometheus import Prometheus

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "dashboards" / "grafana"
FULL_ONLY = "Nodes with the compact set of metrics"


@dataclasses.dataclass(frozen=True)
class Query:
    dashboard: str
    panel: str
    expr: str
    instant: bool
    labels: frozenset[str]    # that legend, columns, matrix or word take from the result
    full: bool                # the panel says that it needs the full set

    @property
    def where(self) -> str:
        return f"{self.dashboard}: {self.panel}"


def _labels(panel: dict, target: dict) -> frozenset[str]:
    found = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
    for step in panel.get("transformations", []):
        if step["id"] == "organize":
            found |= set(step["options"]["renameByName"]) - {"Value"}
        elif step["id"] == "groupingToMatrix":
            found |= {step["options"][key] for key in ("columnField", "rowField", "valueField")} - {"Value"}
    if field := re.fullmatch(r"/\^(\w+)\$/", panel["options"].get("reduceOptions", {}).get("fields", "")):
        found.add(field[1])
    return frozenset(found)


def dashboards() -> list[dict]:
    found = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("espial-*.json"))]
    assert len(found) == 4, f"{FOLDER}: {len(found)} dashboards"
    return found


def queries() -> Iterator[Query]:
    for dashboard in dashboards():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield Query(dashboard["uid"], panel["title"], target["expr"], target.get("instant", False),
                            _labels(panel, target), FULL_ONLY in panel["description"])


def filled(text: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda found: variables[found[1]], text)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a reader chose. Of the dashboard about one pair `node` and `peer` are that pair; elsewhere
    it is every peer, and every node unless `only`. `interval`: of scrapes, in seconds."""
    cluster: str
    node: str
    peer: str
    interval: int
    only: bool = False

    def variables(self, dashboard: str) -> dict[str, str]:
        pair = dashboard == "espial-peer"
        return {"cluster": self.cluster, "node": self.node if pair or self.only else ".*",
                "peer": self.peer if pair else ".*", "network": ".*",
                "__rate_interval": f"{max(10, 4 * self.interval)}s", "__range": "5m"}


def answer(query: Query, prometheus: Prometheus, choice: Choice) -> list[dict]:
    expr = filled(query.expr, choice.variables(query.dashboard))
    return prometheus.query(expr) if query.instant else \
        prometheus.query_range(expr, max(20, 10 * choice.interval), max(2, choice.interval))


def lacking(query: Query, result: list[dict]) -> set[str]:
    """Labels that the panel takes from the result and no series of it has."""
    return set(query.labels) - {label for series in result for label in series["metric"]}


def choices(prometheus: Prometheus, choice: Choice) -> Iterator[tuple[str, list[str]]]:
    """Each variable of each dashboard, and what there is to choose."""
    for dashboard in dashboards():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] != "query":
                continue
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            match = filled(metric, choice.variables(dashboard["uid"]))
            yield f"{dashboard['uid']}: variable {variable['name']}", \
                prometheus.get(f"label/{label}/values", {"match[]": match})
