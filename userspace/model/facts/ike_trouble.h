// SPDX-License-Identifier: Apache-2.0
// Why charon could make no SA, in what it logs while it tries: the peer's notify (RFC 7296, section
// 3.10.1), or its own refusal of a peer. Plain values, and the pure functions that make them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace espial {

#define ESPIAL_IKE_TROUBLES(X)                \
  X(kAuthentication, "ike_authentication")    \
  X(kIkeProposals, "ike_proposals")           \
  X(kChildProposals, "child_proposals")       \
  X(kSelectors, "traffic_selectors")          \
  X(kCertificateTime, "ike_certificate_time") \
  X(kUnknownPeer, "ike_unknown_peer")

enum class IkeTroubleKind : std::uint8_t {
#define ESPIAL_X(name, text) name,
  ESPIAL_IKE_TROUBLES(ESPIAL_X)
#undef ESPIAL_X
};
std::string_view to_string(IkeTroubleKind kind);
std::optional<IkeTroubleKind> parse_ike_trouble(std::string_view text);

struct IkeTrouble {
  IkeTroubleKind kind = IkeTroubleKind::kAuthentication;
  std::string connection;   // empty: charon had not come so far
  std::string remote_host;  // who began; empty: this node did, or it is not known
  std::string line;         // charon's own
  std::chrono::system_clock::time_point at;
  bool operator==(const IkeTrouble&) const = default;
};

}  // namespace espial
