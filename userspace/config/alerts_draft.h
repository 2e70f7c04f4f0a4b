// SPDX-License-Identifier: Apache-2.0
// The section `alerts` of espial.yaml: read, checked, and made a ConfigAlerts.
#pragma once

#include "config/draft.h"
#include "config/yaml_reader.h"
#include "model/config_alerts.h"

namespace espial {

inline constexpr std::uint32_t kMinResendSeconds = 5;
inline constexpr std::uint32_t kMaxResendSeconds = 3600;
inline constexpr std::uint32_t kMaxCollapseAbove = 1000;

DraftAlerts read_alerts(YamlReader& reader, const YAML::Node& node, const Place& at);
// A URL with a user or a password in it is never quoted.
void check_alerts(const DraftAlerts& draft, Problems& problems);
// Of a draft without problems.
ConfigAlerts finish_alerts(DraftAlerts&& draft);

}  // namespace espial
