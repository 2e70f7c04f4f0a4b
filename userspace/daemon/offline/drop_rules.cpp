// SPDX-License-Identifier: Apache-2.0
#include "daemon/offline/diagnosis.h"

#include <algorithm>
#include <optional>
#include <string>

#include "daemon/instance/now.h"
#include "daemon/instance/world.h"
#include "diagnose/doctor/drop_rule.h"
#include "sources/firewall/firewall_source.h"

namespace espial {
namespace {

using nlohmann::json;

std::string text_of(const json& entry, const char* key) {
  const auto at = entry.find(key);
  return at != entry.end() && at->is_string() ? at->get<std::string>() : std::string();
}

template <typename T>
T number_of(const json& entry, const char* key) {
  const auto at = entry.find(key);
  return at != entry.end() && at->is_number_unsigned() ? at->get<T>() : T{};
}

std::optional<Hook> hook_of(const std::string& label) {
  for (std::size_t i = 0; i < kHookLabels.size(); ++i)
    if (kHookLabels[i] == label) return static_cast<Hook>(i);
  return std::nullopt;
}

// Nothing: not dropped by netfilter, or an entry of another espial's shape.
std::optional<DropRecord> record_of(const json& entry) {
  const auto hook = hook_of(text_of(entry, "hook"));
  const auto source = IpAddress::parse(text_of(entry, "source"));
  const auto destination = IpAddress::parse(text_of(entry, "destination"));
  if (!hook || !source || !destination) return std::nullopt;
  DropRecord drop;
  drop.hook = hook;
  drop.source = *source;
  drop.destination = *destination;
  drop.source_port = number_of<std::uint16_t>(entry, "source_port");
  drop.destination_port = number_of<std::uint16_t>(entry, "destination_port");
  drop.protocol = number_of<std::uint8_t>(entry, "protocol");
  drop.peer = text_of(entry, "peer");
  drop.direction =
      text_of(entry, "direction") == "transmit" ? Direction::TRANSMIT : Direction::RECEIVE;
  return drop;
}

}  // namespace

Result<json> name_drop_rules(const Config& config, json flows) {
  const auto drops = flows.find("kernel_drops");
  if (drops == flows.end() || !drops->is_array() ||
      std::none_of(drops->begin(), drops->end(),
                   [](const json& entry) { return record_of(entry).has_value(); }))
    return flows;
  EP_ASSIGN(world, look_around(config));
  const auto ruleset = read_firewall();
  const auto audit = audit_now(world.topology, world.facts, {}, world.opensvc, nullptr);
  const DropRules rules(world.topology, world.facts, ruleset, audit);
  for (auto& entry : *drops) {
    const auto drop = record_of(entry);
    const auto rule = drop ? rules.of(*drop) : std::nullopt;
    entry["rule"] = rule ? json(rule->rule.text()) : json(nullptr);
    entry["rule_hook"] = rule ? json(std::string(to_string(rule->step.hook))) : json(nullptr);
  }
  return flows;
}

}  // namespace espial
