# SPDX-License-Identifier: Apache-2.0
"""TCP from one network namespace into another: no packet of it crosses the mesh."""
import ctypes
import socket
import threading
from typing import Callable

from espial_lab.netns import CLONE_NEWNET, Namespace

LOOPBACK = "127.0.0.1"
_libc = ctypes.CDLL(None, use_errno=True)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _join(client: socket.socket, connect: Callable[[], socket.socket]) -> None:
    with client:
        try:
            with connect() as server:
                forth = threading.Thread(target=_copy, args=(client, server), daemon=True)
                forth.start()
                _copy(server, client)
                forth.join(10)
        except OSError:
            pass


def _serve(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_join, args=(client, connect), daemon=True).start()


class Relay:
    """Connections to 127.0.0.1:port, here, end at an address inside the namespace."""

    def __init__(self, namespace: Namespace, port: int, address: tuple[str, int]):
        self._path, self._address = namespace.path, address
        self._listener = socket.create_server((LOOPBACK, port))
        threading.Thread(target=_serve, args=(self._listener, self._connect), daemon=True).start()

    def _connect(self) -> socket.socket:
        # setns(2) moves this thread alone, and the thread ends with the connection.
        with open(self._path) as namespace:
            if _libc.setns(namespace.fileno(), CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), f"setns: {self._path}")
        return socket.create_connection(self._address, 10)

    def close(self) -> None:
        self._listener.close()


class Gate:
    """Ports of the machine's loopback that lead to the same ports of a world that is made later: sockets stay
    in the namespace in which they were made."""

    def __init__(self, *ports: int):
        self._listeners: dict[int, socket.socket] = {}
        self.taken: list[int] = []      # by somebody else: these lead nowhere
        for port in ports:
            try:
                self._listeners[port] = socket.create_server((LOOPBACK, port))
            except OSError:
                self.taken.append(port)

    def serve(self) -> None:
        """Called inside of the world."""
        for port, listener in self._listeners.items():
            threading.Thread(target=_serve, daemon=True, args=(
                listener, lambda port=port: socket.create_connection((LOOPBACK, port), 10))).start()
