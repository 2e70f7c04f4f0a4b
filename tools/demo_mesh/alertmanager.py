# SPDX-License-Identifier: Apache-2.0
"""A real Alertmanager (Debian's) with the example configuration of dashboards/prometheus."""
import json
import pathlib
import shutil
import subprocess
import urllib.request

from .relay import LOOPBACK

ADDRESS = (LOOPBACK, 9093)
_CONFIG = pathlib.Path(__file__).resolve().parents[2] / "dashboards" / "prometheus" / "alertmanager.yml"


def installed() -> bool:
    return bool(shutil.which("prometheus-alertmanager"))


class Alertmanager:
    """Runs from the constructor to close(); alone, without a cluster."""

    def __init__(self, folder: str):
        self.log = f"{folder}/alertmanager.log"
        with open(self.log, "w") as log:
            self._process = subprocess.Popen(
                ["prometheus-alertmanager", f"--config.file={_CONFIG}", f"--storage.path={folder}/alertmanager",
                 f"--web.listen-address={ADDRESS[0]}:{ADDRESS[1]}", "--cluster.listen-address="],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def alerts(self) -> list[dict]:
        """What fires and is not resolved; OSError until it listens."""
        if self._process.poll() is not None:
            raise RuntimeError(f"alertmanager ended; see {self.log}")
        with urllib.request.urlopen(f"http://{ADDRESS[0]}:{ADDRESS[1]}/api/v2/alerts", timeout=60) as answer:
            return json.load(answer)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(60)
