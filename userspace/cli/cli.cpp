// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "base/printable.h"
#include "cli/commands.h"
#include "cli/mesh_command.h"
#include "cli/text/flows_text.h"
#include "config/config_file.h"

namespace espial {
namespace {

// What the arguments said.
struct Arguments {
  std::string config_path{kDefaultConfigPath};
  RunOptions run;
  bool run_check = false;
  StatusOptions status;
  AlarmsOptions alarms;
  FlowsOptions flows;
  double top_interval = 1;
  PolicyOptions policy;
  bool audit_json = false;
  DoctorOptions doctor;
  VerifyOptions verify;
  bool show_json = false;
  std::string check_path;
  std::string forget_peer;
  MeshRenderOptions mesh;
  std::string mesh_auth = "psk";
  ClassifyArguments classify;
  std::string classify_direction;
  std::string classify_captured_on = "host";
};

// One sub-command and what runs it when it was named.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

class CommandLine {
 public:
  CommandLine(const Services& services, Console& console) : services_(services), console_(console) {
    app_.set_version_flag("--version", "espial " + services.version);
    add_config_option(app_);
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.footer(
        "Exit status: 0 good, 1 problems found, 2 usage or configuration error, 3 could not find "
        "out, 70 bug. See espial(8).");
    if (services_.run_daemon) add_run();
    add_status();
    add_alarms();
    add_flows();
    add_top();
    add_audit();
    if (services_.doctor) add_doctor();
    if (services_.verify) add_verify();
    if (services_.classify) add_classify();
    add_policy();
    if (services_.show_topology) add_mesh();
    add_config();
    if (services_.detach) add_detach();
  }

  int run(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& e) {
      return app_.exit(e, console_.out, console_.err);  // --help, --version
    } catch (const CLI::ParseError& e) {
      // CLI11 reports the missing command before the unknown word in its place.
      const auto rest = app_.remaining();
      const bool wrong_word = e.get_name() == "RequiredError" && !rest.empty();
      const auto what =
          wrong_word ? in_quotes(rest.front()) + " is not a command" : printable(e.what());
      return report(Error{what + " (see espial --help)", Failure::kUsage}, console_);
    }
    for (const auto& command : commands_)
      if (command.app->parsed()) return command.run();
    return kExitBug;
  }

 private:
  void add_config_option(CLI::App& app) {
    app.add_option("--config", arguments_.config_path, "configuration file")
        ->type_name("FILE")
        ->capture_default_str();
  }

  CLI::App& command(CLI::App& parent, const std::string& name, const std::string& description,
                    std::function<int()> run) {
    auto* app = parent.add_subcommand(name, description);
    app->fallthrough();
    commands_.push_back({app, std::move(run)});
    return *app;
  }

  // Runs what needs a configuration with the one that --config names.
  int with_config(const std::function<int(const Config&)>& run) {
    const auto config = load_config(arguments_.config_path);
    return config.ok() ? run(*config) : report(config.error(), console_);
  }

  // The same for what a running daemon answers: it keeps its own configuration while the file is
  // bad, and that is when one wants to ask it.
  int with_daemon(const std::function<int(const Config&, const Services&)>& run) {
    const auto config = load_config(arguments_.config_path);
    if (config.ok()) return run(*config, services_);
    const auto place = load_place(arguments_.config_path);
    if (!place.ok()) return report(config.error(), console_);
    Services services = services_;
    services.offline_status = services.offline_flows = services.offline_audit =
        services.offline_alarms =
            [&](const Config&) -> Result<nlohmann::json> { return config.error(); };
    services.offline_modes = [&](const Config&, const nlohmann::json&) -> Result<nlohmann::json> {
      return config.error();
    };
    return run(*place, services);
  }

  // A Result of an exit status, as the exit status.
  int finish(const Result<int>& status) {
    return status.ok() ? *status : report(status.error(), console_);
  }

  void add_run() {
    auto& app = command(app_, "run", "the daemon: attach, watch, export", [this] {
      if (arguments_.run_check)
        return config_check_command(arguments_.config_path, false, console_);
      arguments_.run.config_path = arguments_.config_path;
      return with_config([this](const Config& config) {
        return finish(services_.run_daemon(config, arguments_.run));
      });
    });
    app.add_flag("--check", arguments_.run_check, "check the configuration and exit");
    app.add_flag("--arm", arguments_.run.arm,
                 "attach and pin what is configured and saved, then exit");
    app.add_flag("--strict", arguments_.run.strict, "fail when an optional source cannot start");
  }

  void add_status() {
    auto& app = command(app_, "status", "verdict, coverage and rates per peer, and alarms", [this] {
      return with_daemon([this](const Config& config, const Services& services) {
        return status_command(config, arguments_.status, services, console_);
      });
    });
    app.add_flag("--json", arguments_.status.json, "as JSON");
    app.add_flag("--watch", arguments_.status.watch, "repeat every second until interrupted");
  }

  void add_alarms() {
    auto& app = command(app_, "alarms", "what is wrong: evidence, start time and runbook", [this] {
      return with_daemon([this](const Config& config, const Services& services) {
        return alarms_command(config, arguments_.alarms, services, console_);
      });
    });
    app.add_flag("--json", arguments_.alarms.json, "as JSON");
    app.add_flag("--history", arguments_.alarms.history, "also resolved alarms");
    app.add_option("--peer", arguments_.alarms.peer, "only alarms of this peer")->type_name("PEER");
  }

  void add_flows() {
    auto& app =
        command(app_, "flows", "recent unprotected flows: addresses, device, packets", [this] {
          return with_daemon([this](const Config& config, const Services& services) {
            return flows_command(config, arguments_.flows, services, console_);
          });
        });
    app.add_flag("--json", arguments_.flows.json, "as JSON");
    app.add_option("--class", arguments_.flows.klass,
                   "only flows of this class, or: dropped, would_drop")
        ->type_name("CLASS")
        ->check(CLI::IsMember(flow_kinds()));
    auto* follow = app.add_flag("--follow", arguments_.flows.follow,
                                "print flows as they happen, until interrupted");
    app.add_option("--since", arguments_.flows.since,
                   "with --follow: start with flows of the last 60s, 5m, 1h")
        ->type_name("TIME")
        ->needs(follow);
  }

  void add_top() {
    auto& app = command(app_, "top", "live view of the peers: sort, filter, drill down", [this] {
      return with_daemon([this](const Config& config, const Services& services) {
        return top_command(config, arguments_.top_interval, services, console_);
      });
    });
    app.add_option("--interval", arguments_.top_interval, "seconds between updates")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.2, 3600.0))
        ->capture_default_str();
  }

  void add_audit() {
    auto& app = command(
        app_, "audit", "check policies, SAs and routes: would anything leave in clear?", [this] {
          return with_daemon([this](const Config& config, const Services& services) {
            return audit_command(config, arguments_.audit_json, services, console_);
          });
        });
    app.add_flag("--json", arguments_.audit_json, "as JSON");
  }

  void add_doctor() {
    auto& app = command(
        app_, "doctor",
        "find what blocks or exposes traffic (firewall, routes, sysctls, IPsec), and how to fix it",
        [this] {
          return with_config([this](const Config& config) {
            return doctor_command(config, arguments_.doctor, services_, console_);
          });
        });
    app.add_flag("--json", arguments_.doctor.json, "as JSON");
    auto* peer = app.add_option("--peer", arguments_.doctor.peers, "only findings about this peer")
                     ->type_name("PEER");
    if (!services_.explain) return;
    app.add_option("--explain", arguments_.doctor.explain,
                   "trace what would happen to a packet from or to this node or one of its pods, "
                   "step by step")
        ->type_name("SRC DST")
        ->expected(2)
        ->excludes(peer);
  }

  void add_verify() {
    auto& app = command(app_, "verify", "send probes to the peers: encrypted both ways?", [this] {
      return with_config([this](const Config& config) {
        return verify_command(config, arguments_.verify, services_, console_);
      });
    });
    app.add_option("peers", arguments_.verify.peers, "only these peers")->type_name("PEER");
    app.add_option("--pod", arguments_.verify.pods, "also probe this pod of a peer; repeatable")
        ->type_name("ADDRESS")
        ->allow_extra_args(false);
    app.add_flag("--json", arguments_.verify.json, "as JSON");
  }

  void add_classify() {
    auto& app = command(app_, "classify", "classify a capture with the BPF programs' parser",
                        [this] { return classify(); });
    auto& a = arguments_;
    app.add_option("captures", a.classify.captures, "pcap or pcapng files")
        ->required()
        ->type_name("CAPTURE");
    app.add_option("--direction", a.classify_direction, "direction of all packets")
        ->check(CLI::IsMember({"receive", "transmit"}));
    app.add_option("--captured-on", a.classify_captured_on,
                   "wire: a tap or NIC port; host: a bridge or host device")
        ->check(CLI::IsMember({"wire", "host"}))
        ->capture_default_str();
    app.add_option("--engine", a.classify.engine,
                   "kernel: the BPF programs; host: the same parser without privileges; auto: "
                   "kernel if possible")
        ->check(CLI::IsMember({"auto", "kernel", "host"}))
        ->capture_default_str();
    app.add_flag("--json", a.classify.json, "as JSON");
  }

  int classify() {
    ClassifyArguments wanted = arguments_.classify;
    wanted.captured_on_wire = arguments_.classify_captured_on == "wire";
    if (arguments_.classify_direction == "receive") wanted.direction = Direction::RECEIVE;
    if (arguments_.classify_direction == "transmit") wanted.direction = Direction::TRANSMIT;
    // A capture is read on machines that are no node, too: only a named file is a topology.
    if (app_.get_option("--config")->count() == 0) return finish(services_.classify(wanted));
    return with_config([&](const Config& config) {
      wanted.config = config;
      return finish(services_.classify(wanted));
    });
  }

  // One of the commands below `policy`.
  CLI::App& policy_command(CLI::App& policy, const std::string& name,
                           const std::string& description,
                           int (*action)(const Config&, const PolicyOptions&, const Services&,
                                         Console&)) {
    auto& app = command(policy, name, description, [this, action] {
      return with_daemon([this, action](const Config& config, const Services& services) {
        return action(config, arguments_.policy, services, console_);
      });
    });
    app.add_flag("--json", arguments_.policy.json, "as JSON");
    return app;
  }

  void add_policy() {
    auto& options = arguments_.policy;
    auto* policy = app_.add_subcommand("policy", "what happens to unprotected packets, per peer");
    policy->require_subcommand(1);
    policy->fallthrough();
    policy_command(*policy, "show", "the mode of each peer, its source, and what it did",
                   policy_show_command);
    auto& set = policy_command(*policy, "set", "set the mode of a peer", policy_set_command);
    set.add_option("peer", options.peer, "its name, or all")->required()->type_name("PEER");
    set.add_option("mode", options.mode, "file: the mode in the configuration")
        ->required()
        ->type_name("MODE")
        ->check(CLI::IsMember({"monitor", "audit", "enforce", "file"}));
    set.add_option("--confirm-within", options.confirm_within,
                   "fall back from enforce to audit after this time unless confirmed: 60s, 5m, 1h")
        ->type_name("TIME");
    set.add_flag("--force", options.force, "allow enforce without a quiet audit period");
    auto& confirm = policy_command(*policy, "confirm", "confirm an enforce that has a deadline",
                                   policy_confirm_command);
    confirm.add_option("peer", options.peer, "its name, or all")->required()->type_name("PEER");
  }

  void add_mesh() {
    auto* mesh = app_.add_subcommand("mesh", "configuration files for the whole mesh");
    mesh->require_subcommand(1);
    mesh->fallthrough();
    auto& render =
        command(*mesh, "render", "write strongSwan's and OpenSVC's files of every node", [this] {
          arguments_.mesh.auth =
              arguments_.mesh_auth == "cert" ? MeshAuth::kCertificate : MeshAuth::kPsk;
          return with_config([this](const Config& loaded) {
            return mesh_render_command(loaded, arguments_.mesh, services_, console_);
          });
        });
    render.add_option("--out", arguments_.mesh.out, "output folder; changes are listed")
        ->required()
        ->type_name("DIR");
    render.add_option("--auth", arguments_.mesh_auth, "psk: a secret per pair; cert: certificates")
        ->check(CLI::IsMember({"psk", "cert"}))
        ->capture_default_str();
    render.add_flag("--force", arguments_.mesh.force,
                    "overwrite files that were edited or not written by espial");
  }

  void add_config() {
    auto* config = app_.add_subcommand("config", "the effective topology and the file");
    config->require_subcommand(1);
    config->fallthrough();
    if (services_.show_topology) {
      auto& show =
          command(*config, "show", "the effective topology and the source of each part", [this] {
            return with_config([this](const Config& loaded) {
              return config_show_command(loaded, arguments_.show_json, services_, console_);
            });
          });
      show.add_flag("--json", arguments_.show_json, "as JSON");
      command(*config, "discover", "print a complete, commented espial.yaml of what was learnt",
              [this] {
                return with_config([this](const Config& loaded) {
                  return config_discover_command(loaded, services_, console_);
                });
              });
    }
    auto& check = command(*config, "check", "report all errors of a file", [this] {
      const bool named = !arguments_.check_path.empty();
      return config_check_command(named ? arguments_.check_path : arguments_.config_path, named,
                                  console_);
    });
    check.add_option("file", arguments_.check_path, "default: that of --config")->type_name("F");
    if (!services_.forget) return;
    auto& forget = command(*config, "forget", "forget a learnt peer that has left", [this] {
      return with_config([this](const Config& loaded) {
        return config_forget_command(loaded, arguments_.forget_peer, services_, console_);
      });
    });
    forget.add_option("peer", arguments_.forget_peer, "its name")->required()->type_name("PEER");
  }

  void add_detach() {
    command(app_, "detach", "remove every program, map and pin", [this] {
      return with_config(
          [this](const Config& config) { return detach_command(config, services_, console_); });
    });
  }

  const Services& services_;
  Console& console_;
  Arguments arguments_;
  CLI::App app_{"Watch the wire of an IPsec mesh: how much is really encrypted, per peer.",
                "espial"};
  std::vector<Command> commands_;
};

}  // namespace

int cli_main(int argc, const char* const* argv, const Services& services, Console& console) {
  try {
    return CommandLine(services, console).run(argc, argv);
  } catch (const std::exception& e) {
    console.err << "espial: internal error: " << printable(e.what()) << " (please report it)\n";
  } catch (...) {
    console.err << "espial: internal error: unknown exception (please report it)\n";
  }
  return kExitBug;
}

int cli_main(int argc, char** argv, const Services& services) {
  Console console{std::cout, std::cerr, {}, false, 0, {}};
  measure_terminal(console);
  return cli_main(argc, argv, services, console);
}

}  // namespace espial
