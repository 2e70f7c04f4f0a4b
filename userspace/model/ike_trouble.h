// SPDX-License-Identifier: Apache-2.0
// Why charon could make no SA, in what it logs while it tries: the peer's notify (RFC 7296, section
// 3.10.1), or its own refusal of a peer. Plain values, and the pure functions that make them.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// One line of charon's log. Strings are as long as the peer of this process likes.
struct CharonLine {
  std::string connection;  // "(unnamed)" and empty: none
  std::string ike_sa;      // charon's number of the IKE_SA; empty: of none
  std::string text;
};

// What the line says went wrong (strongSwan 5.9's words). Nothing: that all is well, or something
// else.
std::optional<IkeTroubleKind> trouble_in(std::string_view line);

// The last trouble of each connection and each host, from the lines as they come. Bounded.
class IkeTroubles {
 public:
  static constexpr std::size_t kMost = 1024;

  void take(const CharonLine& line, std::chrono::system_clock::time_point now);
  // Of a connection that has what it wants.
  void forget(std::string_view connection);
  [[nodiscard]] std::vector<IkeTrouble> all() const;
  [[nodiscard]] bool empty() const { return troubles_.empty(); }

 private:
  std::string remember_host(const CharonLine& line);

  std::map<std::string, IkeTrouble> troubles_;             // by connection, or "@" and the host
  std::deque<std::pair<std::string, std::string>> began_;  // IKE_SA, host that began it
};

}  // namespace espial
