// SPDX-License-Identifier: Apache-2.0
// CharonFacts: charon's connections, SAs and policies as plain values, and what they explain about
// a pair of subnets. Always optional: everything else is judged without it, too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "model/facts/facts.h"
#include "model/facts/ike_trouble.h"

namespace espial {

// A traffic selector.
struct CharonSelector {
  std::string text;              // as charon spells it: "10.101.1.0/24", "10.101.1.0/24[tcp/80]"
  std::optional<Prefix> prefix;  // nothing: an address range, or "dynamic"
  bool partial = false;          // only some protocol or port
  bool operator==(const CharonSelector&) const = default;
};
CharonSelector parse_selector(std::string text);

struct CharonChild {
  std::string name;
  std::string mode;  // "TUNNEL", "TRANSPORT", "PASS", "DROP"...
  std::vector<CharonSelector> local;
  std::vector<CharonSelector> remote;
  bool operator==(const CharonChild&) const = default;
};

// A connection that is loaded (list-conns). Its start actions are not told; installed traps are.
struct CharonConnection {
  std::string name;
  std::vector<std::string> local_addresses;  // addresses, names, prefixes, "%any"
  std::vector<std::string> remote_addresses;
  std::vector<CharonChild> children;
  bool operator==(const CharonConnection&) const = default;
};

// A CHILD_SA (list-sas). Times are seconds from the moment of the look.
struct CharonChildSa {
  std::string name;
  std::string state;  // "INSTALLED", "REKEYED", "DELETING"...
  std::string mode;
  std::uint32_t spi_in = 0;
  std::uint32_t spi_out = 0;
  std::uint32_t reqid = 0;
  std::string encryption;  // "AES_GCM_16-256"; empty: none
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::optional<std::int64_t> rekey_seconds;  // negative: overdue
  std::optional<std::int64_t> life_seconds;
  std::vector<CharonSelector> local;
  std::vector<CharonSelector> remote;
  bool operator==(const CharonChildSa&) const = default;
};

struct CharonIkeSa {
  std::string name;   // of its connection
  std::string state;  // "ESTABLISHED", "CONNECTING"...
  std::string remote_host;
  std::string remote_id;
  std::optional<std::int64_t> established_seconds;  // ago
  std::optional<std::int64_t> rekey_seconds;
  std::vector<CharonChildSa> children;
  bool operator==(const CharonIkeSa&) const = default;
};

// A trap, bypass or drop policy that charon installed (list-policies).
struct CharonPolicy {
  std::string connection;  // empty where charon does not tell
  CharonChild child;
  bool operator==(const CharonPolicy&) const = default;
};

struct CharonFacts {
  bool readable = false;
  std::string reason;  // why not; one line
  std::string version;
  std::vector<CharonConnection> connections;
  std::vector<CharonIkeSa> ike_sas;
  std::vector<CharonPolicy> policies;
  std::vector<IkeTrouble> troubles;  // of its log since somebody listens
  bool operator==(const CharonFacts&) const = default;
};

// Has charon SAs, of which the kernel knows none? Then it encrypts itself (kernel-libipsec).
bool ipsec_in_user_space(const CharonFacts& charon, const std::vector<XfrmStateFact>& states);

// Why charon does not protect what goes between the subnets of this node and a peer, one line in
// charon's own names. Nothing: it says that an SA for the pair is installed, or it was not
// readable. peer_underlays: any of them may be the connection's remote address.
std::optional<std::string> explain_pair(const CharonFacts& facts, const Prefix& own,
                                        const Prefix& peer,
                                        const std::vector<IpAddress>& peer_underlays);

}  // namespace espial
