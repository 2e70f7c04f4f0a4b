// SPDX-License-Identifier: Apache-2.0
// Wires the parts of espial to its command line.
#include "cli/classify.h"
#include "cli/cli.h"

int main(int argc, char** argv) {
  espial::Services services;
  services.version = ESPIAL_VERSION;
  services.classify = [](const espial::ClassifyArguments& arguments) {
    return espial::classify(arguments);
  };
  return espial::cli_main(argc, argv, services);
}
