// SPDX-License-Identifier: Apache-2.0
#include "diagnose/doctor/checks.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace espial {
namespace {

bool walk_lost(const Walk& walk) {
  return walk.fate == Fate::kDropped || walk.fate == Fate::kRejected;
}

// "iif 7" in a rule, and where its pattern is.
struct StaleIndex {
  std::string word;  // "iif" or "oif"
  std::string number;
  Pattern* pattern = nullptr;
};

// The index that a pattern is: nft's JSON has it as a string, like a name.
std::optional<std::string> index_of(const Pattern& pattern) {
  const auto* name = std::get_if<Name>(&pattern);
  if (name == nullptr || name->prefix || name->text.empty()) return std::nullopt;
  if (name->text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return name->text;
}

// One index that the rule compares a device with. A listing names each device that there is.
std::optional<StaleIndex> stale_index(Rule& rule, const std::set<std::string>& names) {
  for (auto& step : rule.steps) {
    auto* match = std::get_if<Match>(&step);
    if (match == nullptr || match->keys.size() != 1 || match->elements.size() != 1) continue;
    const auto field = match->keys.front().field;
    auto& patterns = match->elements.front().patterns;
    if ((field != Field::kIif && field != Field::kOif) || patterns.size() != 1) continue;
    auto index = index_of(patterns.front());
    if (!index || names.contains(*index)) continue;
    return StaleIndex{field == Field::kIif ? "iif" : "oif", std::move(*index), &patterns.front()};
  }
  return std::nullopt;
}

class StaleDevices {
 public:
  StaleDevices(const Ruleset& ruleset, const KernelFacts& facts, const Fib& fib,
               const std::vector<BackendPath>& paths, DoctorReport& report)
      : tried_(ruleset), fib_(fib), report_(report) {
    for (const auto& link : facts.links) names_.insert(link.name);
    for (const auto& path : paths) {
      for (const auto& device : {path.packet.iif, path.packet.oif})
        if (device && !device->empty()) devices_.insert(*device);
      if (walk_lost(walk_rules(ruleset, path.packet, path.steps, &fib))) lost_.push_back(&path);
    }
  }

  void check() {
    for (auto& table : tried_.tables)
      for (auto& chain : table.chains)
        for (auto& rule : chain.rules)
          if (const auto stale = stale_index(rule, names_)) look(table, chain, rule, *stale);
  }

 private:
  // With one of the devices that lost packets meet in the place of the index.
  void look(const Table& table, const Chain& chain, const Rule& rule, const StaleIndex& stale) {
    const Pattern before = *stale.pattern;
    std::vector<const BackendPath*> best;
    std::string device;
    for (const auto& name : devices_) {
      *stale.pattern = Name{name};
      std::vector<const BackendPath*> saved;
      for (const auto* path : lost_)
        if (!walk_lost(walk_rules(tried_, path->packet, path->steps, &fib_))) saved.push_back(path);
      if (saved.size() <= best.size()) continue;
      best = std::move(saved);
      device = name;
    }
    *stale.pattern = before;
    report(table, chain, rule, stale, best, device);
  }

  void report(const Table& table, const Chain& chain, const Rule& rule, const StaleIndex& stale,
              const std::vector<const BackendPath*>& saved, const std::string& device) {
    const RuleEvidence evidence{table.tool, table.family, table.name,
                                chain.name, rule.handle,  rule.text};
    const std::string index = stale.word + " " + stale.number;
    DoctorFinding finding{Cause::STALE_DEVICE,
                          saved.empty() ? Effect::kRisk : Effect::kLost,
                          "a rule names an interface index that no longer exists: " + index,
                          {evidence.text()},
                          {},
                          {}};
    std::set<std::string> peers;
    for (const auto* path : saved) peers.insert(path->peer);
    finding.peers.assign(peers.begin(), peers.end());
    if (!saved.empty())
      finding.evidence.push_back("with " + device + " in its place " + saved.front()->from.text() +
                                 " > " + saved.front()->to.text() + " passes");
    const auto at = (" " + rule.text + " ").find(" " + index + " ");
    if (!saved.empty() && table.tool == RuleTool::kNft && at != std::string::npos)
      finding.remedies = {"nft replace rule " + std::string(to_string(table.family)) + " " +
                          table.name + " " + chain.name + " handle " + std::to_string(rule.handle) +
                          " " + rule.text.substr(0, at) + stale.word + "name " + device +
                          rule.text.substr(at + index.size())};
    report_.findings.push_back(std::move(finding));
  }

  Ruleset tried_;
  const Fib& fib_;
  DoctorReport& report_;
  std::set<std::string> names_;    // of all devices
  std::set<std::string> devices_;  // that packets of the backends meet
  std::vector<const BackendPath*> lost_;
};

}  // namespace

void check_stale_devices(const Ruleset& ruleset, const KernelFacts& facts, const Fib& fib,
                         const std::vector<BackendPath>& paths, DoctorReport& report) {
  StaleDevices(ruleset, facts, fib, paths, report).check();
}

}  // namespace espial
