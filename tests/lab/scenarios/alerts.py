# SPDX-License-Identifier: Apache-2.0
"""What a leak of the mesh comes to in a real Alertmanager, told by the daemon alone."""
import http.client
import json
import os
import shutil
import subprocess
import time

from espial_lab.mesh import Node, Spec
from espial_lab.scenario import NEWEST, Lab, scenario
from espial_lab.wait import PATIENCE, until

PLACE = ("127.0.0.1", 9093)
WINDOW = 60     # seconds for which traffic in clear is an alarm


class Alertmanager:
    """Debian's, in the network namespace of a node."""

    def __init__(self, node: Node):
        self._node, self._folder = node, f"{node.folder}/alertmanager"
        os.makedirs(self._folder)
        config = f"{self._folder}/alertmanager.yml"
        with open(config, "w") as file:
            file.write("route: {receiver: none}\nreceivers: [{name: none}]\n")
        self._process = node.namespace.spawn(
            "prometheus-alertmanager", f"--config.file={config}", "--cluster.listen-address=",
            f"--storage.path={self._folder}/data", f"--web.listen-address={PLACE[0]}:{PLACE[1]}",
            log=f"{self._folder}/log")

    def ready(self) -> None:
        until("Alertmanager answers", lambda: self.firing() is not None, every=0.1)

    def firing(self) -> dict[tuple[str, str], dict[str, str]] | None:
        """Labels of what fires, by name and peer; None when it does not answer."""
        with self._node.namespace:
            connection = http.client.HTTPConnection(*PLACE, timeout=10)
            try:
                connection.connect()
            except OSError:
                return None
        try:
            connection.request("GET", "/api/v2/alerts")
            answer = connection.getresponse()
            if answer.status != 200:
                return None
            labels = [alert["labels"] for alert in json.loads(answer.read())]
            return {(one["alertname"], one.get("peer", "")): one for one in labels}
        finally:
            connection.close()

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        shutil.rmtree(self._folder)


def told(lab: Lab, receiver: Alertmanager, name: str, since: float, hold_off: float = 0) -> None:
    key = (name, "node2")
    labels = until(f"{name} arrives", lambda: (receiver.firing() or {}).get(key), every=0.05)
    took = time.monotonic() - since - hold_off
    lab.notes.append(f"{name} after {took:.1f} s")
    wanted = {"alertname": name, "severity": "critical", "node": "node1", "instance": "node1",
              "peer": "node2", "cluster": "lab", "reporter": "daemon"}
    assert labels == wanted, labels


def leaks(lab: Lab, receiver: Alertmanager) -> None:
    """The policies between node1 and node2 go while they talk; the alert comes."""
    receiver.ready()
    lab.watch(1, alerts={"alertmanager": [{"url": f"http://{PLACE[0]}:{PLACE[1]}"}],
                         "labels": {"cluster": "lab"}})
    lab.talk(1, 2)
    assert not receiver.firing(), f"before anything is wrong: {receiver.firing()}"
    lab.mesh.unload(1, 2)
    since = time.monotonic()
    lab.udp(1, 2, 5)
    told(lab, receiver, "EspialCleartextTraffic", since)


@scenario(plays={"6.12": "plain"}, kernels=(NEWEST,), needs_espial=True)
def alertmanager_told(lab: Lab) -> None:
    """A leak, and why: both arrive. The policies are back: the reason ends at once."""
    receiver = Alertmanager(lab.mesh.node(1))
    lab.undo(receiver.close)
    leaks(lab, receiver)
    until("the reason arrives", lambda: ("EspialPolicyMissing", "node2") in receiver.firing(), every=0.1)
    lab.mesh.reload(1, 2)
    since = time.monotonic()
    until("the reason ends", lambda: ("EspialPolicyMissing", "node2") not in receiver.firing(), every=0.1)
    lab.notes.append(f"EspialPolicyMissing ended after {time.monotonic() - since:.1f} s")


@scenario(kernels=("running",), needs_espial=True, separate=Spec(libipsec=True, encap=True))
def alertmanager_told_the_end(lab: Lab) -> None:
    """A leak arrives; fixed, it ends once the window holds no packet in clear."""
    receiver = Alertmanager(lab.mesh.node(1))
    lab.undo(receiver.close)
    leaks(lab, receiver)
    last = time.monotonic()
    lab.mesh.reload(1, 2)
    lab.talk(1, 2)
    key = ("EspialCleartextTraffic", "node2")
    until("the leak ends", lambda: key not in receiver.firing(), WINDOW + PATIENCE, 0.2)
    took = time.monotonic() - last
    lab.notes.append(f"ended {took:.0f} s after the last packet in clear")
    assert WINDOW - 2 <= took, f"ended {took:.1f} s after the last packet in clear"
