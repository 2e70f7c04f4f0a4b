# SPDX-License-Identifier: Apache-2.0
"""What is shown while it happens: `espial top` on a real terminal, `espial flows --follow`."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from espial_lab.espial import Espial
from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, scenario
from espial_lab.terminal import Terminal
from espial_lab.wait import until, whole_lines

RUNNING = ("running",)
PORT = 7007


# -- top -----------------------------------------------------------------------------------------

def rows(lines: list[str]) -> list[str]:
    """The lines of the list, the first peer first."""
    titles = next((i for i, line in enumerate(lines) if line.startswith("  PEER ")), None)
    if titles is None:
        return []
    return [line for line in lines[titles + 1:] if line.strip() and "q quit" not in line and
            not line.startswith("filter:")]


def first(name: str):
    return lambda lines: bool(rows(lines)) and rows(lines)[0].split()[:2] == [">", name]


def start(terminal: Terminal, espial: Espial, environment: str = "", job: bool = False) -> None:
    """`job`: all of it is one job for the shell, which can be stopped."""
    line = (f"stty -g >before; {environment} {espial.program} top --config {espial.config}; "
            "echo left $?; stty -g >after")
    terminal.command(f"({line})" if job else line)


def coloured(terminal: Terminal) -> list[str]:
    """The sequences on the screen that set a colour."""
    return re.findall(r"\x1b\[(?:\d+;)*3[0-7](?:;\d+)*m", "\n".join(terminal.lines(colours=True)))


def left(terminal: Terminal, folder: str) -> None:
    """It ended well: its screen is gone, what stood there before is back, the tty as it was."""
    terminal.shows("the shell again", lambda lines: "left 0" in lines)
    assert not terminal.alternate(), "the terminal is still in the alternate screen"
    until("the tty's settings", lambda: os.path.exists(f"{folder}/after") and whole_lines(f"{folder}/after"))
    with open(f"{folder}/before") as before, open(f"{folder}/after") as after:
        assert before.read() == after.read(), "the tty has other settings than before"
    os.unlink(f"{folder}/after")
    terminal.command("clear")
    terminal.shows("an empty screen", lambda lines: "left 0" not in lines)


@scenario(plays={"running": "separate"}, kernels=RUNNING, separate=Spec(secured=False),
          needs_espial=True)
def top_on_a_terminal(lab: Lab) -> None:
    """Everything that a user does in `espial top`, on a real terminal, which is left as it was."""
    watch = lab.watch(1)
    espial, folder = watch.espials[1], lab.mesh.node(1).folder
    terminal = Terminal(lab.mesh.node(1))
    try:
        terminal.command(f"cd {folder}")
        lab.talk(1, 3)
        start(terminal, espial, job=True)
        screen = terminal.shows("the leaking peer on top", first("node3"))
        assert screen[0].startswith("espial top  node1  "), screen[0]
        assert rows(screen)[0].split()[2:5] == ["leaking", "0", "%"], rows(screen)[0]
        assert "CleartextTraffic" in rows(screen)[0] and len(rows(screen)) == 2, screen

        terminal.keys("Right")
        terminal.shows("sorted by name", first("node2"))
        terminal.keys("r")
        terminal.shows("sorted by name, reversed", first("node3"))
        terminal.keys("w")
        terminal.type("/node2")
        terminal.shows("only what matches", lambda lines: first("node2")(lines) and len(rows(lines)) == 1)
        terminal.keys("Escape")
        terminal.shows("all again", lambda lines: first("node3")(lines) and len(rows(lines)) == 2)

        terminal.keys("Enter")
        # Exactly what was sent: 20 each way, each family.
        terminal.shows("the peer's page", lambda lines: any(
            line.split() == ["cleartext", "20", "20", "20", "20"] for line in lines))
        terminal.keys("a")
        terminal.shows("the alarms", lambda lines: any(line.startswith("CleartextTraffic  critical")
                                                       for line in lines))
        terminal.keys("?")
        terminal.shows("the help", lambda lines: any("worst first, from the top" in line for line in lines))
        terminal.keys("Escape")
        terminal.keys("Escape")

        terminal.resize(40, 10)
        small = terminal.shows("a small window", lambda lines: first("node3")(lines) and "q quit" in lines[9])
        assert max(map(len, small)) <= 40 and "TX COVER" in "".join(small), small
        terminal.resize(110, 30)
        terminal.shows("a large window", lambda lines: first("node3")(lines) and "q quit" in lines[29])

        espial.stop()
        terminal.shows("no daemon", lambda lines: any("no daemon is running" in line for line in lines))
        espial.start()
        espial.ready()
        terminal.shows("the daemon again", lambda lines: first("node3")(lines) and
                       not any("no daemon is running" in line for line in lines))

        # The shell says that its job stopped when the first process of it has, maybe before top has given
        # the screen back, and then on a screen that is gone.
        terminal.keys("C-z")
        until("the shell's screen", lambda: not terminal.alternate())
        terminal.command("jobs")
        terminal.shows("the job has stopped", lambda lines: any("Stopped" in line for line in lines))
        terminal.command("fg")
        terminal.shows("the screen again", first("node3"))
        terminal.keys("q")
        left(terminal, folder)

        start(terminal, espial, "NO_COLOR=1")
        terminal.shows("without colour", first("node3"))
        assert not coloured(terminal), coloured(terminal)
        terminal.keys("C-c")
        left(terminal, folder)

        start(terminal, espial)
        terminal.shows("with colour", first("node3"))
        until("colour", lambda: coloured(terminal), every=0.1)
        os.kill(terminal.program(), signal.SIGTERM)
        left(terminal, folder)
    finally:
        terminal.close()

    for done in (espial.run("top"), lab.mesh.node(1).namespace.run(
            "env", "LC_ALL=C", "script", "-qec", f"env TERM=dumb {espial.program} top --config {espial.config}", "/dev/null",
            check=False)):
        told = (done.stdout + done.stderr).strip()
        assert done.returncode == 2 and "espial status --watch" in told and "\n" not in told, \
            f"exit status {done.returncode}: {told}"


# -- flows --follow ------------------------------------------------------------------------------

class Follower:
    """`espial flows --follow --json` of a node; what it says is read when asked for."""

    def __init__(self, espial: Espial, *arguments: str):
        self._err = f"{espial.folder}/follow-{len(os.listdir(espial.folder))}"
        with espial.node.namespace, open(self._err, "w") as err:
            self.process = subprocess.Popen(
                (espial.program, "flows", "--follow", "--json", "--config", espial.config, *arguments),
                stdout=subprocess.PIPE, stderr=err, stdin=subprocess.DEVNULL)
        os.set_blocking(self.process.stdout.fileno(), False)
        self._rest = b""
        self.events: list[dict] = []
        until("following", lambda: self.read() and self.events[0]["event"] == "start")

    def read(self) -> list[dict]:
        while part := self.process.stdout.read(1 << 20):
            self._rest += part
        *lines, self._rest = self._rest.split(b"\n")
        self.events += map(json.loads, lines)
        return self.events

    def flows(self) -> list[tuple]:
        return [(event["source"], event["source_port"], event["destination_port"])
                for event in self.read() if event["event"] == "flow" and not event["again"]]

    def lost(self) -> int:
        return sum(event["lost"] for event in self.read() if event["event"] == "lost")

    def errors(self) -> str:
        with open(self._err) as file:
            return file.read()

    def end(self, how: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()


def burst(lab: Lab, ports: range) -> set[tuple]:
    """One datagram for each source port, from node1's pod to node2's: that many flows."""
    one, two = lab.mesh.node(1).pod, lab.mesh.node(2).pod
    with two.namespace:
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver:
        receiver.bind((two.v4, PORT))
        for port in ports:
            with one.namespace:
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with sender:
                sender.bind((one.v4, port))
                sender.sendto(b"x" * 64, (two.v4, PORT))
        lab.sent += len(ports)
    return {(one.v4, port, PORT) for port in ports}


@scenario(plays={"running": "separate"}, kernels=RUNNING, separate=Spec(secured=False),
          needs_espial=True)
def flows_follow(lab: Lab) -> None:
    """Every flow is told once and at once; who does not read disturbs nobody, and learns what it lost."""
    watch = lab.watch(1, flow_events_per_second=100000)
    espial = watch.espials[1]
    burst(lab, range(20000, 20010))     # before anybody follows: old
    followers = [Follower(espial) for _ in range(3)]
    reader, stalled, chosen = followers[0], followers[1], Follower(espial, "--class", "dropped")
    followers.append(chosen)
    try:
        stalled.process.send_signal(signal.SIGSTOP)
        sent = burst(lab, range(21000, 21060))
        at = time.monotonic()
        until("60 flows told", lambda: len(reader.flows()) >= 60, every=0.01)
        lab.notes.append(f"told after {1000 * (time.monotonic() - at):.0f} ms")
        # It looks at the table, from beginning to end: nothing is told twice.
        for _ in range(2):
            seen = espial.status()["time"]
            until("the daemon has looked", lambda: espial.status()["time"] != seen)
        assert sorted(reader.flows()) == sorted(sent), f"{len(reader.flows())} told of {len(sent)}"
        event = reader.events[1]
        assert (event["class"], event["direction"], event["peer"], event["packets"]) == \
            ("cleartext", "transmit", "node2", 1), event

        # More than the stalled one's share of memory, and than a socket takes.
        for begin in range(22000, 26000, 200):
            sent |= burst(lab, range(begin, begin + 200))
            assert espial.status()["node"] == "node1"
        until("4,060 flows told or lost", lambda: len(reader.flows()) + reader.lost() >= len(sent))
        told = reader.flows()
        assert len(told) + reader.lost() == len(sent) and set(told) <= sent and \
            len(set(told)) == len(told), f"{len(told)} told, {reader.lost()} lost, {len(sent)} sent"
        stalled.process.send_signal(signal.SIGCONT)
        until("the stalled one knows what it lost",
              lambda: len(stalled.flows()) + stalled.lost() >= len(sent))
        late = stalled.flows()
        assert len(late) + stalled.lost() == len(sent) and stalled.lost() > reader.lost() and \
            set(late) <= sent, f"{len(late)} told, {stalled.lost()} lost, {len(sent)} sent"
        lab.notes.append(f"{len(told)} of {len(sent)} told in time, {len(late)} to the stalled one")

        assert not chosen.flows(), chosen.flows()
        espial.write(mode="enforce", flow_events_per_second=100000)
        espial.reload()
        until("enforced", lambda: {peer["mode"] for peer in espial.status()["peers"]} == {"enforce"})
        burst(lab, range(27000, 27001))
        until("a dropped flow told", lambda: len(chosen.flows()) == 1)
        assert chosen.events[-1]["dropped_packets"] == 1, chosen.events[-1]

        espial.stop()
        until("told that the daemon stopped", lambda: "the daemon stopped" in reader.errors())
        burst(lab, range(28000, 28001))     # the programs see it all the same
        espial.start()
        espial.ready()
        until("the daemon is back", lambda: "is back" in reader.errors())
        sent = burst(lab, range(28001, 28002))
        until("told by the new daemon", lambda: sent <= set(reader.flows()))
        assert any(port == 28000 for _, port, _ in reader.flows()), "what passed meanwhile is not told"

        followers[2].process.stdout.close()     # nobody reads: it ends by itself, at once
        assert followers[2].process.wait(60) == 0
        assert reader.end() == 0 and chosen.end(signal.SIGTERM) == 0
    finally:
        for follower in followers:
            follower.process.kill()
            follower.process.wait()
    espial.stop()
    done = espial.run("flows", "--follow")
    assert done.returncode == 3 and "no daemon is running" in done.stderr, done
