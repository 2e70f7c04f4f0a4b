// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <unordered_map>

#include "base/printable.h"
#include "config/alerts_draft.h"
#include "config/draft.h"
#include "model/config.h"
#include "model/table_room.h"

namespace espial {
namespace {

// A prefix or address that somebody says is theirs.
struct Claim {
  Prefix prefix;
  bool underlay = false;  // one address, else a subnet
  std::size_t owner = 0;
  const Place* place = nullptr;
};

// Finds claims of different owners that touch each other, by one sweep over the sorted claims.
class OverlapCheck {
 public:
  // owners: how a message names each, by Claim::owner; rule: why it matters.
  OverlapCheck(std::vector<std::string> owners, std::string_view rule, Problems& problems)
      : owners_(std::move(owners)), rule_(rule), problems_(problems) {}

  void add(const Located<Prefix>& subnet, std::size_t owner) {
    claims_.push_back({subnet.value, false, owner, &subnet.place});
  }
  void add(const Located<IpAddress>& underlay, std::size_t owner) {
    claims_.push_back(
        {Prefix(underlay.value, underlay.value.bits()), true, owner, &underlay.place});
  }

  void run() {
    // A containing prefix sorts before what it contains; equal ones keep the file's order.
    std::stable_sort(claims_.begin(), claims_.end(), [](const Claim& a, const Claim& b) {
      return std::tie(a.prefix, a.underlay) < std::tie(b.prefix, b.underlay);
    });
    std::vector<const Claim*> open;  // subnets around the current claim, outermost first
    const Claim* last_underlay = nullptr;
    for (const auto& claim : claims_) {
      while (!open.empty() && !open.back()->prefix.contains(claim.prefix)) open.pop_back();
      const Claim* around = open.empty() ? nullptr : open.back();
      if (claim.underlay) {
        judge_underlay(claim, last_underlay, around);
        last_underlay = &claim;
      } else {
        if (around != nullptr) judge_subnet(claim, *around);
        open.push_back(&claim);
      }
    }
  }

 private:
  void judge_underlay(const Claim& claim, const Claim* last, const Claim* around) {
    const auto text = claim.prefix.address().text();
    if (last != nullptr && last->prefix == claim.prefix) {
      report(claim, *last,
             last->owner == claim.owner
                 ? text + " is listed twice"
                 : text + " is also an underlay address of " + owners_[last->owner]);
    } else if (around != nullptr && around->owner != claim.owner) {
      problems_.add(*claim.place, text + " lies inside backend subnet " + around->prefix.text() +
                                      " of " + owners_[around->owner] + line_of(*around) + rule_);
    }
  }

  void judge_subnet(const Claim& claim, const Claim& around) {
    const bool same = claim.prefix == around.prefix;
    if (claim.owner == around.owner) {
      if (same) report(claim, around, claim.prefix.text() + " is listed twice");
      return;
    }
    // The one that stands later in the file is the one to look at.
    const bool swap = around.place->line > claim.place->line;
    const Claim& later = swap ? around : claim;
    const Claim& earlier = swap ? claim : around;
    report(later, earlier,
           later.prefix.text() +
               (same ? " is also a subnet of " : " overlaps " + earlier.prefix.text() + " of ") +
               owners_[earlier.owner]);
  }

  void report(const Claim& claim, const Claim& other, const std::string& what) {
    problems_.add(
        *claim.place,
        what + line_of(other) + (claim.owner == other.owner ? std::string("; keep one") : rule_));
  }

  static std::string line_of(const Claim& claim) {
    return ", line " + std::to_string(claim.place->line);
  }

  std::vector<std::string> owners_;
  std::string rule_;
  Problems& problems_;
  std::vector<Claim> claims_;
};

std::string owner_text(std::string_view kind, const std::optional<Located<std::string>>& name,
                       const Place& place) {
  return name ? std::string(kind) + " " + in_quotes(name->value) : place.key;
}

void check_nodes(const Draft& draft, Problems& problems) {
  std::vector<std::string> owners{"self"};
  for (const auto& peer : draft.peers) owners.push_back(owner_text("peer", peer.name, peer.place));
  OverlapCheck check(std::move(owners), "; an address belongs to one node", problems);
  for (const auto& underlay : draft.self_underlays) check.add(underlay, 0);
  for (const auto& subnet : draft.self_backends) check.add(subnet, 0);
  for (std::size_t i = 0; i < draft.peers.size(); ++i) {
    for (const auto& underlay : draft.peers[i].underlays) check.add(underlay, i + 1);
    for (const auto& subnet : draft.peers[i].backends) check.add(subnet, i + 1);
  }
  check.run();
}

void check_networks(const Draft& draft, Problems& problems) {
  std::vector<std::string> owners;
  for (const auto& network : draft.networks)
    owners.push_back(owner_text("network", network.name, network.place));
  OverlapCheck check(std::move(owners), "; an address belongs to one network", problems);
  for (std::size_t i = 0; i < draft.networks.size(); ++i)
    for (const auto& subnet : draft.networks[i].prefixes) check.add(subnet, i);
  check.run();
}

// Names that were given, each once.
class NameCheck {
 public:
  NameCheck(std::string_view what, Problems& problems) : what_(what), problems_(problems) {}
  void add(const Located<std::string>& name) {
    const auto [it, fresh] = lines_.emplace(name.value, name.place.line);
    if (!fresh)
      problems_.add(name.place, in_quotes(name.value) + " is already the name of " + what_ +
                                    " on line " + std::to_string(it->second) + " (choose another)");
  }

 private:
  std::string what_;
  Problems& problems_;
  std::unordered_map<std::string_view, int> lines_;
};

void check_names(const Draft& draft, Problems& problems) {
  NameCheck nodes("a node", problems);
  if (draft.node) nodes.add(*draft.node);
  for (const auto& peer : draft.peers) {
    if (peer.name) nodes.add(*peer.name);
    if (peer.name && peer.name->value == kAllPeers)
      problems.add(peer.name->place, "\"all\" stands for every peer in commands (choose another)");
    if (!peer.name && peer.underlays.empty())
      problems.add(peer.place, "a peer needs a name or an underlay address");
  }
  NameCheck networks("a network", problems);
  for (const auto& network : draft.networks) {
    if (network.name) networks.add(*network.name);
    if (!network.name) problems.add(network.place, "a network needs a name");
  }
}

// The packet path tries a few prefix lengths; the others are split into longer prefixes, for which
// there has to be room. Host prefixes always count: underlay addresses are learnt even where none
// is listed.
void check_prefix_lengths(const Draft& draft, Problems& problems) {
  const auto room = table_room(table_slots(draft.scalars.max_peers));
  std::array<std::map<unsigned, std::size_t>, 2> lengths;
  lengths[0][32] = lengths[1][128] = 2 * draft.peers.size() + 2;
  bool reported = false;
  const auto look = [&](const std::vector<Located<Prefix>>& prefixes) {
    for (const auto& prefix : prefixes) {
      auto& of_family = lengths[static_cast<std::size_t>(prefix.value.family())];
      ++of_family[prefix.value.length()];
      if (reported || of_family.size() <= kMaxPrefixLengths) continue;
      const auto entries = plan_lengths(lengths[0]).entries + plan_lengths(lengths[1]).entries;
      if (entries <= room) continue;
      reported = true;
      problems.add(prefix.place,
                   prefix.value.text() + " is one prefix length too many: beyond " +
                       std::to_string(kMaxPrefixLengths) + " per family (/" +
                       std::to_string(prefix.value.address().bits()) +
                       " included) they are split into longer prefixes, for which there is no room "
                       "(use fewer lengths, or raise max_peers)");
    }
  };
  for (const auto& network : draft.networks) look(network.prefixes);
  look(draft.self_backends);
  for (const auto& peer : draft.peers) look(peer.backends);
}

void check_max_peers(const Draft& draft, Problems& problems) {
  if (draft.peers.size() <= draft.scalars.max_peers) return;
  const auto count = std::to_string(draft.peers.size());
  const Place place =
      draft.max_peers.value_or(Place{draft.peers[draft.scalars.max_peers].place.line, "max_peers"});
  if (draft.peers.size() > kMaxPeers)
    problems.add(place, count + " peers are listed (at most " + std::to_string(kMaxPeers) + ")");
  else
    problems.add(place, count + " peers are listed, max_peers is " +
                            std::to_string(draft.scalars.max_peers) + " (raise it)");
}

// "ADDRESS:PORT" or "[ADDRESS]:PORT" with a port from 1.
std::optional<IpAddress> listen_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  auto host = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0) return std::nullopt;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address || bracketed != (address->family() == Family::kIpv6)) return std::nullopt;
  return address;
}

void check_listen(const Draft& draft, Problems& problems) {
  if (!draft.listen || draft.listen->value == "off") return;
  const auto address = listen_address(draft.listen->value);
  const auto text = in_quotes(draft.listen->value);
  if (!address)
    problems.add(draft.listen->place, text + " is not ADDRESS:PORT, [ADDRESS]:PORT or off");
  else if (!address->loopback() && !draft.scalars.listen_anywhere)
    problems.add(draft.listen->place,
                 text + " is not a loopback address (set listen_anywhere: true to allow it)");
}

void check_devices(const Draft& draft, Problems& problems) {
  std::unordered_map<std::string_view, int> included;
  for (const auto& device : draft.include_devices)
    included.emplace(device.value, device.place.line);
  for (const auto& device : draft.exclude_devices)
    if (const auto it = included.find(device.value); it != included.end())
      problems.add(device.place, in_quotes(device.value) + " is also included, line " +
                                     std::to_string(it->second) + " (keep one)");
}

void check_exemption(const DraftExemption& exemption, Problems& problems) {
  constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58;
  const auto protocol = exemption.protocol ? exemption.protocol->value : std::uint8_t{0};
  if (exemption.port && protocol != kTcp && protocol != kUdp)
    problems.add(exemption.port->place, "a port needs protocol: tcp or udp");
  if (!exemption.prefix) return;
  const auto& prefix = exemption.prefix->value;
  const bool v4 = prefix.family() == Family::kIpv4;
  if (protocol == (v4 ? kIcmpv6 : kIcmp))
    problems.add(exemption.protocol->place, std::string(v4 ? "IPv4 has no icmpv6 (write icmp)"
                                                           : "IPv6 has no icmp (write icmpv6)"));
  if (prefix.length() == 0 && !exemption.protocol)
    problems.add(exemption.prefix->place,
                 prefix.text() + " would exempt everything (name a protocol, or set mode: audit)");
}

void check_exemptions(const Draft& draft, Problems& problems) {
  for (const auto& exemption : draft.exemptions) check_exemption(exemption, problems);
  if (draft.exemptions.size() > kMaxExemptions)
    problems.add(draft.exemptions[kMaxExemptions].place, std::to_string(draft.exemptions.size()) +
                                                             " exemptions are listed (at most " +
                                                             std::to_string(kMaxExemptions) + ")");
}

void check_verify(const Draft& draft, Problems& problems) {
  if (draft.verify && !draft.verify_interval)
    problems.add(*draft.verify,
                 "without an interval no probe is sent (write interval: 60s, or off)");
  std::map<IpAddress, int> lines;
  for (const auto& pod : draft.verify_pods) {
    const auto [it, fresh] = lines.emplace(pod.value, pod.place.line);
    if (!fresh)
      problems.add(pod.place, pod.value.text() + " is listed twice, line " +
                                  std::to_string(it->second) + "; keep one");
  }
  if (draft.verify_pods.size() > kMaxVerifyPods)
    problems.add(draft.verify_pods[kMaxVerifyPods].place, std::to_string(draft.verify_pods.size()) +
                                                              " pods are listed (at most " +
                                                              std::to_string(kMaxVerifyPods) + ")");
}

// The control socket lives in state_dir and its path must fit sockaddr_un.
void check_state_dir(const Draft& draft, Problems& problems) {
  constexpr std::size_t kMaxStateDir = 107 - kControlSocket.size();
  if (draft.state_dir && draft.state_dir->value.size() > kMaxStateDir)
    problems.add(draft.state_dir->place, "the path is longer than " + std::to_string(kMaxStateDir) +
                                             " bytes (the control socket inside would not fit)");
}

}  // namespace

void check_draft(const Draft& draft, Problems& problems) {
  check_names(draft, problems);
  check_nodes(draft, problems);
  check_networks(draft, problems);
  check_prefix_lengths(draft, problems);
  check_max_peers(draft, problems);
  check_listen(draft, problems);
  check_devices(draft, problems);
  check_exemptions(draft, problems);
  check_state_dir(draft, problems);
  check_alerts(draft.alerts, problems);
  check_verify(draft, problems);
}

}  // namespace espial
