# SPDX-License-Identifier: Apache-2.0
"""A stand-in for OpenSVC's agent (om3): its API on a unix socket, with an event stream."""
import http.server
import json
import os
import socketserver
import threading
from typing import Callable
from urllib.parse import parse_qs, urlsplit

from .mesh import Node

NETWORKS = (("backendnet", 4, "10.101.0.0/16"), ("backend6", 6, "fd00:101::/32"))
DECLARED = ("tunnel", "tunnel_mode", "dev", "ips_per_node")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


class Agent:
    """Answers for a cluster of `members` until `stop`. `fails(node)`: the answer about that node is
    a 500, as from an agent that cannot read its file just now."""

    def __init__(self, path: str, node: Node, members: list[Node]):
        self.node = node
        self.members = members
        self.fails: Callable[[str], bool] = lambda node: False
        self.failures = 0
        self._changed = threading.Condition()
        self._changes = 0
        self._ended = False
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            os.remove(path)
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def address_string(self) -> str:
                return "unix"

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                agent._answer(self)

        self._server = _Server(path, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def tell(self) -> None:
        """An event: the cluster's configuration has changed."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        if url.path == "/api/node/name/localhost/daemon/event":
            self._stream(request)
        elif url.path == "/api/network":
            lines = [{"name": name, "type": "routed_bridge", "network": network, "errors": None}
                     for name, _, network in NETWORKS]
            self._send(request, 200, {"kind": "NetworkList", "items": lines})
        elif url.path == "/api/cluster/config":
            query = parse_qs(url.query)
            self._keywords(request, query["kw"], query.get("impersonate", [self.node.name])[0])
        else:
            self._send(request, 404, {"title": "Not Found", "status": 404, "detail": url.path})

    def _keywords(self, request: http.server.BaseHTTPRequestHandler, keywords: list[str],
                  node: str) -> None:
        items = []
        for keyword in keywords:
            if keyword.endswith(".subnet") and self.fails(node):
                self.failures += 1
                return self._send(request, 500, {"title": "NewCore", "status": 500, "detail": "busy"})
            value = self._value(keyword, node)
            if value is None:
                return self._send(request, 400, {"title": "EvalAs", "status": 400,
                                                 "detail": f"keyword does not exist: {keyword}"})
            items.append({"object": "cluster", "keyword": keyword, "value": "",
                          "evaluated": value, "evaluated_as": node})
        return self._send(request, 200, {"kind": "KeywordList", "items": items})

    def _value(self, keyword: str, node: str) -> object:
        section, key = keyword.rsplit(".", 1)
        if keyword == "cluster.nodes":
            return [member.name for member in self.members]
        family = {f"network#{name}": family for name, family, _ in NETWORKS}[section]
        member = next((member for member in self.members if member.name == node), None)
        if key == "subnet":
            return member.backend[family] if member else ""
        if key == "addr":
            return member.underlay[family] if member else ""
        if key == "tunnel":
            return "never"
        if key == "dev" and self.node.pod_bridge != f"obr_{section}":
            return self.node.pod_bridge
        return "" if key in DECLARED else None

    def _stream(self, request: http.server.BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        seen = self._changes
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._ended or self._changes > seen)
                    if self._ended:
                        return
                    seen = self._changes
                request.wfile.write(b"event: ConfigFileUpdated\ndata: {\"path\":\"cluster\"}\n\n")
                request.wfile.flush()
        except OSError:
            pass    # the listener has left

    def _send(self, request: http.server.BaseHTTPRequestHandler, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        request.close_connection = True
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)
