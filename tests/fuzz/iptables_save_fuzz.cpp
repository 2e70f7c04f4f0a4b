// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as what iptables-save prints; then a packet through it.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "diagnose/rules/rule_walk.h"
#include "sources/firewall/iptables_save.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto tables = espial::tables_from_iptables_save(text, espial::Family::kIpv4,
                                                  espial::RuleTool::kIptablesLegacy);
  if (!tables.ok()) return 0;
  espial::Ruleset ruleset;
  ruleset.tables = *tables;
  espial::explain_xt(ruleset, *tables);
  espial::Packet packet;
  packet.protocol = 6;
  espial::walk_rules(ruleset, packet, espial::kForwarded);
  return 0;
}
