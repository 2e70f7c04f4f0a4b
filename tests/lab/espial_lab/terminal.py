# SPDX-License-Identifier: Apache-2.0
"""A real terminal in a node: tmux without a screen of its own. Keys in, what stands there out."""
import os
import subprocess
from typing import Callable

from .mesh import Node
from .wait import until


class Terminal:
    """One window with a shell. The caller closes it; everything in it ends then."""

    def __init__(self, node: Node, width: int = 80, height: int = 24):
        self.node = node
        self._socket = f"{node.folder}/tmux.sock"
        environment = ("env", "-u", "NO_COLOR", "LC_ALL=C", "PS1=$ ", "HISTFILE=")
        self._node("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                   *environment, "sh", ";", "set-option", "-g", "status", "off")
        self.resize(width, height)

    def _node(self, *arguments: str) -> str:
        return self.node.namespace.run("tmux", "-S", self._socket, *arguments).stdout

    def _ask(self, *arguments: str) -> str:
        """The server lives in the node; asking it does not."""
        return subprocess.run(("tmux", "-S", self._socket, *arguments), check=True, text=True,
                              stdout=subprocess.PIPE, timeout=60).stdout

    def keys(self, *keys: str) -> None:
        """Names of keys as tmux has them: "Enter", "C-c", "q"."""
        self._ask("send-keys", *keys)

    def type(self, text: str) -> None:
        self._ask("send-keys", "-l", text)

    def command(self, line: str) -> None:
        self.type(line)
        self.keys("Enter")

    def resize(self, width: int, height: int) -> None:
        self._ask("resize-window", "-x", str(width), "-y", str(height))

    def lines(self, colours: bool = False) -> list[str]:
        return self._ask("capture-pane", "-p", *(("-e",) if colours else ())).split("\n")

    def alternate(self) -> bool:
        """Is what is shown a program's own screen, which leaves no trace?"""
        return self._ask("display", "-p", "#{alternate_on}").strip() == "1"

    def program(self) -> int:
        """The process that the shell, or a shell of it, waits for."""
        process = self._ask("display", "-p", "#{pane_pid}").strip()
        while True:
            with open(f"/proc/{process}/task/{process}/children") as children:
                below = children.read().split()
            if not below:
                return int(process)
            process = below[0]

    def shows(self, what: str, condition: Callable[[list[str]], bool]) -> list[str]:
        """Waits until the screen is so; returns it."""
        seen: list[str] = []

        def right() -> bool:
            seen[:] = self.lines()
            assert condition(seen), "on the screen:\n" + "\n".join(seen).rstrip()
            return True
        until(what, right, every=0.05)
        return seen

    def close(self) -> None:
        subprocess.run(("tmux", "-S", self._socket, "kill-server"), check=False,
                       stderr=subprocess.DEVNULL, timeout=60)
        if os.path.exists(self._socket):
            os.unlink(self._socket)
