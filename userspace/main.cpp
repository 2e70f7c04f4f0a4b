// SPDX-License-Identifier: Apache-2.0
// Wires the parts of espial to its command line.
#include <iostream>

#include "classify/classify.h"
#include "cli/cli.h"
#include "cli/terminal/console.h"
#include "daemon/offline/diagnosis.h"
#include "daemon/offline/offline.h"
#include "daemon/run.h"

int main(int argc, char** argv) {
  espial::Services services;
  services.version = ESPIAL_VERSION;
  services.run_daemon = [](const espial::Config& config, const espial::RunOptions& options) {
    return espial::run_daemon(config, options, ESPIAL_VERSION);
  };
  services.offline_status = espial::offline_status;
  services.offline_flows = espial::offline_flows;
  services.offline_alarms = espial::offline_alarms;
  services.name_drop_rules = espial::name_drop_rules;
  services.offline_audit = espial::offline_audit;
  services.doctor = espial::doctor_now;
  services.explain = espial::explain_now;
  services.verify = espial::verify_now;
  services.offline_modes = espial::offline_modes;
  services.show_topology = espial::effective_topology;
  services.forget = espial::forget_saved_peer;
  services.detach = espial::detach_instance;
  services.classify = [](const espial::ClassifyArguments& arguments) {
    espial::Console console{std::cout, std::cerr, {}, false, 0, {}};
    espial::measure_terminal(console);
    return espial::classify_command(arguments, console);
  };
  return espial::cli_main(argc, argv, services);
}
