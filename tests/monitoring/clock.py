# SPDX-License-Identifier: Apache-2.0
"""The fleet's rules on a faster clock: each duration of a rule divided by the same number, so that what
takes minutes is seen in seconds. What rules compare (a minute of age) stays as it is."""
import pathlib
import re

import yaml

UNITS = {"s": 1, "m": 60, "h": 3600}
ALARMS = pathlib.Path(__file__).resolve().parents[2] / "userspace" / "model" / "alarms" / "alarms.h"


def seconds(text: str) -> float:
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))


def daemon_hold_off(alert: str) -> int:
    """Seconds that espial itself waits before it raises the alarm behind an alert; 0 for the fleet's."""
    found = re.search(rf"X\({alert.removeprefix('Espial')}, k\w+, (\d+),", ALARMS.read_text())
    return int(found[1]) if found else 0


class Rules:
    """A copy of the rules in `folder`, `faster` times."""

    def __init__(self, shipped: pathlib.Path, folder: str, faster: int):
        self._faster = faster
        text = shipped.read_text()
        if faster > 1:
            text = re.sub(r"(?<=\[)\d+[smh](?=\])|(?<=for: )\d+[smh]|(?<=interval: )\d+[smh]",
                          lambda found: f"{self.scaled(found[0]):g}s", text)
        self.path = pathlib.Path(folder, "espial.rules.yml")
        self.path.write_text(text)
        self._rules = {rule["alert"]: rule for group in yaml.safe_load(text)["groups"]
                       for rule in group["rules"] if "alert" in rule}

    def scaled(self, duration: str) -> float:
        """Seconds on the faster clock, whole ones."""
        return max(1, round(seconds(duration) / self._faster))

    def hold_off(self, alert: str) -> float:
        """How long what the rule asks for must be so before the alert fires."""
        return seconds(self._rules[alert].get("for", "0s"))

    def remembered(self, alert: str) -> float:
        """How far back the rule looks, so how long the alert outlives its cause."""
        return max(map(seconds, re.findall(r"\[(\d+[smh])\]", self._rules[alert]["expr"])), default=0)
