// SPDX-License-Identifier: Apache-2.0
#include "model/config.h"

#include <algorithm>
#include <optional>

namespace espial {

std::string_view to_string(XdpChoice choice) {
  switch (choice) {
    case XdpChoice::kOff:
      return "off";
    case XdpChoice::kAuto:
      return "auto";
    case XdpChoice::kRequire:
      return "require";
  }
  return "?";
}

Mode default_mode(const Config& config) { return config.mode.value_or(Mode::MONITOR); }

Mode configured_mode(const Config& config, std::string_view peer) {
  const auto named = std::find_if(config.peers.begin(), config.peers.end(),
                                  [&](const auto& entry) { return entry.name == peer; });
  const auto own = named == config.peers.end() ? std::nullopt : named->mode;
  return own.value_or(default_mode(config));
}

}  // namespace espial
