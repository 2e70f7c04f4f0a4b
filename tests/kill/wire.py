# SPDX-License-Identifier: Apache-2.0
"""A node's only cable, a veth whose far end is another namespace; what crosses it is cleartext of an
enforced peer, and nft counts at both ends what was not dropped."""
import json
import socket
import struct
import subprocess
import threading
import time

from espial_lab.netns import Namespace

NODE, PEER = ("10.45.0.11", "10.101.0.1"), ("10.45.0.12", "10.101.1.1")     # underlay, pod
PORT = 7007


def _checksum(header: bytes) -> int:
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Wire:
    def __init__(self):
        self.far = Namespace("kill-far")
        run = subprocess.run
        run(["ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", self.far.path],
            check=True)
        run(["ip", "-batch", "-"], check=True, text=True, input=f"""
link set lo up
link set near up
address add {NODE[0]}/24 dev near
address add {NODE[1]}/32 dev lo
neighbour replace {PEER[0]} lladdr 02:00:00:00:00:02 dev near
route add 10.101.1.0/24 via {PEER[0]} dev near src {NODE[1]}
""")
        self.far.ip("link set far up")
        self.far.run("nft", "-f", "-", input=f"""table netdev witness {{ chain in {{
            type filter hook ingress device far priority 0;
            ip saddr {NODE[1]} counter
            }}
        }}
""")
        run(["nft", "-f", "-"], check=True, text=True, input=f"""table ip witness {{ chain in {{
            type filter hook prerouting priority -400;
            ip saddr {PEER[1]} counter
            }}
        }}
""")
        self.ifindex = socket.if_nametoindex("near")
        self.sent = 0
        self._flowing, self._ended = threading.Event(), False
        self._still = threading.Lock()      # held while a packet is under way
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._out.bind((NODE[1], PORT))
        with self.far:
            self._back = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self._back.bind(("far", 0x0800))
        self._frame = self._cleartext()
        threading.Thread(target=self._flow, daemon=True).start()

    @staticmethod
    def _cleartext() -> bytes:
        with open("/sys/class/net/near/address") as file:
            mac = bytes.fromhex(file.read().strip().replace(":", ""))
        addresses = socket.inet_aton(PEER[1]) + socket.inet_aton(NODE[1])
        head = struct.pack("!BBHHHBBH", 0x45, 0, 32, 0, 0, 64, 17, 0)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 32, 0, 0, 64, 17, _checksum(head + addresses))
        datagram = struct.pack("!HHHH", PORT, PORT, 12, 0) + b"kill"
        return mac + bytes.fromhex("020000000002") + b"\x08\x00" + head + addresses + datagram + b"\0" * 14

    def _flow(self) -> None:
        while not self._ended:
            self._flowing.wait()
            with self._still:
                self._out.sendto(b"kill", (PEER[1], PORT))
                self._back.send(self._frame)
                self.sent += 2
            time.sleep(0.001)

    def flow(self, on: bool) -> None:
        if on:
            self._flowing.set()
            return
        self._flowing.clear()
        with self._still:       # the last one is through
            pass

    def passed(self) -> int:
        """Packets that came out of the node, or into it, undropped."""
        def count(text: str) -> int:
            return sum(part["counter"]["packets"] for item in json.loads(text)["nftables"]
                       for part in item.get("rule", {}).get("expr", ()) if "counter" in part)
        near = subprocess.run(["nft", "-j", "list", "ruleset"], check=True, capture_output=True,
                              text=True).stdout
        return count(near) + count(self.far.run("nft", "-j", "list", "ruleset").stdout)

    def close(self) -> None:
        self._ended = True
        self._flowing.set()
        self.far.close()
