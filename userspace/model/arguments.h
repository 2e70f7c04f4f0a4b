// SPDX-License-Identifier: Apache-2.0
// What the command line says to the rooms that carry a command out: plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/words.h"

namespace espial {

struct RunOptions {
  std::string config_path;  // to read again at SIGHUP
  bool arm = false;         // attach and pin what is saved, then end
  bool strict = false;      // an optional source that cannot start is fatal
};

struct ClassifyArguments {
  std::vector<std::string> captures;   // paths, at least one
  std::optional<Direction> direction;  // of every packet; nothing: as the topology tells
  bool captured_on_wire = false;       // else on a host device or bridge: no proof inbound
  std::optional<Config> config;        // nothing: classify without a topology
  std::string engine = "auto";         // "kernel", "host"; auto: the kernel's if it starts
  bool json = false;
};

}  // namespace espial
