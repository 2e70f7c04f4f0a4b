// SPDX-License-Identifier: Apache-2.0
// What each sub-command does once its arguments are understood. Each returns the exit status.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/services.h"
#include "cli/terminal/console.h"
#include "cli/terminal/report.h"
#include "model/config.h"

namespace espial {

struct StatusOptions {
  bool json = false;
  bool watch = false;
};
struct FlowsOptions {
  bool json = false;
  std::string klass;  // or dropped, would_drop; empty: all
  bool follow = false;
  std::string since;  // of follow; empty: only what happens from now on
};

struct AlarmsOptions {
  bool json = false;
  bool history = false;
  std::string peer;  // empty: all
};

struct DoctorOptions {
  bool json = false;
  std::vector<std::string> explain;  // source and destination of one packet, or empty
  std::vector<std::string> peers;
};

struct VerifyOptions {
  bool json = false;
  std::vector<std::string> peers;  // empty: all
  std::vector<std::string> pods;   // addresses of remote pods
};

struct PolicyOptions {
  bool json = false;
  std::string peer;
  std::string mode;            // of set
  std::string confirm_within;  // of set; empty: for good
  bool force = false;
};

int status_command(const Config&, const StatusOptions&, const Services&, Console&);
// Exit status as alarms_exit().
int alarms_command(const Config&, const AlarmsOptions&, const Services&, Console&);
int flows_command(const Config&, const FlowsOptions&, const Services&, Console&);
// The live view; seconds between two looks.
int top_command(const Config&, double interval, const Services&, Console&);
// Would the kernel protect the traffic with every peer? Exit status as audit_exit().
int audit_command(const Config&, bool json, const Services&, Console&);
// What is in the way of the backends' traffic? Exit status as doctor_exit(), with
// explain as explain_exit().
int doctor_command(const Config&, const DoctorOptions&, const Services&, Console&);
int verify_command(const Config&, const VerifyOptions&, const Services&, Console&);
int policy_show_command(const Config&, const PolicyOptions&, const Services&, Console&);
int policy_set_command(const Config&, const PolicyOptions&, const Services&, Console&);
int policy_confirm_command(const Config&, const PolicyOptions&, const Services&, Console&);
int config_show_command(const Config&, bool json, const Services&, Console&);
// What was learnt as a file that config check accepts.
int config_discover_command(const Config& config, const Services& services, Console& console);
int config_check_command(const std::string& path, bool must_exist, Console&);
int config_forget_command(const Config&, const std::string& peer, const Services&, Console&);
int detach_command(const Config&, const Services&, Console&);

// One document of a running daemon, or of what can be found out without one.
using Offline = std::function<Result<nlohmann::json>(const Config&)>;

// The document (schema_version 1) from the daemon, or, when none answers, from `offline` (empty:
// nothing). Blocks for kControlDeadline at most, and as long as `offline` takes.
Result<nlohmann::json> ask_daemon(const Config& config, std::string_view request,
                                  const Offline& offline);

// `espial flows --follow`: flows in clear and dropped flows as they happen, from the daemon.
// Runs until interrupted or its output is closed: exit status 0. 3 when there is no daemon to begin
// with; one that restarts is waited for. Events go to console.out, what happens to the stream to
// console.err. `since`: also what was seen that long ago.
int follow_command(const Config& config, const FlowsOptions& options, std::chrono::seconds since,
                   Console& console);

}  // namespace espial
