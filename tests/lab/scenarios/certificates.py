# SPDX-License-Identifier: Apache-2.0
"""Certificates in place of keys that both sides know: what the clock has to do with it."""
from espial_lab.mesh import SECRET, Spec
from espial_lab.pki import Pki
from espial_lab.scenario import Lab, scenario
from scenarios.doctor import answered, doctor

VALID, FUTURE = (2020, 2040), (2038, 2040)


def load(lab: Lab, pki: Pki, number: int, peer: int, years: tuple[int, int]) -> None:
    """The connection of a node to a peer by certificates; its own is valid in these years."""
    node, name = lab.mesh.node(number), f"node{peer}"
    pki.issue(node.name, *years)
    with node.charon.session() as session:
        session.call("load-cert", {"type": "x509", "flag": "CA", "data": pki.text("ca.crt")})
        session.call("load-key", {"type": "any", "data": pki.text(f"{node.name}.key")})
    connection = node.connections()[name]
    connection["local"] = {"auth": "pubkey", "id": node.name, "certs": [pki.text(f"{node.name}.crt")]}
    connection["remote"] = {"auth": "pubkey", "id": name}
    node.charon.load({name: connection}, SECRET)


@scenario(needs_espial=True, spoils=True, certificates=Spec(start="trap", secured=False,
          certificates=True, nodes=2))
def doctor_certificate_time(lab: Lab) -> None:
    """By the clock of node1 the certificate of node2 is not valid yet: packets wait for an SA."""
    one = lab.mesh.node(1)
    pki = Pki(f"{lab.mesh.folder}/pki")
    watch = lab.watch(1, vici=one.charon.socket)
    load(lab, pki, 2, 1, FUTURE)
    load(lab, pki, 1, 2, VALID)
    for family in (4, 6):
        assert not answered(lab, 1, 2, family)
    status, findings = doctor(watch, 1)
    assert status == 1 and findings[0]["cause"] == "ike_certificate_time", findings
    assert "subject certificate invalid (valid from Jan 01 00:00:00 2038" in findings[0]["evidence"][0], findings
    assert findings[0]["remedies"][0].startswith("timedatectl"), findings[0]

    lab.mesh.unload(1, 2)
    one.namespace.run("ip", "xfrm", "state", "flush")
    load(lab, pki, 2, 1, VALID)
    load(lab, pki, 1, 2, VALID)
    for family in (4, 6):
        answered(lab, 1, 2, family)     # the first packets may be lost, while the SA is made
        assert answered(lab, 1, 2, family)
    assert doctor(watch, 1) == (0, []), "fixed"
