// SPDX-License-Identifier: Apache-2.0
#include "daemon/next_config.h"

#include "config/alerts_file.h"
#include "config/config_file.h"

namespace espial {
namespace {

// Changed keys that need a restart; empty: none.
std::string fixed_key_changed(const Config& now, const Config& next) {
  if (now.instance != next.instance) return "instance";
  if (now.pin_dir != next.pin_dir) return "pin_dir";
  if (now.state_dir != next.state_dir) return "state_dir";
  if (now.listen != next.listen || now.listen_anywhere != next.listen_anywhere) return "listen";
  if (now.max_peers != next.max_peers) return "max_peers";
  if (now.metrics != next.metrics) return "metrics";
  if (now.xdp != next.xdp) return "xdp";
  if (now.flow_events_per_second != next.flow_events_per_second) return "flow_events_per_second";
  if (now.opensvc != next.opensvc) return "opensvc";
  if (now.opensvc_conf != next.opensvc_conf) return "opensvc_conf";
  if (now.opensvc_socket != next.opensvc_socket) return "opensvc_socket";
  return {};
}

}  // namespace

Result<Config> next_config(const std::string& path, const Config& now, const ConfigAlerts& alerts) {
  auto next = load_config(path);
  const auto next_alerts = load_alerts(path);
  if (!next.ok()) return next;
  if (next_alerts.ok() && *next_alerts != alerts)
    return Error{"alerts: cannot change while espial runs (restart it)"};
  if (const auto key = fixed_key_changed(now, *next); !key.empty())
    return Error{key + ": cannot change while espial runs (restart it)"};
  return next;
}

}  // namespace espial
