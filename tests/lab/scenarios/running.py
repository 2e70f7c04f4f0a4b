# SPDX-License-Identifier: Apache-2.0
"""The running kernel with ESP in user space (kernel-libipsec): real IKE, real ESP in UDP."""
import json

from espial_lab.mesh import Spec
from espial_lab.scenario import Lab, scenario
from scenarios.audit import audit, pairs

RUNNING = ("running",)


@scenario(plays={"running": "separate shared"}, kernels=RUNNING, separate=Spec(libipsec=True,
          encap=True), shared=Spec(libipsec=True, encap=True, layout="A"))
def user_space(lab: Lab) -> None:
    """ESP in user space is counted on the wire; the audit says that the kernel has no policies."""
    watch = lab.watch(1, 2)
    sent = lab.talk(1, 2)
    expected = {"esp_udp/ipv4": sent}
    for number, peer in ((1, 2), (2, 1)):
        watch.expect(number, peer, expected, expected)
        watch.verdict(number, peer, "encrypted")
    watch.agree()
    watch.calm()
    # The kernel has no policies to look at: said, and not taken for a mesh without any.
    for number, peer in ((1, 2), (2, 1)):
        status, document = audit(watch, number)
        seen = {(pair["verdict"], finding["problem"]) for pair in
                pairs(document, f"node{peer}").values() for finding in pair["findings"]}
        assert seen == {("user_space", "user_space_ipsec")}, f"exit status {status}: {seen}"
        assert status == 0, f"exit status {status}"


@scenario(plays={"running": "separate"}, kernels=RUNNING, separate=Spec(libipsec=True, encap=True))
def user_space_leak(lab: Lab) -> None:
    """A leak beside ESP in user space."""
    lab.mesh.unload(1, 2)
    lab.undo(lambda: lab.mesh.reload(1, 2))
    watch = lab.watch(1, 2)
    lab.talk(1, 2)
    clear = {"cleartext/ipv4": 20, "cleartext/ipv6": 20}
    for number, peer in ((1, 2), (2, 1)):
        watch.expect(number, peer, clear, clear)
        watch.verdict(number, peer, "leaking")
        watch.fires(number, "CleartextTraffic", peer)
    watch.agree()


@scenario(plays={"running": "separate"}, kernels=RUNNING, separate=Spec(libipsec=True, encap=True))
def user_space_hundred_thousand(lab: Lab) -> None:
    """No packet of a long encrypted run is called clear."""
    watch = lab.watch(1, 2)
    # The TUN device and charon's socket lose what comes too fast, so the sender waits for the other.
    sent = sum(lab.talk(1, 2, 5000) for _ in range(5))
    expected = {"esp_udp/ipv4": sent}
    for number, peer in ((1, 2), (2, 1)):
        watch.expect(number, peer, expected, expected)
        watch.verdict(number, peer, "encrypted")
    watch.agree()


@scenario(plays={"running": "separate"}, kernels=RUNNING, separate=Spec(secured=False),
          needs_espial=True)
def doctor_kernel_without_esp(lab: Lab) -> None:
    """Said where it is so, and only there: the kernel's own answer to a request for an ESP state."""
    namespace = lab.mesh.node(1).namespace
    asked = namespace.run("ip", *("xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 "
                                  "mode tunnel enc ecb(cipher_null) 0x auth hmac(sha1) 0x"
                                  + "00" * 20).split(), check=False)
    if asked.returncode == 0:
        namespace.ip("xfrm state flush")
    watch = lab.watch(1)
    lab.talk(1, 2)
    done = watch.espials[1].run("doctor", "--json")
    causes = [finding["cause"] for finding in json.loads(done.stdout)["findings"]]
    assert done.returncode == 1, f"a mesh in clear: exit status {done.returncode}, {causes}"
    if asked.returncode == 0:
        assert "kernel_without_esp" not in causes, causes
    else:
        assert causes[0] == "kernel_without_esp", f"{asked.stderr.strip()}: {causes}"
    lab.notes.append("has ESP" if asked.returncode == 0 else "has no ESP")
