// SPDX-License-Identifier: Apache-2.0
#include "bench/mesh.h"

#include <fmt/format.h>

namespace espial::bench {
namespace {

std::string dotted(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255,
                     address & 255);
}

std::string underlay(Family family, std::uint32_t peer) {
  return family == Family::kIpv4 ? dotted(kUnderlayBase + peer)
                                 : fmt::format("fd00:45::{:x}:{:x}", peer >> 16, peer & 0xffff);
}

template <typename Spec>
void compare_spis(Spec& spec) {
  if constexpr (requires { spec.spi_proof; }) spec.spi_proof = true;
}

}  // namespace

std::string backend_prefix(Family family, std::uint32_t peer) {
  return family == Family::kIpv4 ? dotted(kBackendBase + peer * 256) + "/24"
                                 : fmt::format("fd00:101:{:x}::/64", peer);
}

std::string backend_host(Family family, std::uint32_t peer) {
  return family == Family::kIpv4 ? dotted(kBackendBase + peer * 256 + 10)
                                 : fmt::format("fd00:101:{:x}::10", peer);
}

TableSpec mesh(std::uint32_t peers) {
  TableSpec spec;
  const auto add = [&](const std::string& prefix, ep_role role, std::uint32_t peer) {
    spec.entries.push_back({Prefix::parse(prefix).value(), role, peer, peer, true});
  };
  add(kSelf4, EP_ROLE_SELF_UNDERLAY, 0);
  add(kSelf6, EP_ROLE_SELF_UNDERLAY, 0);
  add("100.63.1.0/24", EP_ROLE_SELF_BACKEND, 0);
  add("fd00:100::/64", EP_ROLE_SELF_BACKEND, 0);
  add("100.64.0.0/10", EP_ROLE_NETWORK, 0);
  add("fd00:101::/32", EP_ROLE_NETWORK, 0);
  for (std::uint32_t peer = 1; peer <= peers; ++peer) {
    add(underlay(Family::kIpv4, peer), EP_ROLE_PEER_UNDERLAY, peer);
    add(backend_prefix(Family::kIpv4, peer), EP_ROLE_PEER_BACKEND, peer);
    add(underlay(Family::kIpv6, peer), EP_ROLE_PEER_UNDERLAY, peer);
    add(backend_prefix(Family::kIpv6, peer), EP_ROLE_PEER_BACKEND, peer);
  }
  compare_spis(spec);
  return spec;
}

std::vector<std::pair<IpAddress, std::uint32_t>> mesh_sas(std::uint32_t peers) {
  constexpr std::uint32_t kSpi = 0xc0ffee;
  std::vector<std::pair<IpAddress, std::uint32_t>> sas{{IpAddress::parse(kSelf4).value(), kSpi},
                                                       {IpAddress::parse(kSelf6).value(), kSpi}};
  for (std::uint32_t peer = 1; peer <= peers; ++peer)
    for (const Family family : {Family::kIpv4, Family::kIpv6})
      sas.emplace_back(IpAddress::parse(underlay(family, peer)).value(), kSpi);
  return sas;
}

}  // namespace espial::bench
