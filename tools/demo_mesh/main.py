# SPDX-License-Identifier: Apache-2.0
"""The command line of tools/demo, and where the demo runs: a world of its own, or a machine."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/lab")]
sys.dont_write_bytecode = True

from demo_mesh import alertmanager, prometheus, world  # noqa: E402
from demo_mesh.relay import Gate  # noqa: E402
from demo_mesh.screen import Screen, on_terminal  # noqa: E402
from demo_mesh.show import Show  # noqa: E402

# Console output of the emulated machine itself: vm-init, the kernel.
NOISE = re.compile(r"vm-init: |\[ *\d+\.\d+\] ")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="demo", description="Builds a real strongSwan mesh of three nodes on this machine, breaks it "
        "in the ways that meshes break, and shows each time what the user sees and what espial reports. "
        "Cleans up. The exit status is 0 only if espial was right every time.")
    parser.add_argument("--json", metavar="FILE", help="write what was expected and seen to FILE")
    parser.add_argument("--stay", action="store_true",
                        help="keep the mesh running afterwards, until Ctrl-C")
    parser.add_argument("--vm", nargs="?", const="6.12", choices=("6.1", "6.12"),
                        help="run in an emulated machine with this Debian kernel: ESP in the kernel")
    parser.add_argument("--prometheus", action="store_true",
                        help="fail if Prometheus is not installed, instead of running without it")
    parser.add_argument("--only", default="", metavar="NAME", help="run only steps whose name contains NAME")
    parser.add_argument("--in", dest="enter", nargs=argparse.REMAINDER, metavar="NODE [COMMAND]",
                        help="run a command, or a shell, in a node or pod of a demo started with --stay")
    parser.add_argument("--inside", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--colour", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.vm and chosen.stay:
        parser.error("--stay: not with --vm, the machine has no terminal")
    if chosen.enter == []:
        parser.error("--in: name a node or a pod, such as node1")
    return chosen


def in_machine(chosen: argparse.Namespace, report, colour: bool) -> int:
    """Runs the demo in an emulated machine, and shows its output as it comes."""
    kernel = subprocess.run([ROOT / "tests/lab/kernels", chosen.vm], stdout=subprocess.PIPE, text=True,
                            check=False)
    if kernel.returncode:   # It has printed why.
        return 3
    tree = kernel.stdout.strip()
    with tempfile.TemporaryDirectory(prefix="espial-demo-") as out:
        more = [f"ESPIAL={os.environ['ESPIAL']}"] if "ESPIAL" in os.environ else []
        command = [ROOT / "tests/lab/vm", tree, out, "env", *more, sys.executable, "-B", __file__,
                   "--inside", "/out", "--only", chosen.only]
        command += ["--colour"] if colour else []
        command += ["--prometheus"] if chosen.prometheus else []
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
        try:
            for line in process.stdout:
                if not NOISE.match(line):
                    print(line.rstrip("\r\n"), flush=True)
            status = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        steps = pathlib.Path(out, "steps.json")
        if report and steps.exists():
            report.write(steps.read_text())
        return status


def main() -> int:
    chosen = options()
    if chosen.enter:
        try:
            world.enter(chosen.enter[0], chosen.enter[1:])
        except (LookupError, OSError) as error:
            print(f"demo: --in {chosen.enter[0]}: {error}", file=sys.stderr)
            return 3
    if chosen.inside:
        with open(f"{chosen.inside}/steps.json", "w") as report:
            return Show(Screen(chosen.colour), report, chosen.prometheus, chosen.only, True).run(False)
    colour = on_terminal() and "NO_COLOR" not in os.environ
    report = None
    if chosen.json:
        try:
            report = open(chosen.json, "w")
        except OSError as error:
            print(f"demo: --json {chosen.json}: {error.strerror}", file=sys.stderr)
            return 2
    if chosen.vm:
        world.interruptible()
        try:
            return in_machine(chosen, report, colour)
        except world.Interrupted:
            return 130
    # So that a browser, or a Grafana, of this machine reaches what runs in the demo's world.
    gate = Gate(prometheus.ADDRESS[1], alertmanager.ADDRESS[1]) if chosen.stay else None
    show = Show(Screen(colour), report, chosen.prometheus, chosen.only, gate=gate)
    return world.inside(lambda: show.run(chosen.stay))


if __name__ == "__main__":
    sys.exit(main())
