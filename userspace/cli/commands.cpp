// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <charconv>
#include <ostream>

#include "base/printable.h"
#include "base/time_text.h"
#include "cli/terminal/watch_screen.h"
#include "cli/text/alarms_text.h"
#include "cli/text/diagnosis_text.h"
#include "cli/text/flows_text.h"
#include "cli/text/modes_text.h"
#include "cli/text/status_text.h"
#include "cli/text/topology_text.h"
#include "cli/text/wording.h"
#include "cli/top/top.h"
#include "config/config_file.h"
#include "control/control_client.h"
#include "model/config.h"
#include "model/modes/mode_plan.h"

namespace espial {
namespace {

using nlohmann::json;

// ASCII only, so that no text of the document can be a control sequence; never throws.
std::string dump(const json& document, int indent) {
  return document.dump(indent, ' ', true, json::error_handler_t::replace) + "\n";
}

// Writes what there is; 3 when it could not be written (disk full, reader gone).
int write_out(std::string_view text, int status, Console& console) {
  console.out << text << std::flush;
  if (console.out) return status;
  return report(Error{"standard output: write: failed (is the disk full?)"}, console);
}

int watch_status(const Config& config, const StatusOptions& options, const Services& services,
                 Console& console) {
  const InterruptWait interrupt;  // before the cursor is hidden
  WatchScreen screen(console);
  int status = kExitGood;
  do {
    if (console.terminal) measure_terminal(console);
    const auto document = ask_daemon(config, "status", services.offline_status);
    status = document.ok() ? status_exit(*document) : exit_of(document.error());
    if (!document.ok())
      screen.show(error_text(document.error()));
    else
      screen.show(options.json ? dump(*document, -1) : render_status(*document, console.style));
  } while (console.out && (console.next_frame ? console.next_frame() : interrupt.sleep(1000)));
  return status;
}

Result<json> ask_modes(const Config& config, const json& request, const Services& services) {
  return ask_daemon(config, "policy " + request.dump(-1, ' ', true), [&](const Config& c) {
    if (!services.offline_modes) return Result<json>(Error{"no daemon is running"});
    return services.offline_modes(c, request);
  });
}

int change_modes(const Config& config, const json& request, const PolicyOptions& options,
                 const Services& services, Console& console) {
  const auto answer = ask_modes(config, request, services);
  if (!answer.ok()) return report(answer.error(), console);
  const bool refused = !field(*answer, "refused").empty();
  const int status = refused ? kExitBad : kExitGood;
  if (options.json) return write_out(dump(*answer, 2), status, console);
  if (refused) {
    console.err << render_refusals(*answer) << "espial: nothing was changed"
                << (request.contains("force") ? " (--force sets it anyway)\n" : "\n") << std::flush;
    return status;
  }
  return write_out(render_changes(*answer), status, console);
}

Error no_duration(std::string_view option, std::string_view text) {
  return Error{std::string(option) + ": " + in_quotes(text) +
                   " is not a duration between 1s and 24h (write 60s, 5m or 1h)",
               Failure::kUsage};
}

}  // namespace

int status_command(const Config& config, const StatusOptions& options, const Services& services,
                   Console& console) {
  if (options.watch) return watch_status(config, options, services, console);
  const auto document = ask_daemon(config, "status", services.offline_status);
  if (!document.ok()) return report(document.error(), console);
  return write_out(options.json ? dump(*document, 2) : render_status(*document, console.style),
                   status_exit(*document), console);
}

int alarms_command(const Config& config, const AlarmsOptions& options, const Services& services,
                   Console& console) {
  auto document = ask_daemon(config, "alarms", services.offline_alarms);
  if (!document.ok()) return report(document.error(), console);
  const auto chosen = select_alarms(std::move(document).value(), options.peer, options.history);
  if (!chosen.ok()) return report(chosen.error(), console);
  return write_out(options.json ? dump(*chosen, 2) : render_alarms(*chosen, console.style),
                   alarms_exit(*chosen), console);
}

int flows_command(const Config& config, const FlowsOptions& options, const Services& services,
                  Console& console) {
  if (options.follow) {
    const auto since =
        options.since.empty()
            ? std::optional(std::chrono::seconds(0))
            : parse_duration(options.since, std::chrono::seconds{1}, kMaxConfirmWithin);
    if (!since) return report(no_duration("--since", options.since), console);
    return follow_command(config, options, *since, console);
  }
  auto document = ask_daemon(config, "flows", services.offline_flows);
  if (!document.ok()) return report(document.error(), console);
  json chosen = select_flows(std::move(document).value(), options.klass);
  if (options.klass == "dropped" && services.name_drop_rules) {
    auto named = services.name_drop_rules(config, chosen);
    // What was dropped is worth showing without the rules, too.
    if (named.ok())
      chosen = std::move(named).value();
    else
      report(named.error(), console);
  }
  return write_out(options.json ? dump(chosen, 2) : render_flows(chosen, console.style), kExitGood,
                   console);
}

int top_command(const Config& config, double interval, const Services& services, Console& console) {
  return run_top(
      {[&config, &services] { return ask_daemon(config, "status", services.offline_status); },
       [&config, &services] { return ask_daemon(config, "flows", services.offline_flows); }},
      interval, console);
}

int audit_command(const Config& config, bool as_json, const Services& services, Console& console) {
  const auto document = ask_daemon(config, "audit", services.offline_audit);
  if (!document.ok()) return report(document.error(), console);
  return write_out(as_json ? dump(*document, 2) : render_audit(*document, console.style),
                   audit_exit(*document), console);
}

int doctor_command(const Config& config, const DoctorOptions& options, const Services& services,
                   Console& console) {
  if (options.explain.size() == 2) {
    const auto explanation = services.explain(config, options.explain[0], options.explain[1]);
    if (!explanation.ok()) return report(explanation.error(), console);
    return write_out(
        options.json ? dump(*explanation, 2) : render_explain(*explanation, console.style),
        explain_exit(*explanation), console);
  }
  auto document = services.doctor(config);
  if (!document.ok()) return report(document.error(), console);
  const json chosen = select_findings(std::move(document).value(), options.peers);
  return write_out(options.json ? dump(chosen, 2) : render_doctor(chosen, console.style),
                   doctor_exit(chosen), console);
}

int verify_command(const Config& config, const VerifyOptions& options, const Services& services,
                   Console& console) {
  const auto document = services.verify(config, options.peers, options.pods);
  if (!document.ok()) return report(document.error(), console);
  return write_out(options.json ? dump(*document, 2) : render_verify(*document, console.style),
                   verify_exit(*document), console);
}

int policy_show_command(const Config& config, const PolicyOptions& options,
                        const Services& services, Console& console) {
  const auto document = ask_modes(config, {{"command", "show"}}, services);
  if (!document.ok()) return report(document.error(), console);
  return write_out(options.json ? dump(*document, 2) : render_modes(*document, console.style),
                   modes_exit(*document), console);
}

int policy_set_command(const Config& config, const PolicyOptions& options, const Services& services,
                       Console& console) {
  json request{
      {"command", "set"}, {"peer", options.peer}, {"mode", options.mode}, {"force", options.force}};
  if (!options.confirm_within.empty()) {
    const auto seconds =
        parse_duration(options.confirm_within, std::chrono::seconds{1}, kMaxConfirmWithin);
    if (!seconds) return report(no_duration("--confirm-within", options.confirm_within), console);
    request["confirm_within_seconds"] = seconds->count();
  }
  return change_modes(config, request, options, services, console);
}

int policy_confirm_command(const Config& config, const PolicyOptions& options,
                           const Services& services, Console& console) {
  return change_modes(config, {{"command", "confirm"}, {"peer", options.peer}}, options, services,
                      console);
}

int config_show_command(const Config& config, bool as_json, const Services& services,
                        Console& console) {
  const auto topology = services.show_topology(config);
  if (!topology.ok()) return report(topology.error(), console);
  return write_out(
      as_json ? dump(topology_document(*topology, config), 2) : render_topology(*topology, config),
      kExitGood, console);
}

int config_discover_command(const Config& config, const Services& services, Console& console) {
  const auto topology = services.show_topology(config);
  if (!topology.ok()) return report(topology.error(), console);
  return write_out(render_discovered(*topology, config), kExitGood, console);
}

int config_check_command(const std::string& path, bool must_exist, Console& console) {
  const auto config = must_exist ? load_config(path, {}) : load_config(path);
  if (!config.ok()) return report(config.error(), console);
  return write_out(printable(path) + ": valid, " + std::to_string(config->peers.size()) +
                       (config->peers.size() == 1 ? " peer\n" : " peers\n"),
                   kExitGood, console);
}

int config_forget_command(const Config& config, const std::string& peer, const Services& services,
                          Console& console) {
  const auto done = services.forget(config, peer);
  if (!done.ok()) return report(done.error(), console);
  return write_out(printable(*done) + "\n", kExitGood, console);
}

int detach_command(const Config& config, const Services& services, Console& console) {
  const auto done = services.detach(config);
  if (!done.ok()) return report(done.error(), console);
  return write_out(printable(*done) + "\n", kExitGood, console);
}

namespace {

Result<json> parse_answer(const std::string& path, const std::string& answer) {
  json document = json::parse(answer, nullptr, false);
  const auto where = printable(path) + ": read the answer: ";
  if (!document.is_object()) return Error{where + "it is not a JSON object (is this espial?)"};
  if (const auto error = text_field(document, "error"); !error.empty()) {
    if (true_field(document, "usage")) return Error{error, Failure::kUsage};
    return Error{where + error};
  }
  if (const auto version = count_field(document, "schema_version"); version != 1)
    return Error{where + "schema_version is " + std::to_string(version) +
                 "; this espial reads 1 (use the daemon's version of espial)"};
  return document;
}

}  // namespace

Result<json> ask_daemon(const Config& config, std::string_view request, const Offline& offline) {
  const auto path = control_socket_path(config.state_dir);
  auto answer = control_request(path, request);
  if (answer.ok()) return parse_answer(path, *answer);
  if (!offline) return std::move(answer).error();
  auto document = offline(config);
  if (document.ok()) return document;
  return Error{answer.error().message + "\n" + document.error().message, document.error().failure};
}

}  // namespace espial
