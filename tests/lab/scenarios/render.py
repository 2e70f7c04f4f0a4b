# SPDX-License-Identifier: Apache-2.0
"""What `espial mesh render` writes, given to the real swanctl and charon."""
import os
import stat
import subprocess

from espial_lab.mesh import Node, Spec
from espial_lab.scenario import Lab, scenario
from espial_lab.wait import until

PAIRS = ((1, 2), (1, 3), (2, 3))


def load(node: Node, folder: str, ready: str) -> None:
    """`swanctl --load-all`; it says nothing but what it loaded."""
    done = subprocess.run(
        ["swanctl", "--load-all", "--file", f"{ready}/swanctl.{node.name}.conf",
         "--uri", f"unix://{node.charon.socket}"], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"], "STRONGSWAN_CONF": f"{folder}/strongswan.conf"})
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{node.name}: swanctl: exit status {done.returncode}: {said}"
    for line in said.splitlines():
        assert line.startswith(("loaded ", "successfully loaded ", "no authorities found",
                                "no pools found")), f"{node.name}: swanctl: {line}"
    assert "successfully loaded 2 connections" in said, said


def through(lab: Lab, one: int, two: int, family: int) -> None:
    """The traps' first packets make the SAs and may be lost."""
    until(f"node{one} > node{two} IPv{family}: a packet arrives",
          lambda: lab.udp(one, two, 1, family, lossy=True).received > 0, every=0.2)


@scenario(plays={"6.1": "bare"}, needs_espial=True, spoils=True, bare=Spec(secured=False))
def rendered_mesh(lab: Lab) -> None:
    """What is rendered, loaded by the real swanctl, is a mesh that encrypts every pair; without secrets nothing passes."""
    watch = lab.watch(1, 2, 3)
    espial = watch.espials[1]
    folder, ready = f"{lab.mesh.folder}/rendered", f"{lab.mesh.folder}/ready"
    for _ in range(2):
        told = espial.run("mesh", "render", "--out", folder, check=True).stdout
    assert "added" not in told and "\nchanged" not in told, told
    made = subprocess.run([f"{folder}/psk.sh", ready], capture_output=True, text=True, check=True,
                          timeout=60)
    assert made.stderr.count("made a secret") == len(PAIRS) and not made.stdout, made
    secrets = []
    for pair in PAIRS:
        path = f"{folder}/psk/" + "+".join(f"node{number}" for number in pair)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
        with open(path) as file:
            secrets.append(file.read())
    assert len(set(secrets)) == len(PAIRS) and not any(s in made.stderr for s in secrets)

    # Without secrets nothing is clear and nothing comes up: traps hold the traffic.
    node = lab.mesh.node(1)
    refused = subprocess.run(
        ["swanctl", "--load-creds", "--file", f"{folder}/swanctl.node1.conf", "--uri",
         f"unix://{node.charon.socket}"], capture_output=True, text=True, timeout=60)
    assert "missing secret in 'ike-node1-node2', ignored" in refused.stderr, refused

    # swanctl looks for certificates in folders beside the file.
    for name in ("x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private",
                 "rsa", "ecdsa", "bliss", "pkcs8", "pkcs12"):
        os.makedirs(f"{ready}/{name}")
    for each in lab.mesh.nodes:
        load(each, folder, ready)
        assert not each.charon.installed(), "an SA without traffic"
    for one, two in PAIRS:
        for family in (4, 6):
            through(lab, one, two, family)
            through(lab, two, one, family)
    for number in (1, 2, 3):
        watch.zero(number)
    for (one, two), count in zip(PAIRS, (5, 7, 11)):
        lab.talk(one, two, count)
        for number, peer in ((one, two), (two, one)):
            watch.expect(number, peer, {"esp/ipv4": 2 * count}, {"esp/ipv4": 2 * count})
            watch.verdict(number, peer, "encrypted")
    watch.agree()
    watch.calms()     # it began without policies
    vici_follows(lab, watch)


def vici_follows(lab: Lab, watch) -> None:
    """The source says whether charon answers: none in the usual place, ours, one that was killed."""
    espial, charon = watch.espials[1], lab.mesh.node(1).charon

    def source(up: bool) -> None:
        def right() -> bool:
            seen = next(s for s in espial.status()["sources"] if s["source"] == "vici")
            assert seen["up"] == up, f"{seen}"
            return True
        until(f"vici is {'up' if up else 'down'}", right, every=0.2)
    assert "vici" not in {s["source"] for s in espial.status()["sources"]}, "a source that nobody named"
    espial.write(vici=charon.socket)
    espial.reload()
    source(True)
    charon.kill()
    source(False)
