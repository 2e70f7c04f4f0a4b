# SPDX-License-Identifier: Apache-2.0
"""One strongSwan IKE daemon per node, each with its own folder and VICI socket."""
import os
import signal
import subprocess

from . import vici
from .netns import Namespace
from .wait import STARTS, until

_PLUGINS = ("random nonce aes sha1 sha2 hmac kdf gcm curve25519 {more} kernel-netlink "
            "socket-default vici updown")
_LIBIPSEC = "openssl kernel-libipsec"
_CERTIFICATES = "openssl x509 pem pkcs1 pkcs8 pubkey constraints"

_CONFIGURATION = """\
charon-systemd {{
  load = {plugins}
  plugins {{
    vici {{ socket = unix://{socket} }}
  }}
  filelog {{ main {{
    path = {log}
    flush_line = yes
    default = 1
  }} }}
  retransmit_tries = 3
  {extra}
}}
"""


class Charon:
    """The daemon of one node. `libipsec`: ESP in user space, for a kernel that has none."""

    def __init__(self, namespace: Namespace, folder: str, libipsec: bool = False, certificates: bool = False,
                 extra: str = ""):
        self._namespace = namespace
        self._folder = folder
        self._process: subprocess.Popen | None = None
        self.socket = f"{folder}/vici"
        self.log = f"{folder}/charon.log"
        os.makedirs(folder, exist_ok=True)
        plugins = _PLUGINS.format(more=_LIBIPSEC if libipsec else _CERTIFICATES if certificates else "")
        with open(f"{folder}/strongswan.conf", "w") as file:
            file.write(_CONFIGURATION.format(plugins=plugins, socket=self.socket, log=self.log,
                                             extra=extra))

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the daemon; `ready` waits for it, so that several can start at once."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self._process = self._namespace.spawn(
            "charon-systemd", log=f"{self._folder}/stdout",
            env={"PATH": os.environ["PATH"], "STRONGSWAN_CONF": f"{self._folder}/strongswan.conf"})

    def ready(self) -> None:
        def answers() -> bool:
            if not self.running:
                raise RuntimeError(f"{self._namespace.name}: charon ended; see {self.log}")
            try:
                with self.session() as session:
                    return bool(session.call("version"))
            except OSError:
                return False
        until(f"{self._namespace.name}: charon answers", answers, STARTS)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """SIGTERM: charon takes its policies and SAs away. SIGKILL: they stay in the kernel."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
            if how == signal.SIGTERM:
                raise
        finally:
            self._process = None

    def pause(self) -> None:
        """It is there and answers nobody, until resume()."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def session(self) -> vici.Vici:
        return vici.Vici(self.socket)

    def load(self, connections: dict[str, dict], secret: str) -> None:
        """Loads connections (VICI's load-conn messages by name); start actions begin at once."""
        with self.session() as session:
            session.call("load-shared", {"id": "mesh", "type": "ike", "data": secret})
            for name, connection in connections.items():
                session.call("load-conn", {name: connection})

    def unload(self, *names: str) -> None:
        """Forgets connections and ends their SAs: policies, trapped ones too, go away."""
        with self.session() as session:
            for name in names:
                session.call("unload-conn", {"name": name})
                self._terminate(session, name)

    def terminate(self, *names: str) -> None:
        with self.session() as session:
            for name in names:
                self._terminate(session, name)

    @staticmethod
    def _terminate(session: vici.Vici, name: str) -> None:
        try:
            session.call("terminate", {"ike": name, "force": "yes", "timeout": "-1"})
        except vici.Refused as error:
            # The other side's deletion may be quicker: before this one, or in the middle of it.
            if "no matching" not in str(error) and "terminating SA failed" not in str(error):
                raise

    def initiate(self, child: str) -> None:
        """Negotiates one child SA now; returns when it is installed."""
        with self.session() as session:
            session.call("initiate", {"child": child, "timeout": "15000"})

    def rekey(self, child: str) -> None:
        with self.session() as session:
            session.call("rekey", {"child": child})

    def sas(self) -> list[dict]:
        with self.session() as session:
            return session.stream("list-sas", "list-sa")

    def installed(self) -> dict[str, list[str]]:
        """Child SAs in state INSTALLED: name of the child to the SPIs that it receives with."""
        found: dict[str, list[str]] = {}
        for event in self.sas():
            for ike in event.values():
                for child in ike.get("child-sas", {}).values():
                    if child.get("state") == "INSTALLED":
                        found.setdefault(child["name"], []).append(child.get("spi-in", ""))
        return found
