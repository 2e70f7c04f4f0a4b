// SPDX-License-Identifier: Apache-2.0
#include "model/modes/backstop_plan.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/contains.h"

namespace espial {
namespace {

// Where packets still look like cleartext when XFRM is asked, and are encrypted behind: a block
// would cut off what is protected.
constexpr std::array<std::string_view, 5> kProtectingKinds{"xfrm", "vti", "vti6", "wireguard",
                                                           "tun"};

// What leaves them is asked about once more, as a packet between underlays.
constexpr std::array<std::string_view, 10> kEnclosingKinds{
    "ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "vxlan", "geneve"};

// Path MTU discovery, which the programs let pass (bpf/enforce.h).
constexpr IcmpKind kFragmentationNeeded{1, 3, 4};
constexpr IcmpKind kPacketTooBig{58, 2, 0};

Prefix any(Family family) {
  const std::array<std::uint8_t, 16> zero{};
  return {IpAddress(family, zero.data()), 0};
}

class BackstopPlanner {
 public:
  BackstopPlanner(const ConfigEnforce& enforce, const Topology& topology, const KernelFacts& facts)
      : enforce_(enforce), topology_(topology), facts_(facts) {
    for (const auto& link : facts.links)
      if (contains(kProtectingKinds, link.kind) || contains(kEnclosingKinds, link.kind))
        for (const auto& route : facts.routes)
          if (route.oif == link.ifindex) routes_.push_back({route.destination, &link});
    std::copy_if(facts.policies.begin(), facts.policies.end(), std::back_inserter(interface_),
                 [](const auto& policy) { return policy.if_id != 0; });
    note_owners();
  }

  void add(const Peer& peer, std::optional<MonoTime> until) {
    for (const auto& backend : peer.backends) {
      const auto why = obstacle(peer, backend.prefix);
      if (why.empty())
        add_prefix(backend.prefix, until);
      else
        plan_.without.push_back({peer.name, backend.prefix.text() + ": " + why});
    }
  }

  BackstopPlan finish() {
    std::sort(plan_.policies.begin(), plan_.policies.end(),
              [](const auto& a, const auto& b) { return a.selector < b.selector; });
    const auto last =
        std::unique(plan_.policies.begin(), plan_.policies.end(),
                    [](const auto& a, const auto& b) { return a.selector == b.selector; });
    plan_.policies.erase(last, plan_.policies.end());
    return std::move(plan_);
  }

 private:
  // Why this prefix must not be refused; empty: nothing speaks against it.
  [[nodiscard]] std::string obstacle(const Peer& peer, const Prefix& prefix) const {
    if (auto why = around(peer, prefix); !why.empty()) return why;
    if (auto why = exempted(peer, prefix); !why.empty()) return why;
    for (const auto& policy : interface_) {
      const bool out = policy.direction == PolicyDirection::kOut;
      if ((out ? policy.destination : policy.source).overlaps(prefix))
        return "its policies belong to an xfrm interface (if_id " + std::to_string(policy.if_id) +
               ")";
    }
    for (const auto& [destination, link] : routes_)
      if (destination.overlaps(prefix) &&
          (contains(kProtectingKinds, link->kind) || underlays_protected(peer)))
        return "a route leads through " + link->name + " (" + link->kind +
               "), behind which it may be encrypted";
    return {};
  }

  // A policy encrypts packets between the nodes themselves, those of tunnels among them.
  [[nodiscard]] bool underlays_protected(const Peer& peer) const {
    return std::any_of(facts_.policies.begin(), facts_.policies.end(), [&](const auto& policy) {
      return policy.direction == PolicyDirection::kOut && policy.allow && policy.has_template &&
             std::any_of(peer.underlays.begin(), peer.underlays.end(),
                         [&](const auto& u) { return policy.destination.contains(u.address); });
    });
  }

  struct Owned {
    Prefix prefix;
    std::string_view owner;  // empty: this node
    bool underlay = false;
  };

  void note_owners() {
    const auto note = [&](std::string_view owner, const auto& underlays, const auto& backends) {
      for (const auto& u : underlays)
        owned_.push_back({Prefix(u.address, u.address.bits()), owner, true});
      for (const auto& b : backends) owned_.push_back({b.prefix, owner, false});
    };
    note({}, topology_.self_underlays, topology_.self_backends);
    for (const auto& peer : topology_.peers) note(peer.name, peer.underlays, peer.backends);
    std::sort(owned_.begin(), owned_.end(),
              [](const Owned& a, const Owned& b) { return a.prefix < b.prefix; });
  }

  // A selector knows no exceptions: nobody else's addresses may lie inside.
  [[nodiscard]] std::string around(const Peer& peer, const Prefix& prefix) const {
    auto it = std::lower_bound(
        owned_.begin(), owned_.end(), prefix.address(),
        [](const Owned& owned, const IpAddress& first) { return owned.prefix.address() < first; });
    for (; it != owned_.end() && prefix.contains(it->prefix.address()); ++it)
      if (prefix.contains(it->prefix) && (it->underlay || it->owner != peer.name))
        return "it contains " + it->prefix.text() + " of " +
               (it->owner.empty() ? "this node" : std::string(it->owner));
    return {};
  }

  // An exemption is about one end of a packet: those of other peers' subnets are none of this one.
  [[nodiscard]] std::string exempted(const Peer& peer, const Prefix& prefix) const {
    for (const auto& rule : enforce_.exempt) {
      if (rule.prefix.family() != prefix.family()) continue;
      const bool of_another =
          std::any_of(topology_.peers.begin(), topology_.peers.end(), [&](const Peer& other) {
            return other.name != peer.name &&
                   std::any_of(other.backends.begin(), other.backends.end(),
                               [&](const auto& b) { return b.prefix.contains(rule.prefix); });
          });
      if (!of_another) return "the exemption of " + rule.prefix.text() + " may be about it";
    }
    return {};
  }

  void add_prefix(const Prefix& prefix, std::optional<MonoTime> until) {
    const auto family = prefix.family();
    // Hosts and transit are refused together or not at all: without them only own pods are.
    const bool everyone =
        enforce_.cleartext_host == Mode::ENFORCE && enforce_.cleartext_transit == Mode::ENFORCE;
    if (everyone) {
      put({PolicyDirection::kOut, any(family), prefix, {}, false}, until);
      const auto pmtu = family == Family::kIpv4 ? kFragmentationNeeded : kPacketTooBig;
      put({PolicyDirection::kOut, any(family), prefix, pmtu, true}, until);
    }
    for (const auto& own : topology_.self_backends) {
      if (own.prefix.family() != family) continue;
      if (!everyone) put({PolicyDirection::kOut, own.prefix, prefix, {}, false}, until);
      // Never to any target: a shared bridge floods the neighbour solicitations of the peer's pods.
      for (const auto direction : {PolicyDirection::kIn, PolicyDirection::kForward})
        put({direction, prefix, own.prefix, {}, false}, until);
    }
  }

  void put(BackstopSelector selector, std::optional<MonoTime> until) {
    plan_.policies.push_back({std::move(selector), until});
  }

  const ConfigEnforce& enforce_;
  const Topology& topology_;
  const KernelFacts& facts_;
  std::vector<std::pair<Prefix, const LinkFact*>> routes_;  // through devices of those kinds
  std::vector<XfrmPolicyFact> interface_;                   // those with an if_id
  std::vector<Owned> owned_;                                // sorted by prefix
  BackstopPlan plan_;
};

}  // namespace

BackstopPlan plan_backstop(const ConfigEnforce& enforce, const Topology& topology,
                           const KernelFacts& facts, const PeerModes& modes, const Moment& now) {
  if (!enforce.backstop) return {};
  BackstopPlanner planner(enforce, topology, facts);
  for (const auto& peer : topology.peers) {
    if (peer.mode != Mode::ENFORCE) continue;
    const auto deadline = deadline_of(modes, peer.name, now);
    if (!deadline || now.monotonic < *deadline) planner.add(peer, deadline);
  }
  return planner.finish();
}

}  // namespace espial
