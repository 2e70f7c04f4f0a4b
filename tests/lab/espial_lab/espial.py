# SPDX-License-Identifier: Apache-2.0
"""One espial in one node: configuration, daemon, and what `espial status --json` says."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess

from .count import Counts
from .mesh import BACKEND_V4, BACKEND_V6, Node
from .phases import phase
from .wait import STARTS, until

LISTEN = ("127.0.0.1", 9754)


def executable() -> str | None:
    """$ESPIAL, or build/espial of this checkout; None if there is none."""
    checkout = os.path.dirname(os.path.abspath(__file__)).rsplit("/tests/", 1)[0]
    path = os.environ.get("ESPIAL", f"{checkout}/build/espial")
    return path if os.access(path, os.X_OK) else None


class Espial:
    """Owns the daemon, the configuration file, the state folder and the pins of one node."""

    def __init__(self, node: Node, discover: bool = False, second: bool = False, **more: object):
        """`discover`: no topology in the file, the kernel is asked. `second`: another instance on
        the same node. `more`: further keys, and `mode`, of all peers."""
        self.node = node
        self.program = executable()
        self._process: subprocess.Popen | None = None
        self._listen = (LISTEN[0], LISTEN[1] + int(second))
        self.instance = f"{node.name}{'-second' if second else ''}"
        self.folder = f"{node.folder}/espial{'-second' if second else ''}"
        shutil.rmtree(self.folder, ignore_errors=True)     # it is new: nothing is saved of another
        os.makedirs(f"{self.folder}/state")
        self.config = f"{self.folder}/espial.yaml"
        self.log = f"{self.folder}/log"
        self.pins = f"/sys/fs/bpf/espial-{self.instance}"
        self.write(discover, **more)

    def write(self, discover: bool = False, mode: str = "", **more: object) -> None:
        keys: dict[str, object] = {
            "node": self.node.name, "instance": self.instance, "pin_dir": self.pins,
            "state_dir": f"{self.folder}/state", "listen": f"{self._listen[0]}:{self._listen[1]}"}
        if not discover:
            # Room for 1,024 peers is 5,000 system calls of each start; who discovers has it.
            keys |= {
                "max_peers": 16,
                "networks": [{"name": "backendnet", "subnets": [BACKEND_V4, BACKEND_V6]}],
                "self": {"backend": list(self.node.backend.values()),
                         "underlay": list(self.node.underlay.values())},
                "peers": [{"name": peer.name, "underlay": list(peer.underlay.values()),
                           "backend": list(peer.backend.values())} |
                          ({"mode": mode} if mode else {}) for peer in self.node.peers]}
        # JSON is YAML.
        with open(self.config, "w") as file:
            json.dump(keys | more, file, indent=2)

    @phase("start")
    def start(self, *under: str) -> None:
        """`under`: a program that runs it, as its own process (strace -D)."""
        self._process = self.node.namespace.spawn(
            *under, self.program, "run", "--config", self.config, log=self.log)

    @phase("start")
    def ready(self) -> None:
        def answers() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.node.name}: espial run ended with {self._process.returncode}: "
                                   f"{self.tail()}")
            try:
                return self.get("/readyz")[0] == 200
            except OSError:
                return False
        until(f"{self.node.name}: espial is ready", answers, STARTS)

    def looked(self) -> None:
        """Waits until the daemon has just looked at its counters, as it does each second."""
        before = self.served()["time"]
        until(f"{self.node.name}: the daemon looks", lambda: self.served()["time"] != before, every=0.01)

    def served(self) -> dict:
        """The status as of the daemon's last look. A command would make it look now."""
        code, body = self.get("/api/v1/status")
        assert code == 200, f"{self.node.name}: /api/v1/status: {code}"
        return json.loads(body)

    def tail(self) -> str:
        with open(self.log, errors="replace") as file:
            return " | ".join(file.read().splitlines()[-6:])

    @phase("stop")
    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
            raise AssertionError(f"{self.node.name}: espial did not end on signal {how}") from None
        finally:
            self._process = None

    def reload(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    @phase("ask")
    def run(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess:
        return self.node.namespace.run(self.program, *arguments, "--config", self.config, check=check)

    def capabilities(self) -> list[int]:
        """What each thread of the daemon may do: bits of CapPrm (12: CAP_NET_ADMIN)."""
        held = []
        for task in os.listdir(f"/proc/{self._process.pid}/task"):
            with open(f"/proc/{self._process.pid}/task/{task}/status") as status:
                held += [int(line.split()[1], 16) for line in status if line.startswith("CapPrm:")]
        return held

    @phase("stop")
    def detach(self) -> None:
        self.run("detach", check=True)

    def links(self) -> dict[str, int]:
        """Pinned tcx links and which pin each is: another link under the same name is another."""
        folder = f"{self.pins}/links"
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return {name: os.stat(f"{folder}/{name}").st_ino for name in names}

    @phase("ask")
    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET on the exporter; OSError when nothing listens."""
        with self.node.namespace:
            connection = http.client.HTTPConnection(*self._listen, timeout=60)
            connection.connect()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (http.client.HTTPException, socket.timeout) as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def status(self) -> dict:
        """What `espial status --json` prints; from the daemon itself where one runs.

        Starting the command is what costs in an emulated machine; `cli_status` does.
        """
        answer = self._ask("status")
        return json.loads(answer) if answer else self.cli_status()

    @phase("ask")
    def _ask(self, request: str) -> str:
        """The daemon's answer on its control socket; empty when none runs."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(60)
            try:
                sock.connect(f"{self.folder}/state/control.sock")
            except (FileNotFoundError, ConnectionRefusedError):
                return ""
            sock.sendall(f"{request}\n".encode())
            answer = b""
            while part := sock.recv(1 << 16):
                answer += part
            return answer.decode()

    def alarms(self) -> dict:
        """What the daemon answers to `espial alarms`, history included."""
        return json.loads(self._ask("alarms"))

    def cli_status(self) -> dict:
        """`espial status --json`: exit status 1 (a leak) and 3 (some verdict unknown) are answers."""
        done = self.run("status", "--json")
        if done.returncode not in (0, 1, 3) or not done.stdout.startswith("{"):
            raise AssertionError(f"{self.node.name}: espial status: exit status {done.returncode}: "
                                 f"{done.stderr.strip()}")
        return json.loads(done.stdout)

    def _known_as(self, peer: dict) -> str:
        """The lab's name of a peer, also of one that espial discovered and named itself."""
        for node in self.node.mesh.nodes:
            if set(peer.get("underlay", [])) & set(node.underlay.values()):
                return node.name
        return peer["name"]

    def peer(self, name: str, status: dict | None = None) -> dict:
        for peer in (status or self.status())["peers"]:
            if self._known_as(peer) == name:
                return peer
        raise AssertionError(f"{self.node.name}: espial status names no peer {name}")

    def counts(self, status: dict | None = None) -> Counts:
        """What espial counted, in the shape of the independent count."""
        status = status or self.status()
        counts: Counts = {}
        for who, ways in [(self._known_as(peer), peer) for peer in status["peers"]] + [("", status["no_peer"])]:
            for way in ("receive", "transmit"):
                packets, sizes = ways[way]["packets"], ways[way].get("bytes", {})
                for name, by_family in packets.items():
                    for family, value in by_family.items():
                        counts[way, who, name, family] = (
                            value, sizes.get(name, {}).get(family, 0))
                for family, value in ways[way].get("decrypted", {}).items():
                    counts[way, who, "decrypted", family] = (value, 0)
        return counts

    def drops(self, name: str, what: str = "dropped",
              status: dict | None = None) -> dict[tuple[str, str], tuple[int, int]]:
        """What enforcement dropped of a peer ("": of none), or with `would_drop` would have:
        (direction, reason) to (packets, bytes), without zeros."""
        status = status or self.status()
        peer = self.peer(name, status) if name else status["no_peer"]
        return {(way, reason): (cell["packets"], cell["bytes"])
                for way in ("receive", "transmit") for reason, cell in peer[way][what].items()
                if cell["packets"]}

    def set_mode(self, mode: str) -> None:
        """Another mode for all peers by a reload; returns when it is in force."""
        self.write(mode=mode)
        self.reload()

        def there() -> bool:
            modes = {peer["mode"] for peer in self.status()["peers"]}
            assert modes == {mode}, f"modes {sorted(modes)}"
            return True
        until(f"{self.node.name}: mode {mode}", there, every=0.05)

    def firing(self, status: dict | None = None) -> set[tuple[str, str]]:
        """(alarm, peer) of all alarms that fire."""
        status = status or self.status()
        names = {peer["name"]: self._known_as(peer) for peer in status["peers"]}
        return {(alarm["alarm"], names.get(alarm.get("peer") or "", alarm.get("peer") or ""))
                for alarm in status["alarms"] if alarm["state"] == "firing"}
