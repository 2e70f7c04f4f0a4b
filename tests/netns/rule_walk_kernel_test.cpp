// SPDX-License-Identifier: Apache-2.0
// The rule walk against the running kernel: rule sets by chance are loaded, probes sent through
// them, and what became of each must be what the walk says of the rules as they were read back.
// Unknown is no mistake, but must stay rare. nft's rule sets have chains on devices, too, and ask
// routes and addresses (fib).
//
// ESPIAL_RULE_SETS sets how many rule sets each test loads (default 100), ESPIAL_SEED where they
// begin. Needs root, nft and iptables.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "diagnose/lookup/fib.h"
#include "diagnose/rules/rule_walk.h"
#include "firewall/forwarding_world.h"
#include "firewall/random_rules.h"
#include "sources/firewall/firewall_source.h"
#include "sources/netlink/kernel_watch.h"

namespace espial {
namespace {

using test::Arrival;
using test::Dice;
using test::feed;
using test::ForwardingWorld;
using test::Probe;

constexpr unsigned kProbes = 60;

unsigned number_from(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

enum class Path { kThrough, kTo, kFrom, kBack };

struct Sent {
  Path path = Path::kThrough;
  Probe probe;
  Tracking tracking = Tracking::kNew;
};

IpAddress parsed(const std::string& text) { return IpAddress::parse(text).value(); }

Probe random_probe(Dice& dice, Path path) {
  Probe probe;
  const bool v6 = dice.one_in(2);
  probe.source = parsed(random_address(dice, v6, true));
  probe.destination = parsed(random_address(dice, v6, false));
  if (path == Path::kTo) probe.destination = parsed(v6 ? "fd09::1" : "10.9.0.1");
  if (path == Path::kFrom) probe.source = parsed(v6 ? "fd09:1::1" : "10.9.1.1");
  const auto icmp = static_cast<std::uint8_t>(v6 ? 58 : 1);
  constexpr std::uint8_t kKinds[] = {6, 6, 17, 17, 0};
  probe.protocol = kKinds[dice.roll(5)];
  if (probe.protocol == 0) probe.protocol = icmp;
  const auto port = [&] { return static_cast<std::uint16_t>(std::stoul(random_port(dice))); };
  probe.source_port = port();
  probe.destination_port = port();
  if (probe.protocol == 6) {
    // SYN, ACK (picked up as new), and the answer to nothing.
    constexpr std::uint8_t kFlags[] = {2, 2, 16, 18};
    probe.tcp_flags = kFlags[dice.roll(4)];
  }
  if (probe.protocol == icmp) {
    probe.echo_reply = path == Path::kThrough && dice.one_in(4);
    // An identifier of its own makes it a connection of its own.
    probe.source_port = static_cast<std::uint16_t>(1 + dice.roll(60000));
    probe.destination_port = 0;
  }
  return probe;
}

Tracking tracking_of(const Probe& probe) {
  const bool invalid = probe.echo_reply || (probe.protocol == 6 && probe.tcp_flags == 18);
  return invalid ? Tracking::kInvalid : Tracking::kNew;
}

Packet packet_of(const Sent& sent) {
  const Probe& probe = sent.probe;
  Packet packet;
  packet.family = probe.source.family();
  packet.source = probe.source;
  packet.destination = probe.destination;
  packet.protocol = probe.protocol;
  packet.source_port = probe.source_port;
  packet.destination_port = probe.destination_port;
  packet.tcp_flags = probe.tcp_flags;
  const bool v6 = packet.family == Family::kIpv6;
  packet.icmp_type = static_cast<std::uint8_t>(probe.echo_reply ? (v6 ? 129 : 0) : (v6 ? 128 : 8));
  packet.icmp_code = 0;
  packet.iif = sent.path == Path::kFrom ? "" : sent.path == Path::kBack ? "w1" : "w0";
  packet.oif = sent.path == Path::kTo ? "" : sent.path == Path::kBack ? "w0" : "w1";
  packet.iif_type = 1;
  packet.oif_type = 1;
  packet.mark = 0;
  packet.ct_mark = 0;
  packet.tracking = sent.tracking;
  packet.ipsec_in = Tri::kNo;
  packet.ipsec_out = Tri::kNo;
  return packet;
}

struct Judged {
  Walk walk;
  Path path = Path::kThrough;
};

// The hooks of IP between those of the devices.
constexpr WalkStep kWire[] = {{Layer::kDevice, PacketHook::kIngress},
                              {Layer::kIp, PacketHook::kPrerouting},
                              {Layer::kIp, PacketHook::kForward},
                              {Layer::kIp, PacketHook::kPostrouting},
                              {Layer::kDevice, PacketHook::kEgress}};
constexpr WalkStep kHere[] = {{Layer::kDevice, PacketHook::kIngress},
                              {Layer::kIp, PacketHook::kPrerouting},
                              {Layer::kIp, PacketHook::kInput}};
constexpr WalkStep kOwn[] = {{Layer::kIp, PacketHook::kOutput},
                             {Layer::kIp, PacketHook::kPostrouting},
                             {Layer::kDevice, PacketHook::kEgress}};

// The destinations that rules rewrite to are all behind w1: who is rewritten goes on there.
Judged walk_of(const Ruleset& rules, const Fib& fib, const Sent& sent) {
  std::span<const WalkStep> steps = kWire;
  if (sent.path == Path::kTo) steps = kHere;
  if (sent.path == Path::kFrom) steps = kOwn;
  Judged judged{walk_rules(rules, packet_of(sent), steps, &fib), sent.path};
  if (judged.walk.fate != Fate::kRerouted || !judged.walk.packet.destination) return judged;
  Packet on = judged.walk.packet;
  on.oif = "w1";
  on.oif_type = 1;
  const auto rest = sent.path == Path::kFrom ? std::span<const WalkStep>(kOwn).subspan(1)
                                             : std::span<const WalkStep>(kWire).subspan(2);
  judged.walk = walk_rules(rules, on, rest, &fib);
  if (sent.path == Path::kTo) judged.path = Path::kThrough;
  return judged;
}

struct Tally {
  unsigned packets = 0;
  unsigned unknown = 0;
  unsigned passed = 0;
  unsigned lost = 0;
  unsigned rewritten = 0;
  unsigned established = 0;
  unsigned wrong = 0;
};

class RuleWalkKernel : public testing::Test {
 protected:
  // In a child of the test's process the world would be built once; here each test has its own.
  void SetUp() override {
    ASSERT_EQ(world_.problem(), "");
    auto watch = KernelWatch::open();
    ASSERT_TRUE(watch.ok());
    auto facts = watch->read();
    ASSERT_TRUE(facts.ok());
    facts_ = std::move(*facts);
  }

  // One rule set, loaded: probes through it, and the answers to those that passed.
  void judge(Dice& dice, const std::string& text) {
    text_ = text;
    ASSERT_TRUE(world_.flush_connections());
    rules_ = read_firewall();
    ASSERT_TRUE(rules_.unread.empty()) << rules_.unread.front() << "\n" << text;
    std::vector<Sent> batch;
    std::set<std::string> seen;
    for (unsigned i = 0; i < kProbes; ++i) {
      Sent sent;
      sent.path = dice.one_in(6) ? Path::kTo : dice.one_in(5) ? Path::kFrom : Path::kThrough;
      sent.probe = random_probe(dice, sent.path);
      // The same ends again would be the same connection.
      if (!seen.insert(ends_of(sent.probe)).second) continue;
      sent.tracking = tracking_of(sent.probe);
      batch.push_back(sent);
    }
    std::vector<Sent> answers;
    run(batch, answers);
    std::vector<Sent> none;
    run(answers, none);
  }

  // A tool may refuse what chance made; a rule set that is not loaded proves nothing.
  bool loaded(bool done) {
    if (!done) ++refused_;
    return done;
  }

  void report(const char* what, unsigned sets) const {
    std::printf(
        "%s: %u rule sets, %u packets: %u passed (%u rewritten), %u lost, %u unknown "
        "(%.1f %%), %u of established connections, %u wrong; %u sets refused\n",
        what, sets, tally_.packets, tally_.passed, tally_.rewritten, tally_.lost, tally_.unknown,
        100.0 * tally_.unknown / tally_.packets, tally_.established, tally_.wrong, refused_);
    EXPECT_LE(refused_ * 20, sets) << "the tool refuses too many rule sets";
    EXPECT_LT(tally_.unknown * 10, tally_.packets) << "unknown is not rare any more";
    EXPECT_GT(tally_.passed, tally_.packets / 10);
    EXPECT_GT(tally_.lost, tally_.packets / 10);
    EXPECT_GT(tally_.rewritten, 0u);
    EXPECT_GT(tally_.established, 0u);
  }

  ForwardingWorld world_;

 private:
  static std::string ends_of(const Probe& probe) {
    return probe.source.text() + " " + probe.destination.text() + " " +
           std::to_string(probe.protocol) + " " + std::to_string(probe.source_port) + " " +
           std::to_string(probe.destination_port);
  }

  bool send(const Sent& sent) {
    switch (sent.path) {
      case Path::kThrough:
      case Path::kTo:
        return world_.send_in(sent.probe);
      case Path::kFrom:
        return world_.send_own(sent.probe);
      case Path::kBack:
        return world_.send_back(sent.probe);
    }
    return false;
  }

  void run(std::vector<Sent>& batch, std::vector<Sent>& answers) {
    for (auto& sent : batch) {
      sent.probe.number = ++number_;
      ASSERT_TRUE(send(sent)) << sent.probe.text();
    }
    ForwardingWorld::Arrivals far, near, own;
    ASSERT_TRUE(world_.collect(far, near, own)) << "the fence got lost";
    const RouteIndex routes(facts_);
    const Fib fib(facts_, routes);
    for (const auto& sent : batch) {
      const auto [walk, path] = walk_of(rules_, fib, sent);
      const auto& arrivals = path == Path::kTo ? own : path == Path::kBack ? near : far;
      const auto found = arrivals.find(sent.probe.number);
      compare(sent, path, walk, found == arrivals.end() ? nullptr : &found->second);
      if (found != arrivals.end()) add_answer(sent, walk, found->second, answers);
    }
  }

  void compare(const Sent& sent, Path path, const Walk& walk, const Arrival* arrival) {
    ++tally_.packets;
    if (sent.tracking == Tracking::kEstablished) ++tally_.established;
    if (walk.fate == Fate::kUnknown || walk.fate == Fate::kRerouted) {
      ++tally_.unknown;
      if (std::getenv("ESPIAL_SHOW_UNKNOWN") != nullptr)
        for (const auto& reason : walk.reasons) std::printf("unknown: %s\n", reason.c_str());
      return;
    }
    const bool passes = walk.fate == Fate::kPassed;
    ++(passes ? tally_.passed : tally_.lost);
    if (passes != (arrival != nullptr))
      return complain(sent, walk, arrival != nullptr ? "it arrived" : "it did not arrive");
    if (arrival == nullptr || path == Path::kTo) return;
    if (walk.source_nat == Tri::kYes || walk.destination_nat == Tri::kYes) ++tally_.rewritten;
    // Masquerade takes the address of the way out.
    const bool v4 = sent.probe.source.family() == Family::kIpv4;
    const auto masked = parsed(v4 ? "10.9.1.1" : "fd09:1::1");
    if (walk.source_nat != Tri::kUnknown && walk.packet.source.value_or(masked) != arrival->source)
      complain(sent, walk, "it arrived from " + arrival->source.text());
    if (walk.packet.destination && *walk.packet.destination != arrival->destination)
      complain(sent, walk, "it arrived for " + arrival->destination.text());
  }

  // What would answer a packet that passed untouched belongs to its connection.
  static void add_answer(const Sent& sent, const Walk& walk, const Arrival& arrival,
                         std::vector<Sent>& answers) {
    // NAT of another connection may have taken its answer's addresses: then the kernel gives this
    // one another port, and the answer would be the other's.
    if (arrival.source_port != sent.probe.source_port) return;
    if (sent.path != Path::kThrough || sent.tracking != Tracking::kNew) return;
    if (walk.fate != Fate::kPassed || walk.packet.tracking != Tracking::kNew) return;
    if (walk.source_nat != Tri::kNo || walk.destination_nat != Tri::kNo) return;
    if (walk.packet.destination != sent.probe.destination) return;
    Sent answer{Path::kBack, sent.probe, Tracking::kEstablished};
    std::swap(answer.probe.source, answer.probe.destination);
    if (sent.probe.protocol == 6) {
      if (sent.probe.tcp_flags != 2) return;
      answer.probe.tcp_flags = 18;
      std::swap(answer.probe.source_port, answer.probe.destination_port);
    } else if (sent.probe.protocol == 17) {
      std::swap(answer.probe.source_port, answer.probe.destination_port);
    } else {
      answer.probe.echo_reply = true;
    }
    answers.push_back(answer);
  }

  void complain(const Sent& sent, const Walk& walk, const std::string& what) {
    ++tally_.wrong;
    std::string trace;
    for (const auto& line : walk.trace) trace += "  " + line + "\n";
    ADD_FAILURE() << what << ", the walk says " << to_string(walk.fate) << ": " << sent.probe.text()
                  << " path " << static_cast<int>(sent.path) << " tracking "
                  << static_cast<int>(sent.tracking) << "\n"
                  << trace << text_;
  }

  KernelFacts facts_;
  Ruleset rules_;
  std::string text_;
  Tally tally_;
  unsigned refused_ = 0;
  std::uint32_t number_ = 0;
};

TEST_F(RuleWalkKernel, NftRuleSets) {
  const unsigned sets = number_from("ESPIAL_RULE_SETS", 100);
  const unsigned seed = number_from("ESPIAL_SEED", 1);
  for (unsigned i = 0; i < sets && !HasFailure(); ++i) {
    Dice dice(seed + i);
    const std::string text = random_nft(dice);
    if (!loaded(feed("nft -f -", "flush ruleset\n" + text))) continue;
    judge(dice, "# seed " + std::to_string(seed + i) + "\n" + text);
  }
  report("nft", sets);
}

// tool: nft or legacy, both families at once.
class IptablesWalk : public RuleWalkKernel, public testing::WithParamInterface<const char*> {};

TEST_P(IptablesWalk, RuleSets) {
  const std::string tool = GetParam();
  const unsigned sets = number_from("ESPIAL_RULE_SETS", 100);
  const unsigned seed = number_from("ESPIAL_SEED", 1);
  for (unsigned i = 0; i < sets && !HasFailure(); ++i) {
    Dice dice(seed + i);
    std::string all;
    bool done = true;
    for (const bool v6 : {false, true}) {
      const std::string empty = "*nat\nCOMMIT\n*mangle\nCOMMIT\n*raw\nCOMMIT\n";
      const std::string text = random_iptables(dice, v6);
      const std::string command = (v6 ? "ip6tables-" : "iptables-") + tool + "-restore";
      done = done && feed(command, empty) && feed(command, text);
      all += text;
    }
    if (!loaded(done)) continue;
    judge(dice, "# seed " + std::to_string(seed + i) + "\n" + all);
  }
  report(("iptables-" + tool).c_str(), sets);
}

INSTANTIATE_TEST_SUITE_P(Tools, IptablesWalk, testing::Values("nft", "legacy"));

}  // namespace
}  // namespace espial
