// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as what ebtables-legacy lists; then packets through it.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "diagnose/rules/rule_walk.h"
#include "sources/firewall/ebtables_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto tables = espial::tables_from_ebtables_list(text);
  if (!tables.ok()) return 0;
  espial::Ruleset ruleset;
  ruleset.tables = std::move(*tables);
  espial::Packet packet;
  packet.protocol = 6;
  espial::walk_rules(ruleset, packet, espial::kBridged);
  packet.arp = true;
  espial::walk_rules(ruleset, packet, espial::kBridged);
  return 0;
}
