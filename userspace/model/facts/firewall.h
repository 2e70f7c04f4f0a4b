// SPDX-License-Identifier: Apache-2.0
// Ruleset: every packet filter of the node as plain values: nftables, and the tables of iptables
// and of legacy ebtables in the same terms. Filled by userspace/sources, walked by
// userspace/diagnose.
//
// A rule is a list of steps in the kernel's order (nf_tables_core.c, ip_tables.c, ebtables.c): a
// match that fails ends the rule, a verdict ends the chain. What is not understood stays as
// Unknown: whoever walks the rules must count with anything there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ip.h"

namespace espial {

// Numbers, IPv4 (32 bits) and IPv6 addresses, all comparable as the kernel compares registers.
__extension__ using Wide = unsigned __int128;
Wide wide(const IpAddress& address);

// What a rule looks at. kOther: something else, told by Key::text.
enum class Field : std::uint8_t {
  kOther,
  kIifname,
  kOifname,
  kIif,  // by index; listed by name while the device exists, as a number once it is gone
  kOif,
  kIiftype,
  kOiftype,
  kL4proto,
  kNfproto,
  kEtherType,
  kMark,
  kIpsecIn,   // came through IPsec: meta ipsec, -m policy --dir in
  kIpsecOut,  // will go through IPsec: rt ipsec, -m policy --dir out
  kIpSource,
  kIpDestination,
  kIpProtocol,
  kIp6Source,
  kIp6Destination,
  kSourcePort,  // of Key::protocol
  kDestinationPort,
  kTcpFlags,
  kIcmpType,
  kIcmpCode,
  kIcmp6Type,
  kIcmp6Code,
  kFragment,  // the offset, without flags
  kCtState,   // bits: 1 invalid, 2 established, 4 related, 8 new, 64 untracked
  kCtMark,
  kCtDirection,
  kCtDnat,  // 1: NAT gave it another destination (ct status dnat, --ctstate DNAT)
  kTtl,
  kHopLimit,
  kIbrname,  // of rules on bridges: the bridge of the port
  kObrname,
  kFibType,    // fib, -m addrtype: what an address is to this node, RTN_*
  kFibDevice,  // fib oif: the device that a route names; compared with 0 and 1: is there one?
};

// What fib is asked (nft_fib.c).
struct FibQuestion {
  bool destination = false;  // of the packet, else its source
  bool iif = false;          // only if it is the device that the packet came by
  bool oif = false;          // only if it is the one that it leaves by
  bool operator==(const FibQuestion&) const = default;
};

struct BitOperation {
  enum class Kind : std::uint8_t { kAnd, kOr, kXor, kLeft, kRight };
  Kind kind = Kind::kAnd;
  Wide operand = 0;
  bool operator==(const BitOperation&) const = default;
};

struct Key {
  Field field = Field::kOther;
  std::uint8_t protocol = 0;             // of ports: tcp, udp...; 0 = whatever the transport is
  std::vector<BitOperation> operations;  // applied in this order
  std::string text;                      // how the tool calls it
  FibQuestion fib{};
};

// What a key is compared with; both ends belong to an interval.
struct Interval {
  Wide first = 0;
  Wide last = 0;
};
struct Name {
  std::string text;
  bool prefix = false;  // "eth*", "eth+"
};
struct Anything {};
// Something that this espial does not understand, in the tool's words.
struct Unknown {
  std::string what;
};
using Pattern = std::variant<Interval, Name, Anything, Unknown>;

enum class RuleVerdict : std::uint8_t {
  kAccept,  // ends this base chain only
  kDrop,
  kReject,
  kQueue,
  kStolen,  // taken out of the path: fwd, synproxy
  kContinue,
  kReturn,
  kJump,
  kGoto,
};
struct VerdictStep {
  RuleVerdict verdict = RuleVerdict::kContinue;
  std::string chain;  // of jump and goto
};

// One element of a set or of a verdict map: a pattern per field of the key.
struct Element {
  std::vector<Pattern> patterns;
  std::optional<VerdictStep> verdict;
  std::string comment;
  std::optional<std::uint64_t> timeout_seconds;
};

struct Match {
  enum class Relation : std::uint8_t {
    kIs,
    kIsNot,
    kBelow,
    kAbove,
    kAtMost,
    kAtLeast,
    kAnyBit,
    kNoBit,
  };
  std::vector<Key> keys;  // several: a concatenation
  Relation relation = Relation::kIs;
  std::vector<Element> elements;
  std::string set;  // the set's name instead of elements
};

struct VerdictMap {
  std::vector<Key> keys;
  std::vector<Element> elements;
  std::string set;
};

struct Nat {
  enum class Kind : std::uint8_t { kSource, kMasquerade, kDestination, kRedirect, kNetmap };
  Kind kind = Kind::kSource;
  std::optional<IpAddress> address;  // nothing: several, from a map, or the device's own
  bool keeps_address = false;        // only the port changes
  std::string to;                    // how the tool says it
  bool operator==(const Nat&) const = default;
};

// Writes a field: mark, ct mark, a header. value nothing: not known beforehand.
struct Assign {
  Key target;
  std::optional<Wide> constant;
  std::optional<Key> copied;
};
struct NoTrack {};
// Goes on or not by what happened before: limit, quota, number of connections, dynamic sets.
struct Stateful {
  std::string what;
};
// Never changes the packet's fate: counter, log.
struct NoEffect {
  std::string what;
};
// A match that is not understood: it may hold or not, and does nothing else.
struct UnknownMatch {
  std::string what;
};
// Unknown as a step may match or not, end the chain any way, or rewrite the packet.
using RuleStep = std::variant<Match, VerdictMap, VerdictStep, Nat, Assign, NoTrack, Stateful,
                              NoEffect, UnknownMatch, Unknown>;

struct Rule {
  // nft's; of iptables and ebtables the number within its chain; 0: the policy of a user chain.
  std::uint64_t handle = 0;
  std::vector<RuleStep> steps;
  std::string text;  // as its own tool prints it
};

enum class TableFamily : std::uint8_t { kIp, kIp6, kInet, kBridge, kNetdev, kArp };
enum class PacketHook : std::uint8_t {
  kIngress,
  kPrerouting,
  kInput,
  kForward,
  kOutput,
  kPostrouting,
  kEgress,
};
enum class ChainType : std::uint8_t { kFilter, kNat, kRoute };

struct BaseChain {
  ChainType type = ChainType::kFilter;
  PacketHook hook = PacketHook::kForward;
  int priority = 0;
  bool policy_drop = false;
  std::vector<std::string> devices;  // of netdev, and of inet's ingress
};

struct Chain {
  std::string name;
  std::optional<BaseChain> base;  // nothing: only reached by jump and goto
  std::vector<Rule> rules;
  std::string unknown;  // not empty: why this chain may do anything, though no rule says so
};

struct Set {
  std::string name;
  std::vector<Element> elements;
  bool dynamic = false;  // rules add to it
};

enum class RuleTool : std::uint8_t { kNft, kIptablesNft, kIptablesLegacy, kEbtablesLegacy };

struct Table {
  TableFamily family = TableFamily::kInet;
  std::string name;
  RuleTool tool = RuleTool::kNft;
  bool dormant = false;        // its chains are not hooked
  bool flags_unclear = false;  // nft 1.0.6's JSON shows garbage for flags: dormant is not known
  std::vector<Chain> chains;
  std::vector<Set> sets;
  std::vector<std::string> objects;  // counters, quotas, limits, flowtables: "quota q"
};

struct Ruleset {
  std::vector<Table> tables;
  // What could not be read, one line each: verdicts hold but for that.
  std::vector<std::string> unread;
};

std::string_view to_string(TableFamily family);
std::string_view to_string(PacketHook hook);
std::string_view to_string(RuleTool tool);

}  // namespace espial
