# SPDX-License-Identifier: Apache-2.0
"""The moments in which espial is killed, and what must be true after each kill."""
import json
import os
import pathlib
import random
import signal
import socket
import subprocess

import pinned
import points
from espial_lab.wait import STARTS, until
from wire import NODE, PEER, Wire

PINS = "/sys/fs/bpf/espial"
SAMPLE = {"start": 30, "command": 20, "daemon": 40}     # points of a moment, unless --long
EVERY = 5       # how many kills until a whole start is made to prove that nothing is left over


class Node:
    """One node that enforces, and its wire."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path, wire: Wire, chance: random.Random,
                 long: bool):
        self.old = str(build / "espial")
        self.grown = str(build / "tests/variants/espial_grown")
        self.rejected = str(build / "tests/variants/espial_rejected")
        self.folder, self.wire, self.long, self.chance = folder, wire, long, chance
        self.config, self.trace = folder / "espial.yaml", folder / "trace"
        self.point: points.Point | None = None
        self.kills = self.points = self.chosen = self.offered = 0
        self.note = ""
        self._daemon: subprocess.Popen | None = None
        self.write()
        self.espial("detach")
        self.begin()

    # -- what it does ----------------------------------------------------------------------------

    def write(self, variant: int = 0) -> None:
        """Configurations that differ in a peer, a mode and a subnet; node2 is enforced in all."""
        peers = [{"name": "node2", "underlay": [PEER[0]], "backend": ["10.101.1.0/24"],
                  "mode": "enforce"}]
        if variant % 3:
            peers.append({"name": "node3", "underlay": ["10.45.0.13"], "backend": ["10.101.2.0/24"],
                          "mode": ["audit", "enforce"][variant % 3 - 1]})
        if variant % 3 == 2:
            peers[1]["backend"].append("10.101.3.0/24")
        self.config.write_text(json.dumps({
            "node": "node1", "listen": "off", "discover": False, "max_peers": 16, "pin_dir": PINS,
            "state_dir": str(self.folder / "state"), "peers": peers,
            "self": {"underlay": [NODE[0]], "backend": ["10.101.0.0/24"]}}))

    def command(self, *words: str, program: str = "") -> list[str]:
        return [program or self.old, *words, "--config", str(self.config)]

    def espial(self, *words: str, program: str = "", expect: int = 0) -> str:
        done = subprocess.run(self.command(*words, program=program), capture_output=True, text=True,
                              timeout=120)
        assert done.returncode == expect, \
            f"espial {' '.join(words)}: exit status {done.returncode}: {done.stderr.strip()}"
        return done.stdout + done.stderr

    def start(self) -> subprocess.Popen:
        with open(self.folder / "log", "w") as log:
            self._daemon = subprocess.Popen(self.command("run"), stdout=log, stderr=log)

        def answers() -> bool:
            assert self._daemon.poll() is None, (self.folder / "log").read_text()
            with socket.socket(socket.AF_UNIX) as control:
                try:
                    control.connect(str(self.folder / "state/control.sock"))
                except OSError:
                    return False
            return True
        until("the daemon answers", answers, STARTS, 0.005)
        return self._daemon

    def said(self, text: str):
        until(f"the daemon says '{text}'", lambda: text in (self.folder / "log").read_text(), every=0.005)

    def close(self) -> None:
        self.wire.flow(False)
        if self._daemon and self._daemon.poll() is None:
            self._daemon.kill()
            self._daemon.wait(60)

    # -- what must be true -----------------------------------------------------------------------

    def begin(self) -> None:
        """From now on everything that is sent is dropped and counted."""
        self.espial("run", "--arm")
        self.expected = pinned.names(PINS)
        self.sent, self.had = self.wire.sent, pinned.dropped(PINS, "node2")
        self.passed, self.seen = self.wire.passed(), self.had

    def intact(self) -> None:
        """Exactly one program each way, nothing passed, no counter behind what it was."""
        assert pinned.attached(self.wire.ifindex) == [1, 1], \
            f"programs at ingress and egress: {pinned.attached(self.wire.ifindex)}"
        assert self.wire.passed() == self.passed, f"{self.wire.passed() - self.passed} packets passed"

    def whole(self, program: str = "") -> None:
        """The next start finds its way: the same pins as ever, counters that only grew, the pinned
        programs at work."""
        self.said_at_start = self.espial("run", "--arm", program=program)
        self.intact()
        working, kept = pinned.attached_ids(self.wire.ifindex), pinned.program_ids(PINS)
        assert set(working) <= set(kept.values()), f"attached: {working}, pinned: {kept}"
        names = pinned.names(PINS)
        assert names == self.expected, f"pins: {sorted(names ^ self.expected)}"
        now = pinned.dropped(PINS, "node2")
        assert now >= self.seen, f"dropped packets went back from {self.seen} to {now}"
        self.seen = now

    def exact(self) -> None:
        """Every packet that was sent was dropped, and counted once."""
        self.wire.flow(False)
        self.offered = self.wire.sent - self.sent
        counted = pinned.dropped(PINS, "node2") - self.had
        assert self.offered > 0, "no traffic: nothing is proven"
        assert counted == self.offered, f"{self.offered} packets sent, {counted} counted as dropped"
        self.intact()

    def gone(self) -> None:
        self.espial("detach")
        left = [name for name in os.listdir("/sys/fs/bpf") if not name.endswith(".debug")]
        assert not left, f"left in the BPF file system: {left}"
        until("no program is attached",     # the kernel ends a link a moment after its last pin
              lambda: pinned.attached(self.wire.ifindex) == [0, 0], every=0.01)

    # -- choosing --------------------------------------------------------------------------------

    def choose(self, found: list[points.Point], kind: str) -> list[points.Point]:
        assert found, "no system call to kill at"
        self.points += len(found)
        few = self.long or len(found) <= SAMPLE[kind]
        chosen = found if few else sorted(self.chance.sample(found, SAMPLE[kind]), key=found.index)
        self.chosen += len(chosen)
        return chosen

    def kill(self, command: list[str], point: points.Point) -> None:
        self.point = point
        self.kills += points.kill_command(command, point)


def first_start(node: Node) -> None:
    """Nothing pinned before."""
    node.gone()
    arm = node.command("run", "--arm")
    for number, point in enumerate(node.choose(points.of_command(arm, node.trace), "start")):
        node.gone()
        node.kill(arm, point)
        both = pinned.attached(node.wire.ifindex)
        assert all(count <= 1 for count in both), f"programs: {both}"
        if number % EVERY == 0:
            node.passed = node.wire.passed()
            node.seen = 0
            node.whole()
    node.gone()
    node.begin()
    node.wire.flow(True)
    node.whole()
    until("packets were sent", lambda: node.wire.sent > node.sent + 10, every=0.01)
    node.exact()
    node.gone()


def _starts(node: Node, new: str, variants: bool) -> None:
    """`new` starts in the place of node.old, again and again."""
    node.wire.flow(True)
    arm = node.command("run", "--arm", program=new)
    if variants:
        node.write(1)
    found = node.choose(points.of_command(arm, node.trace), "start")
    swap = new != node.old
    for number, point in enumerate(found):
        if swap:
            node.espial("run", "--arm")
        if variants:
            node.write(number)
        node.kill(arm, point)
        node.intact()
        if swap or number % EVERY == 0:
            node.whole(new)
    node.whole(new)
    node.exact()
    if variants:
        node.write()
    node.gone()


ADOPTED = "pinned programs adopted, none loaded"


def adoption(node: Node) -> None:
    """The same build starts again, and adopts the programs: nothing is attached anew."""
    before = pinned.attached_ids(node.wire.ifindex)
    node.whole()
    assert ADOPTED in node.said_at_start, node.said_at_start
    assert pinned.attached_ids(node.wire.ifindex) == before, "other programs were attached"
    _starts(node, node.old, False)


def adoption_then_upgrade(node: Node) -> None:
    """A start that adopts is killed, and another build starts: it adopts nothing of the old one."""
    node.wire.flow(True)
    arm = node.command("run", "--arm")
    found = points.of_command(arm, node.trace)
    for point in node.choose(found, "command"):
        node.kill(arm, point)
        node.intact()
        for program in (node.grown, node.old):
            node.whole(program)
            assert "another build" in node.said_at_start, node.said_at_start
            node.whole(program)
            assert ADOPTED in node.said_at_start, node.said_at_start
    node.exact()
    node.gone()


def damaged_programs(node: Node) -> None:
    """Pinned programs that are not to be trusted are replaced as a whole, whenever that is killed."""
    node.wire.flow(True)
    arm = node.command("run", "--arm")
    folder = pathlib.Path(PINS) / "programs"
    damages = {
        "is not pinned": lambda: (folder / "ep_tx").unlink(),
        "are not those": lambda: pinned.pin(f"{folder}/ep_rx_wire", f"{folder}/ep_tx"),
        "is not a program": lambda: pinned.pin(f"{folder}/ep_own_drops", f"{folder}/ep_tx"),
        "another build": lambda: pinned.pin(f"{PINS}/maps/ep_layout", f"{folder}/ep_loaded"),
        "this user only": lambda: (folder / "ep_loaded").chmod(0o644),
    }
    for why, damage in damages.items():
        damage()
        node.whole()
        assert why in node.said_at_start and ADOPTED not in node.said_at_start, node.said_at_start
        node.whole()
        assert ADOPTED in node.said_at_start, node.said_at_start
    damages["is not pinned"]()
    found = points.of_command(arm, node.trace)
    for number, point in enumerate(node.choose(found, "start")):
        node.whole()
        list(damages.values())[number % len(damages)]()
        node.kill(arm, point)
        node.intact()
    node.whole()
    node.exact()
    node.gone()


def adoption_changed(node: Node) -> None:
    """It starts with another configuration: peers and modes come and go."""
    _starts(node, node.old, True)


def upgrade(node: Node) -> None:
    """Another build, with longer records: the counters of the old one go on in new maps. The old one
    comes back before each kill, so that both ways are gone as often."""
    _starts(node, node.grown, False)


def rollback(node: Node) -> None:
    """An upgrade is killed, and the old build starts again instead."""
    node.wire.flow(True)
    arm = node.command("run", "--arm", program=node.grown)
    found = points.of_command(arm, node.trace)
    node.whole()
    for point in node.choose(found, "start"):
        node.kill(arm, point)
        node.intact()
        node.whole()
    node.exact()
    node.gone()


def policy_without_daemon(node: Node) -> None:
    node.write(1)
    node.whole()
    node.wire.flow(True)
    found: list[points.Point] = []
    # Each of them has something to do: the others undo it.
    for mode in ("monitor", "audit"):
        command = node.command("policy", "set", "node3", mode)
        other = ("policy", "set", "node3", "audit" if mode == "monitor" else "monitor")
        node.espial(*other)
        found = node.choose(points.of_command(command, node.trace), "command")
        for number, point in enumerate(found):
            node.espial(*other)
            node.kill(command, point)
            node.intact()
            if number % EVERY == 0:
                node.whole()
    node.whole()
    node.exact()
    node.gone()


def detaching(node: Node) -> None:
    """What was dropped passes some time later: that is asked for. Nothing is left behind."""
    command = node.command("detach")
    for point in node.choose(points.of_command(command, node.trace), "command"):
        node.espial("run", "--arm")
        node.kill(command, point)
        assert all(count <= 1 for count in pinned.attached(node.wire.ifindex))
        node.gone()
    node.begin()
    node.wire.flow(True)
    until("packets were sent", lambda: node.wire.sent > node.sent + 10, every=0.01)
    node.exact()
    node.gone()


def _daemon(node: Node, act, prepare=lambda number: None, done=None, rounds=1) -> None:
    """A running daemon is made to do something, and killed in it."""
    node.wire.flow(True)
    prepare(0)
    daemon = node.start()
    prepare(1)
    found = points.of_daemon(daemon.pid, lambda: (act(daemon), done(daemon)), node.trace)
    if daemon.poll() is None:
        daemon.kill()
    daemon.wait(60)
    # Each point with each of the configurations.
    for number, point in enumerate(node.choose(found * rounds, "daemon")):
        node.point = point
        prepare(number)
        daemon = node.start()
        prepare(number + 1)
        points.kill_daemon(daemon, lambda: act(daemon), point, node.trace)
        assert daemon.returncode in (0, -signal.SIGKILL), daemon.returncode
        node.kills += daemon.returncode != 0
        node.intact()
        if number % EVERY == 0:
            node.whole()
    node.write()
    node.whole()
    node.exact()
    node.gone()


def reload(node: Node) -> None:
    """A peer comes, its mode changes, it gets a subnet, it goes."""
    _daemon(node, lambda daemon: daemon.send_signal(signal.SIGHUP), node.write,
            lambda _: node.said("configuration read again"), rounds=3)


def stop(node: Node) -> None:
    """Each daemon has alarms to save at its end: those of the one before it are away."""
    _daemon(node, lambda daemon: daemon.send_signal(signal.SIGTERM),
            lambda _: (node.folder / "state/alarms.json").unlink(missing_ok=True),
            lambda daemon: daemon.wait(60))


def policy_with_daemon(node: Node) -> None:
    modes = ["audit", "monitor"]
    asked: list[subprocess.Popen] = []

    def prepare(_: int) -> None:
        node.write(1)

    def act(_) -> None:
        modes.reverse()
        asked.append(subprocess.Popen(node.command("policy", "set", "node3", modes[0]),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    _daemon(node, act, prepare, lambda _: asked[-1].wait(60))
    for process in asked:
        process.wait(60)


def rejected_build(node: Node) -> None:
    """The verifier refuses a new build: it says so and ends, the old programs stay."""
    node.wire.flow(True)
    for command in (("run",), ("run", "--arm")):
        said = node.espial(*command, program=node.rejected, expect=3)
        assert "invalid access to map value" in said and "failed to load" in said, said
        node.intact()
        assert pinned.names(PINS) == node.expected, "pins were touched"
        assert pinned.dropped(PINS, "node2") > node.seen, "nothing is counted any more"
    node.whole()
    node.exact()
    node.gone()


def resized(node: Node) -> None:
    """Another max_peers is another layout: counters go on in maps of another size."""
    node.wire.flow(True)
    for peers in (32, 8):
        node.config.write_text(json.dumps(json.loads(node.config.read_text()) | {"max_peers": peers}))
        node.whole()
    node.exact()
    node.gone()


def unknown_layout(node: Node) -> None:
    """Nothing of such maps can be read: counters begin anew, and still nothing passes."""
    node.wire.flow(True)
    until("packets are counted", lambda: pinned.dropped(PINS, "node2") > node.had, every=0.01)
    with pinned.Map(f"{PINS}/maps/ep_layout") as layout:
        layout.write(0, b"\xff" * layout.size)
    said = node.espial("run", "--arm")
    assert "counters start at zero" in said, said
    node.intact()
    assert pinned.names(PINS) == node.expected
    node.offered = node.wire.sent - node.sent
    node.gone()


MOMENTS = (resized, unknown_layout, first_start, adoption, adoption_changed, adoption_then_upgrade,
           damaged_programs, upgrade, rollback, reload, stop,
           policy_with_daemon, policy_without_daemon, detaching, rejected_build)
