# SPDX-License-Identifier: Apache-2.0
"""The mesh: nodes, pods and a switch in network namespaces, strongSwan in every node.

  B, separate (OpenSVC's default)           A, shared (network#backendnet.dev = br-prd)

  pod1                                      pod1
   | veth                                    | veth
  obr_backendnet 10.101.1.1                 br-prd 10.45.0.11, 10.101.1.1
  br-prd 10.45.0.11                          |
   |                                        prd-port
  prd-port                                   | veth
   | veth                                   switch
  switch

In layout B the underlay is, by `Spec.underlay`, the bridge br-prd, the plain device eth0, the bond
bond0 or the VLAN device prd.7. Everything else is the same for all, and so are the addresses.
"""
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile

from . import offload
from .charon import Charon
from .netns import Namespace
from .phases import phase
from .wait import until

BACKEND_V4, BACKEND_V6 = "10.101.0.0/16", "fd00:101::/32"
SECRET = "the lab's only secret"
VLAN = 7


@dataclasses.dataclass(frozen=True)
class Spec:
    """What a scenario wants built. Equal specs share one mesh."""
    layout: str = "B"              # "A": pods are ports of br-prd; "B": of obr_backendnet
    underlay: str = "br-prd"       # layout B: br-prd, eth0, bond0 or vlan
    outer: int = 4                 # family of the outer header
    start: str = "start"           # start_action: start or trap
    encap: bool = False            # force UDP encapsulation
    esp: str = "aes128gcm16"
    libipsec: bool = False         # ESP in user space (charon's kernel-libipsec)
    pods: str = "veth"             # or "cni": made by containernetworking-plugins
    nodes: int = 3
    ah: bool = False               # AH in place of ESP
    gro: bool = False              # receive offload on the uplinks
    secured: bool = True           # False: charon runs, no connection is loaded
    certificates: bool = False     # charon can read them

    def __str__(self) -> str:
        return " ".join(f"{field.name}={getattr(self, field.name)}"
                        for field in dataclasses.fields(self)
                        if getattr(self, field.name) != field.default) or "default"


class Pod:
    """A pod of a node: its namespace and its addresses."""

    def __init__(self, name: str, v4: str, v6: str):
        self.namespace = Namespace(name)
        self.v4, self.v6 = v4, v6

    def address(self, family: int) -> str:
        return self.v4 if family == 4 else self.v6


class Node:
    """A node of the mesh. `number` counts from 1 and is part of every address."""

    def __init__(self, mesh: "Mesh", number: int):
        self.mesh, self.number, self.name = mesh, number, f"node{number}"
        self.underlay = {4: f"10.45.0.1{number}", 6: f"fd00:45::1{number}"}
        self.backend = {4: f"10.101.{number}.0/24", 6: f"fd00:101:{number}::/64"}
        self.gateway = {4: f"10.101.{number}.1", 6: f"fd00:101:{number}::1"}
        self.namespace = Namespace(self.name)
        self.folder = f"{mesh.folder}/{self.name}"
        os.makedirs(self.folder)
        self.charon = Charon(self.namespace, f"{self.folder}/charon", mesh.spec.libipsec,
                             mesh.spec.certificates)
        self.pod: Pod | None = None

    @property
    def peers(self) -> list["Node"]:
        return [node for node in self.mesh.nodes if node is not self]

    @property
    def pod_bridge(self) -> str:
        return "br-prd" if self.mesh.spec.layout == "A" else "obr_backendnet"

    @property
    def underlay_device(self) -> str:
        """The device that holds the underlay address."""
        return "prd.7" if self.mesh.spec.underlay == "vlan" else self.mesh.spec.underlay

    @property
    def wire(self) -> str:
        """The device at which the wire begins: of a bridge, its port."""
        return "prd-port" if self.underlay_device == "br-prd" else self.underlay_device

    @property
    def ports(self) -> list[str]:
        """The ports of the switch that the node is plugged into."""
        sides = ("a", "b") if self.mesh.spec.underlay == "bond0" else ("",)
        return [f"port{self.number}{side}" for side in sides]

    def connections(self) -> dict[str, dict]:
        """VICI connections to every peer, one child per family. The lower number initiates."""
        spec, outer = self.mesh.spec, self.mesh.spec.outer
        connections = {}
        for peer in self.peers:
            action = spec.start
            if action == "start" and self.number > peer.number:
                action = "none"
            children = {
                f"{peer.name}-v{family}": {
                    "local_ts": [self.backend[family]], "remote_ts": [peer.backend[family]],
                    "start_action": action, "mode": "tunnel",
                    "ah_proposals" if spec.ah else "esp_proposals": [spec.esp],
                } for family in (4, 6)}
            connections[peer.name] = {
                "version": 2, "encap": "yes" if spec.encap else "no",
                "local_addrs": [self.underlay[outer]], "remote_addrs": [peer.underlay[outer]],
                "proposals": ["aes128-sha256-x25519"],
                "local": {"auth": "psk", "id": self.name}, "remote": {"auth": "psk", "id": peer.name},
                "children": children}
        return connections

    def load(self, *peers: str, families: tuple[int, ...] = (4, 6)) -> None:
        """Loads the connections to the named peers, or to all, with children of these families."""
        every = self.connections()
        for connection in every.values():
            connection["children"] = {name: child for name, child in connection["children"].items()
                                      if int(name[-1]) in families}
        self.charon.load({name: every[name] for name in peers or every}, SECRET)


class Mesh:
    """Built by the constructor, gone after close(). One at a time per mount namespace."""

    @phase("mesh")
    def __init__(self, spec: Spec):
        self.spec = spec
        self.folder = tempfile.mkdtemp(prefix="espial-lab-", dir="/run")   # private to the run
        self.nodes: list[Node] = []
        self.wire_counts: dict = {}      # what scenarios on this mesh share, see scenario.Watch
        self.switch: Namespace | None = None
        self._uplinks: list[tuple[str, str]] = []      # device of a node, port of the switch
        self._switch_ports: list[str] = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    @phase("mesh")
    def close(self) -> None:
        for node in self.nodes:
            try:
                node.charon.kill()
            finally:
                node.namespace.close()
                if node.pod:
                    node.pod.namespace.close()
        if self.switch:
            self.switch.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def node(self, number: int) -> Node:
        return self.nodes[number - 1]

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.switch = Namespace("switch")
        self.switch.sysctl({"net/ipv6/conf/default/disable_ipv6": 1})
        self.switch.ip("link add sw0 type bridge mcast_snooping 0", "link set sw0 up")
        for number in range(1, self.spec.nodes + 1):
            self.nodes.append(Node(self, number))
        for node in self.nodes:
            node.charon.start()
        for node in self.nodes:
            self._build_node(node)
            self._build_pod(node)
        self.switch.ip(*self._switch_ports)
        for device in self._uplinks:
            offload.all_off(self.switch, device[1])
        if self.spec.gro:
            for node, device in ((node, node.wire) for node in self.nodes):
                offload.set_offloads(node.namespace, device, gro=True)
        for node in self.nodes:
            node.charon.ready()
        if self.spec.secured:
            self.secure()

    def _build_node(self, node: Node) -> None:
        node.namespace.sysctl({
            "net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1,
            **{f"net/ipv{family}/conf/{which}/{key}": value
               for which in ("all", "default")
               for family, key, value in ((6, "accept_dad", 0), (6, "router_solicitations", 0),
                                          (4, "rp_filter", 0), (4, "send_redirects", 0))}})
        n = node.number
        nics = ["nic-a", "nic-b"] if self.spec.underlay == "bond0" else \
            ["prd-port" if node.underlay_device == "br-prd" else "eth0"]
        uplinks = list(zip(nics, node.ports))
        lines = ["link set lo up"]
        for device, port in uplinks:
            lines.append(f"link add {device} type veth peer name {port} netns switch")
        if node.underlay_device == "br-prd":
            lines += ["link add br-prd type bridge mcast_snooping 0",
                      f"link set br-prd address 0a:58:0a:2d:00:{n + 10:02x}",
                      "link set prd-port master br-prd up"]
        elif self.spec.underlay == "bond0":
            lines += ["link add bond0 type bond mode active-backup miimon 100",
                      "link set nic-a master bond0", "link set nic-b master bond0"]
        elif self.spec.underlay == "vlan":
            lines += ["link set eth0 up", f"link add link eth0 name prd.7 type vlan id {VLAN}"]
        wire = node.underlay_device
        lines += [f"link set {wire} up", f"addr add {node.underlay[4]}/24 dev {wire}",
                  f"addr add {node.underlay[6]}/64 dev {wire} nodad"]
        if self.spec.layout == "B":
            lines += ["link add obr_backendnet type bridge mcast_snooping 0",
                      f"link set obr_backendnet address 0a:58:0a:65:{n:02x}:01",
                      "link set obr_backendnet up"]
        lines += [f"addr add {node.gateway[4]}/24 dev {node.pod_bridge}",
                  f"addr add {node.gateway[6]}/64 dev {node.pod_bridge} nodad"]
        lines += self.backend_routes(node)
        node.namespace.ip(*lines)
        offload.all_off(node.namespace, *(device for device, _ in uplinks))
        self._uplinks += uplinks
        for _, port in uplinks:
            self._switch_ports += [f"link set {port} master sw0 up"]

    def backend_routes(self, node: Node, verb: str = "add") -> list[str]:
        """The plain routes that OpenSVC installs with tunnel=never, as lines for `ip -batch`."""
        count = range(1, self.spec.nodes + 1)
        return [f"route {verb} {prefix} via {gateway} dev {node.underlay_device}"
                for m in count if m != node.number
                for prefix, gateway in ((f"10.101.{m}.0/24", f"10.45.0.1{m}"),
                                        (f"fd00:101:{m}::/64", f"fd00:45::1{m}"))]

    def _build_pod(self, node: Node) -> None:
        n = node.number
        node.pod = Pod(f"pod{n}", f"10.101.{n}.10", f"fd00:101:{n}::10")
        pod = node.pod.namespace
        pod.sysctl({f"net/ipv6/conf/{which}/{key}": 0 for which in ("all", "default")
                    for key in ("accept_dad", "router_solicitations", "accept_redirects")} |
                   {f"net/ipv4/conf/{which}/accept_redirects": 0 for which in ("all", "default")})
        if self.spec.pods == "cni":
            self._build_cni_pod(node)
            return
        node.namespace.ip(f"link add pod-port type veth peer name eth0 netns pod{n}",
                          f"link set pod-port master {node.pod_bridge} up")
        pod.ip("link set lo up", "link set eth0 up",
               f"addr add {node.pod.v4}/24 dev eth0", f"addr add {node.pod.v6}/64 dev eth0 nodad",
               f"route add default via {node.gateway[4]}", f"route add default via {node.gateway[6]}")
        offload.all_off(node.namespace, "pod-port")
        offload.all_off(pod, "eth0")

    def _build_cni_pod(self, node: Node) -> None:
        """Two networks on one bridge, as OpenSVC configures them: a network has one family."""
        pod = node.pod
        for family, device, everything in ((4, "eth0", "0.0.0.0/0"), (6, "eth1", "::/0")):
            network = {
                "cniVersion": "0.3.0", "name": "backendnet" if family == 4 else "backendnet6",
                "type": "bridge", "bridge": node.pod_bridge, "isGateway": True,
                "ipam": {"type": "host-local", "subnet": node.backend[family],
                         "routes": [{"dst": everything}], "dataDir": f"{node.folder}/cni"}}
            with node.namespace:
                done = subprocess.run(
                    ["/usr/lib/cni/bridge"], input=json.dumps(network), text=True,
                    capture_output=True, timeout=60,
                    env={"CNI_COMMAND": "ADD", "CNI_CONTAINERID": f"lab-{node.name}",
                         "CNI_NETNS": pod.namespace.path, "CNI_IFNAME": device,
                         "CNI_PATH": "/usr/lib/cni", "PATH": os.environ["PATH"]})
            if done.returncode:
                raise RuntimeError(f"{node.name}: CNI bridge: {done.stdout or done.stderr}")
            result = json.loads(done.stdout)
            address = result["ips"][0]["address"].split("/")[0]
            if family == 4:
                pod.v4 = address
            else:
                pod.v6 = address
            host_side = next(link["name"] for link in result["interfaces"]
                             if link["name"].startswith("veth"))
            offload.all_off(node.namespace, host_side)
            offload.all_off(pod.namespace, device)
        # The plugin gives the bridge an address of its own choice of flags; wait until it is usable.
        until(f"{node.name}: the pod's addresses are there",
              lambda: "tentative" not in pod.namespace.run("ip", "-6", "addr").stdout)

    # -- IPsec -----------------------------------------------------------------------------------

    def secure(self) -> None:
        """Loads all connections and waits until every child SA is there.

        Initiators last: a peer that has not loaded its side yet answers NO_PROPOSAL_CHOSEN, and a
        start action is never tried again.
        """
        self.reload()

    def wait_secured(self, *pair: int) -> None:
        """Waits until all nodes, or those of a pair of numbers, have an SA per peer and family."""
        for node in self.nodes:
            if pair and node.number not in pair:
                continue
            wanted = {f"{peer.name}-v{family}" for peer in node.peers for family in (4, 6)
                      if not pair or peer.number in pair}

            def complete() -> bool:
                missing = wanted - node.charon.installed().keys()
                assert not missing, f"no SA for {', '.join(sorted(missing))}"
                return True
            until(f"{node.name}: SAs", complete, every=0.1)

    @phase("mesh")
    def unload(self, *pair: int) -> None:
        """Takes policies and SAs between two nodes (or all) away on both sides."""
        nodes = [self.node(number) for number in pair] or self.nodes
        for node in nodes:
            node.charon.unload(*(peer.name for peer in node.peers if peer in nodes))
        # A deletion sent by one side may reach the other later than our own unload did.
        for node in nodes:
            names = {f"{peer.name}-v{family}" for peer in nodes for family in (4, 6)}
            until(f"{node.name}: SAs gone", lambda: not names & node.charon.installed().keys())

    @phase("mesh")
    def reload(self, *pair: int) -> None:
        """Undoes unload(): loads both sides and waits for the SAs."""
        nodes = [self.node(number) for number in pair] or self.nodes
        for node in sorted(nodes, key=lambda node: -node.number):
            node.load(*(peer.name for peer in node.peers if peer in nodes))
        if self.spec.start == "trap":
            for node in nodes:
                for peer in nodes:
                    if peer.number > node.number:
                        for family in (4, 6):
                            node.charon.initiate(f"{peer.name}-v{family}")
        self.wait_secured(*pair)

    # -- what a scenario changes -----------------------------------------------------------------

    def tunnel(self, kind: str, one: int, two: int) -> None:
        """Carries the backend routes of a pair in tunnels, as OpenSVC does with tunnel=always.

        ipip: IPv4 in ipip, IPv6 in ip6ip6. gre: both in GRE over IPv4. sit: IPv4 in ipip, IPv6 in
        sit over IPv4. vxlan: both in VXLAN over IPv4.
        """
        for node, peer in ((self.node(one), self.node(two)), (self.node(two), self.node(one))):
            over = {family: f"local {node.underlay[family]} remote {peer.underlay[family]}"
                    for family in (4, 6)}
            v4, v6 = f"tun{peer.number}", f"otun{peer.number}"
            via = {4: "", 6: ""}
            if kind == "vxlan":
                v6 = v4
                via = {4: f"via 172.30.0.{peer.number}", 6: f"via fd00:172::{peer.number}"}
                lines = [f"link add {v4} type vxlan id 7 dstport 4789 {over[4]}",
                         f"addr add 172.30.0.{node.number}/24 dev {v4}",
                         f"addr add fd00:172::{node.number}/64 dev {v4} nodad"]
            else:
                lines = [f"link add {v4} type {'gre' if kind == 'gre' else 'ipip'} {over[4]}"]
            if kind == "ipip":
                lines.append(f"link add {v6} type ip6tnl mode ip6ip6 {over[6]}")
            elif kind == "sit":
                lines.append(f"link add {v6} type sit {over[4]}")
            else:
                v6 = v4
            lines += [f"link set {device} up" for device in dict.fromkeys((v4, v6))]
            lines += [f"route replace {peer.backend[4]} {via[4]} dev {v4}",
                      f"route replace {peer.backend[6]} {via[6]} dev {v6}"]
            node.namespace.ip(*lines)

    def untunnel(self, one: int, two: int) -> None:
        """Undoes tunnel()."""
        for node, peer in ((self.node(one), self.node(two)), (self.node(two), self.node(one))):
            links = node.namespace.run("ip", "-br", "link").stdout
            node.namespace.ip(*(f"link del {device}" for device in
                                (f"tun{peer.number}", f"otun{peer.number}")
                                if f"{device}@" in links or f"{device} " in links))
            node.namespace.ip(*self.backend_routes(node, "replace"))

    def unplug(self, node: Node) -> None:
        """Deletes the port of br-prd, as when a NIC goes away; the switch's end goes with it."""
        node.namespace.ip("link del prd-port")

    def plug(self, node: Node) -> None:
        """Creates the port of br-prd anew: same name, another interface index."""
        port = f"port{node.number}"
        node.namespace.ip(f"link add prd-port type veth peer name {port} netns switch")
        self.switch.ip(f"link set {port} master sw0 up")
        offload.all_off(self.switch, port)
        offload.all_off(node.namespace, "prd-port")
        node.namespace.ip("link set prd-port master br-prd up")
