// SPDX-License-Identifier: Apache-2.0
// What policies, SAs and routes would do to the traffic between this node and its peers, before a
// packet flows: the values that the audit makes (diagnose/audit/mesh_audit.h), plain and by peer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "model/words.h"

namespace espial {

// What would happen to a packet of the pair. From worst to best; of several the worst counts.
enum class PairVerdict : std::uint8_t {
  kExposed,        // it would pass in clear
  kMisconfigured,  // it would be protected wrongly, or lost
  kUnknown,        // the kernel cannot be asked, or its answer is not understood
  kFailClosed,     // a policy asks for IPsec, and there is no SA: nothing passes
  kUserSpace,      // user-space IPsec (kernel-libipsec): the kernel has no policies to look at
  kProtected,
};
inline constexpr std::size_t kPairVerdicts = 6;
std::string_view to_string(PairVerdict verdict);  // "exposed", "fail_closed", ...

// What is wrong, as a word that scripts compare; X(NAME, label, what it makes of the pair).
#define EP_PAIR_PROBLEM_LIST(X)                                       \
  X(NO_POLICY, "no_policy", kExposed)                                 \
  X(BYPASS_POLICY, "bypass_policy", kExposed)                         \
  X(LEVEL_USE, "level_use", kExposed)                                 \
  X(NOT_ESP, "not_esp", kExposed)                                     \
  X(NULL_ENCRYPTION, "null_encryption", kExposed)                     \
  X(NAT_BEFORE_IPSEC, "nat_before_ipsec", kExposed)                   \
  X(REDIRECTS, "send_redirects", kMisconfigured)                      \
  X(BLOCK_POLICY, "block_policy", kMisconfigured)                     \
  X(WRONG_ENDPOINT, "wrong_endpoint", kMisconfigured)                 \
  X(TRANSPORT_MODE, "transport_mode", kMisconfigured)                 \
  X(MARKED_ONLY, "marked_only", kMisconfigured)                       \
  X(NO_ROUTE, "no_route", kMisconfigured)                             \
  X(ROUTE_REJECTS, "route_rejects", kMisconfigured)                   \
  X(RECEIVE_POLICY_MISSING, "receive_policy_missing", kMisconfigured) \
  X(SA_EXPIRING, "sa_expiring", kProtected)                           \
  X(SEQUENCE, "sequence_nearly_exhausted", kProtected)                \
  X(NO_SA, "no_sa", kFailClosed)                                      \
  X(TUNNEL_SETTING, "tunnel_setting", kMisconfigured)                 \
  X(TUNNEL_ENCRYPTED, "tunnel_encrypted", kProtected)                 \
  X(PACKET_OFFLOAD, "packet_offload", kProtected)                     \
  X(TOO_MANY_POLICIES, "too_many_policies", kUnknown)                 \
  X(NAT_UNKNOWN, "nat_unknown", kUnknown)                             \
  X(ROUTE_UNKNOWN, "route_unknown", kUnknown)                         \
  X(XFRM_UNREADABLE, "xfrm_unreadable", kUnknown)                     \
  X(USER_SPACE, "user_space_ipsec", kUserSpace)

#define EP_X_(name, label, verdict) name,
enum class PairProblem : std::uint8_t { EP_PAIR_PROBLEM_LIST(EP_X_) };
#undef EP_X_
std::string_view to_string(PairProblem problem);
PairVerdict verdict_of(PairProblem problem);

struct PairFinding {
  PairProblem problem = PairProblem::NO_POLICY;
  std::optional<Direction> direction;  // nothing: of both
  std::string evidence;                // one line, in numbers and names
  std::string remedy;                  // a command, or lines of swanctl.conf; may be empty
  bool operator==(const PairFinding&) const = default;
};

// One own subnet and one subnet of a peer, of the same family.
struct PairAudit {
  Prefix own;
  Prefix theirs;
  std::string network;  // of the peer's subnet
  PairVerdict verdict = PairVerdict::kUnknown;
  bool policy_missing[kDirections] = {false, false};  // by Direction: some packet finds no policy
  bool offloaded = false;                             // an SA of it is in packet offload
  std::vector<PairFinding> findings;                  // worst first
};

// The SAs with one peer, whatever they are for.
struct PeerSas {
  std::uint32_t installed_in = 0;
  std::uint32_t installed_out = 0;
  std::uint32_t larval = 0;  // asked for, not there
  std::uint32_t null_encryption = 0;
  std::uint32_t offloaded = 0;           // packet offload
  std::optional<std::uint64_t> expires;  // Unix seconds: when the last of those that send ends
  double sequence_used = 0;              // share of the numbers of the SA that used most; 0 to 1
  std::string sequence_evidence;
};

struct PeerAudit {
  std::string peer;
  PairVerdict verdict = PairVerdict::kUnknown;  // the worst of its pairs; unknown without pairs
  std::vector<PairAudit> pairs;
  PeerSas sas;
  // Traffic of this node itself to the peer's subnets would leave in clear: from which address.
  std::vector<std::string> host_exposed;
};

struct MeshAudit {
  bool readable = false;                     // policies and SAs
  std::string reason;                        // why not
  std::vector<PairFinding> findings;         // of the node, not of one pair
  std::optional<std::string> nat_unchecked;  // why NAT was not looked for; nothing: it was
  std::vector<PeerAudit> peers;              // sorted by name, candidates left out
  [[nodiscard]] const PeerAudit* find(std::string_view peer) const;
};

}  // namespace espial
