// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as OpenSVC's cluster.conf. Every line for people must be printable.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sources/opensvc/opensvc_conf.h"

namespace {

void check(std::string_view text) {
  for (const char c : text)
    if (c < 0x20 || c >= 0x7f) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto facts = espial::parse_cluster_conf(text);
  if (!facts.ok()) {
    check(facts.error().message);
    return 0;
  }
  for (const auto& problem : facts->problems) check(problem);
  for (const auto& node : facts->nodes) check(node);
  for (const auto& network : facts->networks) {
    check(network.name);
    check(network.device);
    check(network.tunnel_mode);
    for (const auto& member : network.members)
      if (member.subnet && member.subnet->family() != network.prefix.family()) std::abort();
  }
  return 0;
}
