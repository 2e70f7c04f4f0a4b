# SPDX-License-Identifier: Apache-2.0
"""Receivers of alarms: Debian's Alertmanager, and one that behaves as it is told."""
import base64
import crypt
import http.client
import http.server
import json
import pathlib
import shutil
import ssl
import subprocess
import threading
import time

from espial_lab.wait import STARTS, until

PASSWORD = "open sesame"


def certificates(folder: pathlib.Path) -> None:
    """ca.pem (also in trusted/), server.{pem,key} for alerts.example, and other.pem of somebody else."""
    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-subj", f"/CN={name}")
    openssl("req", *key[:5], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (folder / "extensions").write_text("subjectAltName=DNS:alerts.example\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
            "-CAcreateserial", "-extfile", "extensions", "-out", "server.pem")
    (folder / "trusted").mkdir()
    shutil.copy(folder / "ca.pem", folder / "trusted/ca-certificates.crt")


class Alertmanager:
    """One Alertmanager on the loopback. `secured`: TLS and basic authentication."""

    def __init__(self, folder: pathlib.Path, port: int, secured: bool = False):
        self.port, self._folder = port, folder / f"alertmanager-{port}"
        self._folder.mkdir(exist_ok=True)
        self._context = None
        config = self._folder / "alertmanager.yml"
        config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        self._command = ["prometheus-alertmanager", f"--config.file={config}",
                         f"--storage.path={self._folder}/data", "--cluster.listen-address=",
                         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        if secured:
            web = self._folder / "web.yml"
            web.write_text(json.dumps({
                "tls_server_config": {"cert_file": f"{folder}/server.pem",
                                      "key_file": f"{folder}/server.key"},
                "basic_auth_users": {"espial": crypt.crypt(
                    PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}}))
            self._command.append(f"--web.config.file={web}")
            self._context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
            self._context.check_hostname = False
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        with open(self._folder / "log", "a") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def ready(self) -> None:
        until(f"Alertmanager {self.port} answers", lambda: self._get("/-/ready") is not None, STARTS)

    def _get(self, path: str) -> bytes | None:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60,
                                                 context=self._context) \
            if self._context else http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        login = base64.b64encode(f"espial:{PASSWORD}".encode()).decode()
        try:
            connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
            answer = connection.getresponse()
            return answer.read() if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    def alerts(self, instance: str = "main") -> dict[tuple[str, str], dict]:
        """What fires here of one espial, by name and peer."""
        got = json.loads(self._get("/api/v2/alerts") or "[]")
        return {(alert["labels"]["alertname"], alert["labels"].get("peer", "")): alert
                for alert in got if alert["labels"]["instance"] == instance}


class StandIn:
    """A receiver in words: ok, error, never. Remembers the documents that it took, and when."""

    def __init__(self, port: int, manner: str):
        self.manner, self.taken, self.asked = manner, [], 0
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stand_in.asked += 1
                if stand_in.manner == "never":
                    self.connection.settimeout(60)
                    self.rfile.read(1)
                    return
                if stand_in.manner == "ok":
                    stand_in.taken.append((time.monotonic(), json.loads(body)))
                self.send_response(200 if stand_in.manner == "ok" else 500)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self) -> list[tuple[str, str, str]]:
        """Status, name and peer of each alert that it took."""
        return [(alert["status"], alert["labels"]["alertname"], alert["labels"].get("peer", ""))
                for _, document in self.taken for alert in document["alerts"]]
