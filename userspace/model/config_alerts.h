// SPDX-License-Identifier: Apache-2.0
// ConfigAlerts: who is told of alarms, as espial.yaml's `alerts` says it. Secrets are not in it,
// only the files that hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace espial {

inline constexpr std::size_t kMaxReceivers = 8;  // of each kind
inline constexpr std::size_t kMaxAlertLabels = 16;

// An Alertmanager (url is its root, /api/v2/alerts is added) or a webhook (url is posted to).
struct ConfigHttpReceiver {
  std::string url;            // http or https, without user and password
  std::string username;       // of basic authentication; empty: none
  std::string password_file;  // with username
  std::string ca_file;        // whom to trust; empty: the system's
  std::string cert_file;      // our own certificate and key, both or none
  std::string key_file;
  std::string server_name;  // whose certificate is expected; empty: the url's host
  bool operator==(const ConfigHttpReceiver&) const = default;
};

struct ConfigAlerts {
  std::vector<ConfigHttpReceiver> alertmanagers;
  std::vector<ConfigHttpReceiver> webhooks;
  std::vector<std::vector<std::string>> commands;           // argv, argv[0] absolute
  std::vector<std::pair<std::string, std::string>> labels;  // added to each alert; by name
  std::uint32_t resend_seconds = 60;  // how often an Alertmanager hears of what goes on firing
  std::uint32_t collapse_above = 20;  // alerts of one name; what is more is one alert
  [[nodiscard]] bool empty() const {
    return alertmanagers.empty() && webhooks.empty() && commands.empty();
  }
  bool operator==(const ConfigAlerts&) const = default;
};

}  // namespace espial
