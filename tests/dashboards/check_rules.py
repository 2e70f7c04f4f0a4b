#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_rules.py ESPIAL   is what dashboards/ has sound, tested, and true to this espial?

promtool checks and tests the rules, and with amtool the examples of configuration; the rest is what
these cannot know: that each alarm of the daemon has an alert of its severity, each alert a firing and a
quiet case and a runbook that begins with an espial command, that every metric and label is one that
espial exports, and every command one that it takes. Of dashboards only whether their metrics and labels
exist: their generator knows more. Prints one line for each fault; exit status 1 if there is one.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "dashboards" / "rules" / "espial.rules.yml"
TESTS = sorted((ROOT / "dashboards" / "rules" / "tests").glob("*.yml"))
RUNBOOKS = ROOT / "dashboards" / "runbooks"
CONFIG = ROOT / "dashboards" / "prometheus" / "prometheus.yml"
ALERTMANAGER = CONFIG.parent / "alertmanager.yml"
INSTALLED = "/usr/share/espial/"
# Of Prometheus itself and of the targets' configuration.
OTHER_METRICS, TARGET_LABELS = {"up"}, {"cluster", "node", "instance", "job"}
# Not in the compact set; the head of the rules says which rules need them.
FULL_SET = {"espial_peer_mode", "espial_peer_policy_missing", "espial_peer_sa_expiry_timestamp_seconds",
            "espial_network_transmit_cleartext_packets_total",
            "espial_network_receive_cleartext_packets_total"}


def tool(*words: str) -> list[str]:
    done = subprocess.run(words, text=True, capture_output=True, check=False)
    return [] if done.returncode == 0 else [f"{' '.join(words)}: {done.stdout}{done.stderr}"]


def promtool(*words: str) -> list[str]:
    return tool("promtool", *words)


def config_faults() -> list[str]:
    """Both examples, as they are installed: with the rules and the file of targets in their places."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, CONFIG.name)
        copy.write_text(CONFIG.read_text().replace(f"{INSTALLED}rules/{RULES.name}", str(RULES)))
        pathlib.Path(folder, "targets.json").write_text((CONFIG.parent / "targets.json").read_text())
        return promtool("check", "config", str(copy)) + tool("amtool", "check-config", str(ALERTMANAGER))


def exported() -> dict[str, set[str]]:
    """Labels by metric, of both sets."""
    metrics: dict[str, set[str]] = {}
    for name in ("metrics", "metrics_compact"):
        for line in (ROOT / "tests" / "golden" / f"{name}.prom").read_text().splitlines():
            if found := re.match(r"(espial_\w+)(?:\{(.*)\})? ", line):
                metrics.setdefault(found[1], set()).update(re.findall(r"(\w+)=\"", found[2] or ""))
    return metrics


def compact() -> set[str]:
    text = (ROOT / "tests" / "golden" / "metrics_compact.prom").read_text()
    return set(re.findall(r"^(espial_\w+)", text, re.M))


def alarms() -> dict[str, str]:
    """Severity by name, from the list that the daemon is built from."""
    text = (ROOT / "userspace" / "model" / "alarms" / "alarms.h").read_text()
    found = re.findall(r"X\((\w+), k(Critical|Warning|Info), \d+, \d+, (?:true|false)\)", text)
    return {name: severity.lower() for name, severity in found}


def metric_faults(rules: list[dict], recorded: set[str], needed: set[str]) -> list[str]:
    """`needed`: metrics that need not be in the compact set."""
    metrics, least, faults = exported(), compact(), []
    for rule in rules:
        where, text = rule.get("record") or rule["alert"], re.sub(r'"[^"]*"', '""', rule["expr"])
        for name in re.findall(r"\bespial:[\w:]+", text):
            if name not in recorded:
                faults.append(f"{where}: nothing records {name}")
        for name, matchers in re.findall(r"\b(espial_\w+|up)\b(?:\{([^}]*)\})?", text):
            if name not in metrics and name not in OTHER_METRICS:
                faults.append(f"{where}: espial does not export {name}")
            elif name not in least | OTHER_METRICS | needed:
                faults.append(f"{where}: {name} is not in the compact set")
            unknown = set(re.findall(r"(\w+)\s*[=!]", matchers)) - TARGET_LABELS - metrics.get(name, set())
            if unknown:
                faults.append(f"{where}: {name} has no label {', '.join(sorted(unknown))}")
    return faults


def queries() -> list[dict]:
    """Those of all panels, in the shape of rules."""
    return [{"record": f"{path.name}: {panel['title']}", "expr": target["expr"]}
            for path in sorted((ROOT / "dashboards" / "grafana").glob("espial-*.json"))
            for panel in json.loads(path.read_text())["panels"] for target in panel.get("targets", [])]


def alert_faults(alerts: dict[str, dict]) -> list[str]:
    faults = [f"no alert for the alarm {name}" for name in alarms() if f"Espial{name}" not in alerts]
    cases: dict[str, list[bool]] = {}
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                cases.setdefault(case["alertname"], []).append(bool(case["exp_alerts"]))
    for name, rule in alerts.items():
        wanted = alarms().get(name.removeprefix("Espial"))
        if wanted and rule["labels"]["severity"] != wanted:
            faults.append(f"{name}: severity {rule['labels']['severity']}, the daemon's is {wanted}")
        if set(cases.get(name, [])) != {True, False}:
            faults.append(f"{name}: wants a firing and a quiet case in {TESTS[0].parent}")
        if rule["annotations"].get("runbook") != f"{INSTALLED}runbooks/{name}.md":
            faults.append(f"{name}: runbook is {rule['annotations'].get('runbook')}")
        if not (RUNBOOKS / f"{name}.md").exists():
            faults.append(f"{name}: no {RUNBOOKS}/{name}.md")
    faults += [f"{path}: no alert of that name" for path in RUNBOOKS.glob("*.md")
               if path.stem not in alerts]
    return faults


def runbook_faults(espial: str) -> list[str]:
    """The first step is an espial command, and every command of espial is one."""
    helps: dict[str, str] = {}

    def help_of(words: tuple[str, ...]) -> str:
        if words not in helps:
            done = subprocess.run([espial, *words, "--help"], text=True, capture_output=True,
                                  check=False)
            taken = f"Usage: espial {' '.join(words)} " in done.stdout
            helps[words] = done.stdout if taken and done.returncode == 0 else ""
        return helps[words]

    faults = []
    for path in sorted(RUNBOOKS.glob("*.md")):
        text = " ".join(path.read_text().split())
        if not re.search(r"## Look 1\. `espial ", text):
            faults.append(f"{path.name}: the first step is no espial command")
        for command in re.findall(r"`espial ([^`]*)`", text):
            words = command.split()
            count = 2 if words[0] in ("policy", "config", "mesh") else 1
            usage = help_of(tuple(words[:count]))
            if not usage:
                faults.append(f"{path.name}: espial has no command {' '.join(words[:count])}")
            for word in words[count:]:
                known = word in usage if word.startswith("--") else \
                    word.isupper() or re.search(rf"[{{,]{re.escape(word)}[,}}]", usage)
                if not known:
                    faults.append(f"{path.name}: espial {' '.join(words[:count])} takes no {word}")
    return faults


def main() -> int:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    alerts = {rule["alert"]: rule for rule in rules if "alert" in rule}
    faults = promtool("check", "rules", str(RULES))
    faults += promtool("test", "rules", *map(str, TESTS))
    faults += config_faults()
    recorded = {rule["record"] for rule in rules if "record" in rule}
    panels = queries()
    faults += metric_faults(rules, recorded, FULL_SET) + metric_faults(panels, recorded, set(exported()))
    faults += alert_faults(alerts) + runbook_faults(sys.argv[1])
    if f"{INSTALLED}rules/{RULES.name}" not in CONFIG.read_text():
        faults.append(f"{CONFIG}: does not load the rules")
    if (ROOT / "tests" / "golden" / "series.md").read_text() not in \
            (ROOT / "dashboards" / "README.md").read_text():
        faults.append("dashboards/README.md: its table is not tests/golden/series.md")
    json.loads((CONFIG.parent / "targets.json").read_text())
    for fault in faults:
        print(fault)
    print(f"{len(rules)} rules, {len(alerts)} alerts, {len(panels)} queries of panels, {len(faults)} faults")
    return 1 if faults or not alerts or not panels else 0


sys.exit(main())
