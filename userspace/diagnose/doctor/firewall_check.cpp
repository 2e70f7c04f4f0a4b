// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/checks.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/protocols.h"
#include "diagnose/paths/rule_remedy.h"

namespace espial {
namespace {

constexpr int kMaxCulpritsInARow = 4;    // one remedy may uncover the next rule
constexpr std::size_t kMaxRemedies = 6;  // of one finding
constexpr std::size_t kMaxEvidence = 6;

bool is_loss(Fate fate) { return fate == Fate::kDropped || fate == Fate::kRejected; }

Cause cause_of_path(PathKind kind) {
  switch (kind) {
    case PathKind::kPods:
      return Cause::RULE_DROPS;
    case PathKind::kEsp:
      return Cause::ESP_BLOCKED;
    case PathKind::kIke:
      return Cause::IKE_BLOCKED;
    case PathKind::kPathMtu:
      return Cause::PATH_MTU_BLOCKED;
    case PathKind::kNeighbours:
      return Cause::NEIGHBOURS_BLOCKED;
  }
  return Cause::RULE_DROPS;
}

std::string what_of(const BackendPath& path) {
  switch (path.kind) {
    case PathKind::kPods:
      return path.packet.protocol == kProtocolTcp ? "TCP of pods" : "packets of pods";
    case PathKind::kEsp:
      return "ESP";
    case PathKind::kIke:
      return "IKE";
    case PathKind::kPathMtu:
      return path.direction == Direction::RECEIVE ? "ICMP that tells of a smaller path MTU"
                                                  : "ICMP that tells pods of their path MTU";
    case PathKind::kNeighbours:
      return std::string(path.packet.arp ? "ARP frames" : "neighbour discovery packets") +
             (path.peer.empty() ? " of pods" : " of other nodes");
  }
  return "";
}

// "FORWARD", "INPUT of bridge br-prd", "INGRESS of eth0".
std::string place_text(const WalkStep& step, const Packet& packet) {
  std::string word(to_string(step.hook));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return static_cast<char>(std::toupper(c)); });
  switch (step.layer) {
    case Layer::kIp:
      return word;
    case Layer::kBridge:
      return word + " of bridge " + packet.bridge.value_or("");
    case Layer::kDevice:
      return word + " of " +
             (step.hook == PacketHook::kIngress ? packet.iif : packet.oif).value_or("");
  }
  return word;
}

// Of neighbour discovery the ICMPv6 type, else 0.
std::uint8_t neighbour_type(const BackendPath& path) {
  return path.kind == PathKind::kNeighbours ? path.packet.icmp_type.value_or(0) : std::uint8_t{0};
}

// Where the walk ended.
const WalkStep& last_step(const BackendPath& path, const Walk& walk) {
  return path.steps[std::min(walk.steps_done, path.steps.size()) - 1];
}

// Everything that one rule does to one kind of packet.
struct Group {
  const BackendPath* first = nullptr;
  RuleEvidence culprit;
  WalkStep step;
  Fate fate = Fate::kDropped;
  std::vector<std::string> trace;
  std::vector<const BackendPath*> paths;
};

class FirewallCheck {
 public:
  FirewallCheck(const Topology& topology, const Ruleset& ruleset, const Fib& fib,
                DoctorReport& report)
      : topology_(topology), ruleset_(ruleset), fib_(fib), report_(report) {}

  void check(const std::vector<BackendPath>& paths) {
    for (const auto& path : paths) look(path);
    for (auto& [key, group] : groups_) report_.findings.push_back(finding_of(group));
    for (const auto& [reason, pairs] : unknown_) {
      std::string line = "rules that espial does not understand: " + reason + ": " + *pairs.begin();
      if (pairs.size() > 1) line += " and " + std::to_string(pairs.size() - 1) + " more";
      report_.unknown.push_back(std::move(line));
    }
    for (const auto& line : ruleset_.unread) report_.unknown.push_back("firewall: " + line);
  }

 private:
  // Hook by hook, so that it is known where the packet ends.
  void look(const BackendPath& path) {
    const auto walk = walk_rules(ruleset_, path.packet, path.steps, &fib_);
    if (walk.fate == Fate::kUnknown) {
      // What a port decides is the administrator's choice, not a fault of the path.
      if (path.packet.protocol == kProtocolTcp) return;
      for (const auto& reason : walk.reasons) unknown_[reason].insert(pair_text(path));
      return;
    }
    if (!is_loss(walk.fate) || walk.culprits.empty()) return;
    const auto& culprit = walk.culprits.front();
    const auto& step = last_step(path, walk);
    // The same rule on several devices is one finding.
    auto& group = groups_[std::tuple(path.kind, step.hook, culprit.text())];
    if (group.first == nullptr) group = {&path, culprit, step, walk.fate, walk.trace, {}};
    group.paths.push_back(&path);
  }

  static std::string pair_text(const BackendPath& path) {
    return path.from.text() + " > " + path.to.text();
  }

  DoctorFinding finding_of(const Group& group) {
    // What routers between the nodes say is needed on a narrow path only, what this node tells its
    // pods with every large packet.
    const bool routers =
        group.first->kind == PathKind::kPathMtu && group.first->direction == Direction::RECEIVE;
    DoctorFinding finding{.cause = cause_of_path(group.first->kind),
                          .effect = routers ? Effect::kRisk : Effect::kLost};
    finding.summary = what_of(*group.first) + " " +
                      (group.fate == Fate::kRejected ? "are rejected" : "are dropped") + " in " +
                      place_text(group.step, group.first->packet) + " by " + group.culprit.text();
    std::set<std::string> peers;
    std::vector<std::string> pairs;
    for (const auto* path : group.paths) {
      if (!path->peer.empty()) peers.insert(path->peer);
      if (std::find(pairs.begin(), pairs.end(), pair_text(*path)) == pairs.end())
        pairs.push_back(pair_text(*path));
    }
    finding.peers.assign(peers.begin(), peers.end());
    for (std::size_t i = 0; i < std::min(pairs.size(), kMaxEvidence); ++i)
      finding.evidence.push_back(pairs[i]);
    if (pairs.size() > kMaxEvidence)
      finding.evidence.push_back("and " + std::to_string(pairs.size() - kMaxEvidence) + " more");
    // The rules that accepted it before explain why it was expected to pass.
    for (const auto& line : group.trace) finding.evidence.push_back(line);
    finding.remedies = remedies_of(group);
    const auto family = group.first->packet.family;
    if (std::all_of(group.paths.begin(), group.paths.end(),
                    [&](const auto* path) { return path->packet.family == family; }))
      finding.family = family;
    return finding;
  }

  // One rule for the whole network where both ends are in one, else one for each pair.
  std::vector<Acceptance> acceptances(const Group& group) const {
    std::vector<Acceptance> out;
    const auto add = [&](const Prefix& from, const Prefix& to, std::uint8_t type = 0) {
      const auto same = [&](const Acceptance& a) {
        return a.from == from && a.to == to && a.neighbour_type == type;
      };
      if (std::none_of(out.begin(), out.end(), same))
        out.push_back({group.first->kind, from, to, type});
    };
    for (const auto* path : group.paths) {
      if (path->kind == PathKind::kNeighbours) {
        const Prefix any(path->from.address(), 0);
        add(any, any, neighbour_type(*path));
        continue;
      }
      const auto* whole = network_of(*path);
      add(whole == nullptr ? path->from : *whole, whole == nullptr ? path->to : *whole);
    }
    return out;
  }

  const Prefix* network_of(const BackendPath& path) const {
    for (const auto& network : topology_.networks)
      for (const auto& prefix : network.prefixes)
        if (prefix.contains(path.from) && prefix.contains(path.to)) return &prefix;
    return nullptr;
  }

  // On a copy of the rules, until each packet of the group passes or nothing more can be said.
  std::vector<std::string> remedies_of(const Group& group) const {
    Ruleset corrected = ruleset_;
    std::vector<std::string> commands;
    const auto wanted = acceptances(group);
    for (const auto* path : group.paths) {
      for (int i = 0; i < kMaxCulpritsInARow && commands.size() < kMaxRemedies; ++i) {
        const auto walk = walk_rules(corrected, path->packet, path->steps, &fib_);
        if (!is_loss(walk.fate) || walk.culprits.empty()) break;
        const auto hook = last_step(*path, walk).hook;
        const auto what =
            std::find_if(wanted.begin(), wanted.end(), [&](const Acceptance& acceptance) {
              return acceptance.from.contains(path->from) && acceptance.to.contains(path->to) &&
                     acceptance.neighbour_type == neighbour_type(*path);
            });
        Acceptance accepted = *what;
        if (path->kind == PathKind::kIke)
          accepted.ike_port = path->packet.destination_port.value_or(accepted.ike_port);
        const auto command = accept_before(corrected, walk.culprits.front(), hook, accepted);
        if (!command) break;
        if (std::find(commands.begin(), commands.end(), *command) != commands.end()) break;
        commands.push_back(*command);
      }
    }
    return commands;
  }

  const Topology& topology_;
  const Ruleset& ruleset_;
  const Fib& fib_;
  DoctorReport& report_;
  std::map<std::tuple<PathKind, PacketHook, std::string>, Group> groups_;
  std::map<std::string, std::set<std::string>> unknown_;
};

}  // namespace

void check_firewall(const Topology& topology, const Ruleset& ruleset, const Fib& fib,
                    const std::vector<BackendPath>& paths, DoctorReport& report) {
  FirewallCheck(topology, ruleset, fib, report).check(paths);
}

}  // namespace espial
