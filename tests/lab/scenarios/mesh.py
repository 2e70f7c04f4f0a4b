# SPDX-License-Identifier: Apache-2.0
"""How meshes work and fail: what crosses the wire, and what espial says about it."""
from espial_lab.mesh import Spec
from espial_lab.scenario import DEBIAN, Lab, scenario

SHARED = Spec(layout="A")
SEPARATE = Spec(layout="B")


@scenario(shared=SHARED, separate=SEPARATE, plain_nic=Spec(underlay="eth0"),
          outer6=Spec(outer=6), encap=Spec(encap=True), trap=Spec(start="trap"),
          bond=Spec(underlay="bond0"), vlan=Spec(underlay="vlan"), cni=Spec(pods="cni"))
def healthy(lab: Lab) -> None:
    spec = lab.mesh.spec
    watch = lab.watch(1, 2)
    sent = lab.talk(1, 2)
    for family in (4, 6):
        sent += lab.ping(1, 2, 5, family).sent
    expected = {f"{'esp_udp' if spec.encap else 'esp'}/ipv{spec.outer}": sent}
    for number, peer in ((1, 2), (2, 1)):
        watch.expect(number, peer, expected, expected)
        watch.verdict(number, peer, "encrypted")
    watch.agree()
    watch.calm()


@scenario(shared=SHARED, separate=SEPARATE)
def policies_missing_on_both(lab: Lab) -> None:
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
