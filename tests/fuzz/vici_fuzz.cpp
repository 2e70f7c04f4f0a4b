// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as a VICI packet. What was decoded survives encoding,
// and whatever charon says is explained in printable words.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sources/vici/vici_message.h"
#include "sources/vici/vici_parse.h"

namespace {

void explain(const espial::ViciSection& event) {
  espial::CharonFacts facts;
  facts.readable = true;
  espial::add_vici_connections(event, facts);
  espial::add_vici_sas(event, facts);
  espial::add_charon_policies(event, facts);
  const auto own = *espial::Prefix::parse("10.101.1.0/24");
  const auto peer = *espial::Prefix::parse("10.101.2.0/24");
  const auto reason = espial::explain_pair(facts, own, peer, {});
  if (!reason) return;
  for (const char c : *reason)
    if (c < 0x20 || c >= 0x7f) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto packet = espial::parse_vici_packet(bytes);
  if (!packet.ok()) return 0;
  const auto message = espial::decode_vici(packet->message);
  if (!message.ok()) return 0;
  // The order of values, lists and sections is not kept among each other, their content is.
  const auto again = espial::decode_vici(espial::encode_vici(*message));
  if (!again.ok() || !(*again == *message)) std::abort();
  explain(*message);
  return 0;
}
