# SPDX-License-Identifier: Apache-2.0
"""ESP that is of no SA: what proves that a packet of protocol 50 is encrypted."""
import contextlib
import signal
import struct

from espial_lab.mesh import Spec
from espial_lab.sas import in_kernel, mirrored
from espial_lab.scenario import Lab, Watch, scenario
from espial_lab.traffic import frames, ipv4, ipv6
from espial_lab.wait import until
from scenarios.mesh import exchanged, rekeyed
from scenarios.enforce import unharmed

SEPARATE = Spec()
ESP = 50


def forged(source: str, target: str, spi: int = 0xBAD0BAD0) -> bytes:
    payload = struct.pack("!II", spi, 1) + b"readable"
    return ipv4(source, target, ESP, payload, 64) if "." in source else ipv6(source, target, ESP, payload, 64)


def foreign(watch: Watch, direction: str, packets: int, family: str) -> None:
    def counted() -> bool:
        seen = watch.espials[1].counts().get((direction, "node2", "esp_foreign", family), (0, 0))[0]
        assert seen == packets, f"{direction} esp_foreign/{family}: {seen}, not {packets}"
        return True
    until(f"node1 counts forged ESP, {direction} {family}", counted, every=0.1)


def compares(watch: Watch) -> bool:
    """espial compares SPIs with the SAD; it says why where it cannot."""
    source = next(s for s in watch.espials[1].status()["sources"] if s["source"] == "spi")
    assert source["up"], f"SPIs are not compared: {source}"
    return True


@scenario(plays={"6.1": "separate", "6.12": "separate"}, needs_espial=True, separate=SEPARATE)
def forged_esp(lab: Lab) -> None:
    """Readable text under protocol 50 between the underlays of a pair is not called encrypted: of an SPI
    that the SAD does not know it is unprotected, exactly counted, with an alarm of its own; in enforce
    none leaves, and what the pair's SAs protect goes on."""
    one, two = lab.mesh.node(1), lab.mesh.node(2)
    mac = f"0a:58:0a:2d:00:{one.number + 10:02x}"
    watch = lab.watch(1)
    until("node1 compares SPIs", lambda: compares(watch), every=0.2)
    for family, packets in ((4, 20), (6, 30)):
        ends = two.underlay[family], one.underlay[family]
        lab.sent += frames(two.namespace, two.wire, mac, forged(*ends), packets).sent
        lab.sent += frames(one.namespace, one.wire, "0a:58:0a:2d:00:0c", forged(*reversed(ends)), packets + 1).sent
        foreign(watch, "receive", packets, f"ipv{family}")
        foreign(watch, "transmit", packets + 1, f"ipv{family}")
    watch.fires(1, "ForeignEsp", 2)
    watch.verdict(1, 2, "leaking")
    lab.talk(1, 2)
    watch.verdict(1, 2, "mixed")
    watch.espials[1].set_mode("enforce")
    before = watch.espials[1].counts()
    for _ in range(40):
        # The sender is told: ENOBUFS.
        with contextlib.suppress(OSError):
            frames(one.namespace, one.wire, "0a:58:0a:2d:00:0c",
                   forged(one.underlay[4], two.underlay[4]), 1)
    watch.dropped(1, 2, {"esp_foreign": 40})
    key = ("transmit", "node2", "esp_foreign", "ipv4")
    assert watch.espials[1].counts()[key] == before[key], "what was dropped is counted as sent"
    lab.talk(1, 2)
    watch.dropped(1, 2, {"esp_foreign": 40})


@scenario(plays={"6.1": "separate", "6.12": "separate"}, needs_espial=True, separate=SEPARATE)
def rekeyed_without_a_daemon(lab: Lab) -> None:
    """The SAs that charon makes while no daemon runs are known all the same: in enforce nothing of them is
    called foreign, or lost."""
    watch = lab.watch(1, 2, mode="enforce")
    until("node1 compares SPIs", lambda: compares(watch), every=0.2)
    espial = watch.espials[1]
    espial.stop(signal.SIGKILL)
    sent = rekeyed(lab)
    exchanged(watch, sent)
    known, there = mirrored(espial.pins), in_kernel(lab.mesh.node(1).namespace)
    assert there and {spi for spi, here in known.items() if here and spi} == there, \
        f"mirrored: {known}, in the SAD: {there}"
    assert not all(known[spi] for spi in known if spi), "no SA was deleted by a rekey"
    espial.start()
    espial.ready()
    until("node1 compares SPIs", lambda: compares(watch), every=0.2)
    lab.talk(1, 2)
    for name in ("node2", ""):
        assert not espial.drops(name), f"dropped: {espial.drops(name)}"
    seen = {key: value for key, value in espial.counts().items() if key[2] == "esp_foreign" and value[0]}
    assert not seen, f"called foreign: {seen}"
    unharmed(watch)
