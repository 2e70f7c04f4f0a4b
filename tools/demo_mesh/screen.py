# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: plain lines, coloured on a terminal only, 104 columns."""
import sys

from .stage import Alarm, Ping, Row, Stage, Stopped

_RED, _GREEN, _YELLOW, _BOLD, _DIM = "31", "32", "33", "1", "2"
_COLOURS = {"encrypted": _GREEN, "leaking": _RED, "mixed": _RED, "one_way": _YELLOW,
            "down": _YELLOW, "exposed": _YELLOW}
_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6", "both": "both"}


class Screen:
    def __init__(self, colour: bool):
        self._colour = colour

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def paint(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour and code else text

    def dim(self, text: str) -> str:
        return self.paint(text, _DIM)

    def title(self, text: str, *notes: str) -> None:
        self.line(self.paint(text, _BOLD))
        for note in notes:
            self.line(self.dim(note))

    def _mark(self, ok: bool) -> str:
        return self.paint("ok", _GREEN) if ok else self.paint("WRONG", _RED)

    def step(self, number: int, story: str) -> None:
        self.line()
        self.line(self.paint(f"{number:2}  {story}", _BOLD))

    def played(self, stage: Stage, seconds: float) -> None:
        """The result of a step."""
        for ping in stage.pings:
            self._ping(ping)
        shown = [row for row in stage.rows if row.wire]
        if shown:
            self.line("    " + self.dim(f"{'node > peer':15}{'':6}{'nft: sent':25}{'nft: received':25}"
                                        f"{'espial':11}coverage"))
        for row in shown:
            self._row(row)
        if stage.stopped_leaks:
            self.line("    " + self.dim(f"{'node > peer':15}{'':6}{'nft: up to the wire':25}"
                                        f"{'switch: on the wire':25}espial dropped"))
        for leak in stage.stopped_leaks:
            self._stopped(leak)
        for alarm in stage.alarms:
            self._alarm(alarm)
        for text, ok in stage.facts:
            self.fact(text, ok)
        self.line("    " + self.dim(f"{seconds:.1f} s"))

    def _ping(self, ping: Ping) -> None:
        what = f"ping {ping.source} > {ping.target}"
        wrong = "" if ping.ok else f"   {self._mark(False)}: {ping.expected_loss} % was expected"
        self.line(f"    {what:21}{_FAMILIES[ping.family]:6}{ping.loss} % loss{wrong}")

    def _row(self, row: Row) -> None:
        ways = [_packets(row.wire.get(way, {})) for way in ("transmit", "receive")]
        sent, received = (_percent(row.coverage.get(way)) for way in ("transmit", "receive"))
        verdict = self.paint(f"{row.seen:11}", _COLOURS.get(row.seen, ""))
        wrong = "" if row.ok else f": {row.expected} was expected"
        self.line(f"    {row.node + ' > ' + row.peer:15}{_FAMILIES[row.family]:6}{ways[0]:25}"
                  f"{ways[1]:25}{verdict}{sent + ' / ' + received:15}{self._mark(row.ok)}{wrong}")

    def _stopped(self, leak: Stopped) -> None:
        self.line(f"    {leak.node + ' > ' + leak.peer:15}{_FAMILIES[leak.family]:6}"
                  f"{_packets(leak.tried):25}{_packets(leak.out):25}{_packets(leak.dropped):26}"
                  f"{self._mark(leak.ok)}{'' if leak.ok else ': ' + leak.seen}")

    def _alarm(self, alarm: Alarm) -> None:
        if alarm.evidence:
            self.line(f"    {self.paint(alarm.alarm, _RED)} fires on {alarm.node}: "
                      f"{alarm.peer}: {alarm.evidence}")
        else:
            self.line(f"    {alarm.alarm} of {alarm.peer} on {alarm.node} does not fire  "
                      f"{self._mark(False)}")

    def fact(self, text: str, ok: bool) -> None:
        self.line(f"    {text}  {self._mark(ok)}")


def _packets(by_class: dict[str, int]) -> str:
    return ", ".join(f"{packets} {name}" for name, packets in by_class.items()) or "-"


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.4g} %"


def on_terminal() -> bool:
    return sys.stdout.isatty()
