// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: any bytes as espial.yaml. A problem line must be printable and on one line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/config_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& problem : espial::parse_config(text, "f").problems)
    for (const char c : problem.text())
      if (c < 0x20 || c >= 0x7f) std::abort();
  return 0;
}
