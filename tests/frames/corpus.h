// SPDX-License-Identifier: Apache-2.0
// The corpus: named frames over one fixed topology, each with the verdict it must get.
// The same table runs through the oracle, the host-compiled parser and the kernel.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "frames/frame.h"
#include "frames/oracle.h"
#include "model/words.h"

namespace espial::frames {

// VIDs and SPIs that the fixed world knows.
inline constexpr std::uint16_t kOurVid = 100;
inline constexpr std::uint16_t kClaimedVid = 200;
inline constexpr std::uint32_t kNullSpi = 0xbad0;

// Self 10.45.0.11 with 10.101.1.0/24, node2 (peer 1) .12 with 10.101.2.0/24 (subnet 1), node3
// (peer 2) .13 with 10.101.3.0/24 (subnet 3), network 10.101.0.0/16; the same in fd00:45::/64 and
// fd00:101::/32 (subnets 2 and 4). node2 and what has no peer are under enforce, node3 under audit;
// transit under audit at most and AH under monitor; unknown nodes under enforce in IPv4 and audit
// in IPv6. Exempt are
// 10.101.2.200, TCP 22 of 10.101.2.0/24, UDP 53 of fd00:101:2::/64, ICMPv6 of fd00:101:9::/64 and
// port 179 of node3.
const World& corpus_world();

// The addresses of one family in that world.
struct Side {
  const char* tag;  // "v4", "v6": how names of cases start
  bool v6;
  const char *self, *self_pod, *self_pod2;
  const char *node2, *pod2, *pod2b;
  const char *node3, *pod3;
  const char* stranger;  // in a backend network, of no known node
  const char* outside;   // of nobody
  const char* group;     // multicast
  std::uint32_t subnet2, subnet3;
};
extern const Side kSide4;
extern const Side kSide6;
// An IP header of the side's family.
Frame ip(const Side& side, const char* src, const char* dst);
// One whose protocol says what follows although only raw bytes do; the same of fragments.
Frame announcing(const Side& side, const char* src, const char* dst, std::uint8_t protocol);
Frame first_fragment(const Side& side, const char* src, const char* dst, std::uint8_t protocol);
Frame later_fragment(const Side& side, const char* src, const char* dst, std::uint8_t protocol);
// Cleartext from a pod of node2 to one of ours, without a link header.
Frame clear_frame(const Side& side);
// `layer`, so many times.
Frame times(int count, const Frame& layer);

struct FrameCase {
  std::string name;
  Frame frame;
  OracleVerdict expected;
  Direction direction = Direction::RECEIVE;
  std::optional<std::uint16_t> metadata_tci{};
};

// Builds the table; every helper takes the verdict's parts in the order of a sentence.
class CorpusBuilder {
 public:
  void receive(std::string name, Frame frame, OracleVerdict expected);
  void transmit(std::string name, Frame frame, OracleVerdict expected);
  void tagged(std::string name, std::uint16_t tci, Frame frame, OracleVerdict expected);
  std::vector<FrameCase> cases;
};
// Octets to loop over in a table.
using Numbers = std::initializer_list<std::uint8_t>;

// Verdicts, short: family as the side's, no peer unless given.
OracleVerdict v4(Class klass, std::uint32_t peer = 0, Outcome outcome = Outcome::OK,
                 std::uint32_t subnet = 0);
OracleVerdict v6(Class klass, std::uint32_t peer = 0, Outcome outcome = Outcome::OK,
                 std::uint32_t subnet = 0);
OracleVerdict on(const Side& side, Class klass, std::uint32_t peer = 0,
                 Outcome outcome = Outcome::OK, std::uint32_t subnet = 0);

void add_link_cases(CorpusBuilder& c);      // corpus_link.cpp: ARP, MPLS, raw
void add_tag_cases(CorpusBuilder& c);       // corpus_tags.cpp: VLAN
void add_header_cases(CorpusBuilder& c);    // corpus_headers.cpp: IPv4, IPv6, extension headers
void add_ends_cases(CorpusBuilder& c);      // corpus_ends.cpp: who talks to whom
void add_control_cases(CorpusBuilder& c);   // corpus_control.cpp: ICMPv6, IGMP, broadcasts
void add_resent_cases(CorpusBuilder& c);    // corpus_resent.cpp: what goes the wrong way
void add_ipsec_cases(CorpusBuilder& c);     // corpus_ipsec.cpp: ESP, AH, IKE, UDP 4500
void add_tunnel_cases(CorpusBuilder& c);    // corpus_tunnels.cpp: between two nodes
void add_stranger_cases(CorpusBuilder& c);  // corpus_strangers.cpp: tunnels between no pair
void add_broken_cases(CorpusBuilder& c);    // corpus_broken.cpp: tunnels that cannot be read
void add_fragment_cases(CorpusBuilder& c);  // corpus_fragments.cpp: tunnels in fragments
void add_fate_cases(CorpusBuilder& c);      // corpus_fates.cpp: exemptions, path MTU

// The whole table, built once.
const std::vector<FrameCase>& corpus();

}  // namespace espial::frames
