// SPDX-License-Identifier: Apache-2.0
#include "model/devices/device_kinds.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/contains.h"

namespace espial {
namespace {

// include/uapi/linux/if_arp.h
constexpr unsigned short kArphrdPpp = 512;
constexpr unsigned short kArphrdTunnel = 768;
constexpr unsigned short kArphrdTunnel6 = 769;
constexpr unsigned short kArphrdLoopback = 772;
constexpr unsigned short kArphrdSit = 776;
constexpr unsigned short kArphrdIpgre = 778;
constexpr unsigned short kArphrdNone = 65534;

constexpr std::array kSupported{kArphrdEther, kArphrdPpp,   kArphrdTunnel, kArphrdTunnel6,
                                kArphrdSit,   kArphrdIpgre, kArphrdNone};

constexpr std::array<std::string_view, 23> kTunnelKinds{
    "ipip",  "sit",    "gre",     "gretap",    "ip6tnl", "ip6gre",    "ip6gretap", "erspan",
    "vxlan", "geneve", "bareudp", "wireguard", "macsec", "xfrm",      "vti",       "vti6",
    "dummy", "ifb",    "nlmon",   "vrf",       "lowpan", "ip6erspan", "gtp"};

constexpr std::array<std::string_view, 4> kSharingKinds{"macvlan", "macvtap", "ipvlan", "ipvtap"};

}  // namespace

bool is_loopback(const LinkFact& link) { return link.arphrd == kArphrdLoopback; }
bool is_ppp(const LinkFact& link) { return link.arphrd == kArphrdPpp; }
bool is_bridge(const LinkFact& link) { return link.kind == "bridge" || link.kind == "openvswitch"; }

bool is_tunnel(const LinkFact& link) {
  // ipsecN is the TUN of charon's user-space IPsec.
  return contains(kTunnelKinds, link.kind) ||
         (link.kind == "tun" && link.name.rfind("ipsec", 0) == 0);
}

bool decrypts(const LinkFact& link) {
  return link.kind == "xfrm" || link.kind == "vti" || link.kind == "vti6";
}

bool shares_lower(const LinkFact& link) {
  return contains(kSharingKinds, link.kind) && link.lower != 0 && !link.lower_elsewhere;
}

bool supported_type(const LinkFact& link) { return contains(kSupported, link.arphrd); }
bool has_ethernet_header(const LinkFact& link) { return link.arphrd == kArphrdEther; }

}  // namespace espial
