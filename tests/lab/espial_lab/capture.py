# SPDX-License-Identifier: Apache-2.0
"""A tcpdump capture of a device: the other independent witness, and food for `espial classify`."""
import signal
import subprocess

from .netns import Namespace
from .wait import until


class Capture:
    """`with Capture(namespace, "prd-port", path, "esp"):` writes what passes meanwhile to path."""

    def __init__(self, namespace: Namespace, device: str, path: str, expression: str = ""):
        self._namespace, self._device, self.path = namespace, device, path
        self._expression, self._process = expression, None

    def __enter__(self) -> "Capture":
        log = f"{self.path}.log"
        self._process = self._namespace.spawn(
            "tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root", "-i", self._device,
            "-w", self.path, *([self._expression] if self._expression else []), log=log)

        def listening() -> bool:
            with open(log) as file:
                return "listening on" in file.read()
        until(f"{self._device}: tcpdump listens", listening)
        return self

    def __exit__(self, *_) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)

    def packets(self, expression: str = "") -> int:
        """Packets in the file that match a pcap filter; AssertionError while one is half written."""
        text = subprocess.run(["tcpdump", "-n", "-r", self.path, "--count", expression],
                              capture_output=True, text=True)
        assert text.returncode == 0, text.stderr.strip()
        return int((text.stdout + text.stderr).split(" packet")[0].split()[-1])
