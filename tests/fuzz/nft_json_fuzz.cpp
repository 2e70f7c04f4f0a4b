// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as what nft prints, as JSON and as text; then a packet through it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "diagnose/rules/rule_walk.h"
#include "sources/firewall/nft_json.h"
#include "sources/firewall/nft_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  espial::nft_tables_of(text);
  auto ruleset = espial::ruleset_from_nft_json(text);
  if (!ruleset.ok()) return 0;
  espial::add_nft_text(*ruleset, text);
  espial::Packet packet;
  packet.protocol = 6;
  packet.tracking = espial::Tracking::kNew;
  espial::walk_rules(*ruleset, packet, espial::kForwarded);
  espial::walk_rules(*ruleset, packet, espial::kBridged);
  return 0;
}
