// SPDX-License-Identifier: Apache-2.0
#include "render/files.h"

#include <fmt/format.h>

namespace espial {
namespace {

// AEAD and elliptic curves that strongSwan 5.9 and every kernel with ESP have; no weaker fallback.
constexpr std::string_view kIkeProposals =
    "aes256gcm16-prfsha384-curve25519, aes256gcm16-prfsha384-ecp384";
constexpr std::string_view kEspProposals = "aes256gcm16-curve25519, aes256gcm16-ecp384";

std::string addresses(const MeshNode& node, Family family) {
  std::string out;
  for (const auto& address : node.underlays)
    if (address.family() == family) out.append(out.empty() ? "" : ", ").append(address.text());
  return out;
}

std::string child(const std::string& name, const Prefix& own, const Prefix& peer) {
  return fmt::format(
      "      {} {{\n"
      "        local_ts = {}\n"
      "        remote_ts = {}\n"
      "        mode = tunnel\n"
      "        esp_proposals = {}\n"
      "        # Policies from the start and after every end: what has no SA waits, nothing is "
      "clear.\n"
      "        start_action = trap\n"
      "        close_action = trap\n"
      "        dpd_action = trap\n"
      "        # By time, and long before the 32 bits of the sequence numbers run out.\n"
      "        rekey_time = 1h\n"
      "        life_time = 70m\n"
      "        rand_time = 10m\n"
      "        rekey_packets = 2000000000\n"
      "        life_packets = 4000000000\n"
      "        rand_packets = 200000000\n"
      "        # Several queues and cores put packets out of order.\n"
      "        replay_window = 128\n"
      "      }}\n",
      name, own.text(), peer.text(), kEspProposals);
}

std::string children(const MeshNode& self, const MeshNode& peer) {
  std::string out;
  for (const auto family : {Family::kIpv4, Family::kIpv6}) {
    int count = 0;
    for (const auto& own : self.backends)
      for (const auto& remote : peer.backends) {
        if (own.family() != family || remote.family() != family) continue;
        auto name = peer.section + (family == Family::kIpv4 ? "-v4" : "-v6");
        if (++count > 1) name += "-" + std::to_string(count);
        out += child(name, own, remote);
      }
  }
  return out;
}

std::string ends(const MeshNode& self, const MeshNode& peer, MeshAuth auth) {
  switch (auth) {
    case MeshAuth::kPsk:
      return fmt::format(
          "    local {{\n      auth = psk\n      id = {}\n    }}\n"
          "    remote {{\n      auth = psk\n      id = {}\n    }}\n",
          self.name, peer.name);
    case MeshAuth::kCertificate:
      // The certificate's subjectAltName is the name of the node.
      return fmt::format(
          "    local {{\n      auth = pubkey\n      certs = {}.pem\n      id = {}\n    }}\n"
          "    remote {{\n      auth = pubkey\n      cacerts = mesh-ca.pem\n      id = {}\n    "
          "}}\n",
          self.name, self.name, peer.name);
  }
  return {};
}

std::string connection(const MeshNode& self, const MeshNode& peer, MeshAuth auth) {
  const auto family = outer_family(self, peer).value_or(Family::kIpv4);
  return fmt::format(
      "  {} {{\n"
      "    version = 2\n"
      "    local_addrs = {}\n"
      "    remote_addrs = {}\n"
      "    proposals = {}\n"
      "    # The addresses of nodes do not move.\n"
      "    mobike = no\n"
      "    # A peer that lost its SAs (a reboot) is noticed; the traps then make new ones.\n"
      "    dpd_delay = 10s\n"
      "    rekey_time = 4h\n"
      "    over_time = 30m\n"
      "    rand_time = 30m\n"
      "{}"
      "    children {{\n{}    }}\n"
      "  }}\n",
      peer.section, addresses(self, family), addresses(peer, family), kIkeProposals,
      ends(self, peer, auth), children(self, peer));
}

std::string secret(const MeshNode& self, const MeshNode& peer) {
  const auto& one = self.name < peer.name ? self : peer;
  const auto& two = self.name < peer.name ? peer : self;
  return fmt::format("  ike-{}-{} {{\n    id-1 = {}\n    id-2 = {}\n    secret = {}\n  }}\n",
                     one.section, two.section, one.name, two.name, psk_placeholder(one, two));
}

}  // namespace

std::string psk_placeholder(const MeshNode& one, const MeshNode& two) {
  return "# @PSK:" + one.name + "+" + two.name + "@";
}

std::string render_swanctl(const MeshNodes& mesh, const MeshNode& self, MeshAuth auth) {
  std::string connections;
  std::string secrets;
  for (const auto& peer : mesh.nodes) {
    if (peer.name == self.name) continue;
    connections += connection(self, peer, auth);
    secrets += secret(self, peer);
  }
  std::string out = "# swanctl.conf of " + self.name + "\n\nconnections {\n" + connections + "}\n";
  if (auth == MeshAuth::kPsk)
    out +=
        "\n# One secret per pair. psk.sh puts them in; a placeholder is no secret, and is "
        "refused.\n"
        "secrets {\n" +
        secrets + "}\n";
  return out;
}

}  // namespace espial
