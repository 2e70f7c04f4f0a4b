#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""start.py [--rounds N] [--devices N] [--build FOLDER]   how long a start of espial takes, by phase

Cold: nothing is pinned, everything is loaded. Warm: the programs of an earlier start are adopted.
From exec on, in network and mount namespaces of its own, with 3 peers in enforce. Needs root.
"""
import argparse
import json
import os
import pathlib
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PINS = "/sys/fs/bpf/espial"
# What espial says when a phase is over; the last one is systemd's READY=1.
PHASES = {"programs": ("programs adopted", "programs loaded"), "enforcing": ("watching ",)}
READY = "ready"


class Bench:
    def __init__(self, build: pathlib.Path, folder: pathlib.Path, devices: int):
        self.program, self.folder = str(build / "espial"), folder
        self.config, self.state = folder / "espial.yaml", folder / "state"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(folder / "notify"))
        for number in range(devices):
            subprocess.run(["ip", "-batch", "-"], check=True, text=True, input=f"""
link add near{number} type veth peer name far{number}
link set near{number} up
link set far{number} up
address add 10.45.{number}.11/24 dev near{number}
""")
        self.config.write_text(json.dumps({
            "node": "node1", "listen": "off", "discover": False, "pin_dir": PINS,
            "state_dir": str(self.state), "devices": {"include": [f"near{number}" for number in range(devices)]},
            "self": {"underlay": ["10.45.0.11"], "backend": ["10.101.0.0/24"]},
            "peers": [{"name": f"node{n}", "underlay": [f"10.45.0.{10 + n}"], "mode": "enforce",
                       "backend": [f"10.101.{n}.0/24"]} for n in (2, 3, 4)]}))

    def detach(self) -> None:
        subprocess.run([self.program, "detach", "--config", self.config], check=True,
                       capture_output=True)
        shutil.rmtree(self.state, ignore_errors=True)

    def start(self, wanted: str) -> dict[str, tuple[float, float]]:
        """Milliseconds since exec, and those spent computing, at the end of each phase."""
        began = time.monotonic()
        process = subprocess.Popen([self.program, "run", "--config", self.config], text=True, bufsize=1,
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")})
        done, said = {}, []

        def note(phase: str) -> None:
            ran = int(pathlib.Path(f"/proc/{process.pid}/schedstat").read_text().split()[0])
            done[phase] = 1e3 * (time.monotonic() - began), ran / 1e6
        wait = selectors.DefaultSelector()
        wait.register(process.stderr, selectors.EVENT_READ)
        wait.register(self.notify, selectors.EVENT_READ)
        os.set_blocking(process.stderr.fileno(), False)
        while READY not in done:
            ready = wait.select(30)
            assert ready and process.poll() is None, f"no start: {' | '.join(said)}"
            for key, _ in ready:
                if key.fileobj is self.notify:
                    assert self.notify.recv(4096).startswith(b"READY=1")
                    note(READY)
                    continue
                for line in process.stderr:
                    said.append(line.strip())
                    for phase, texts in PHASES.items():
                        if any(text in line for text in texts):
                            note(phase)
        process.send_signal(signal.SIGTERM)
        process.wait(15)
        while wait.select(0) and self.notify in [key.fileobj for key, _ in wait.select(0)]:
            self.notify.recv(4096)
        process.stderr.close()
        assert any(wanted in line for line in said), f"not {wanted}: {' | '.join(said)}"
        assert set(done) == {*PHASES, READY}, f"phases: {sorted(done)}: {' | '.join(said)}"
        return done


def table(kind: str, rounds: list[dict[str, tuple[float, float]]]) -> None:
    for phase in (*PHASES, READY):
        wall, cpu = ([one[phase][which] for one in rounds] for which in (0, 1))
        print(f"{kind:5} exec -> {phase:10} {statistics.median(wall):8.1f} ms  "
              f"({min(wall):.1f} to {max(wall):.1f}), of these computing {statistics.median(cpu):.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                              "--propagation", "private", sys.executable, __file__, "--inside",
                              *sys.argv[1:]])
    for kind, point in (("proc", "/proc"), ("tmpfs", "/run"), ("sysfs", "/sys"),
                        ("bpf", "/sys/fs/bpf")):
        subprocess.run(["mount", "-t", kind, kind, point], check=True)
    with tempfile.TemporaryDirectory(prefix="espial-start-") as folder:
        bench = Bench(options.build, pathlib.Path(folder), options.devices)
        cold, warm = [], []
        for _ in range(options.rounds):
            bench.detach()
            cold.append(bench.start("programs loaded"))
            warm.append(bench.start("programs adopted"))
        bench.detach()
    print(f"3 peers, {options.devices} device{'s' * (options.devices != 1)}, {options.rounds} rounds, "
          f"medians; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    table("cold", cold)
    table("warm", warm)
    return 0


if __name__ == "__main__":
    sys.exit(main())
