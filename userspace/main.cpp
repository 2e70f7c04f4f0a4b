// SPDX-License-Identifier: Apache-2.0
// Wires the parts of espial to its command line.
#include "cli/cli.h"

int main(int argc, char** argv) {
  espial::Services services;
  services.version = ESPIAL_VERSION;
  return espial::cli_main(argc, argv, services);
}
