// SPDX-License-Identifier: Apache-2.0
// What was learnt as a complete espial.yaml: every key, defaults commented out, with the source of
// each line.
#pragma once

#include <string>

#include "model/config.h"
#include "model/topology.h"

namespace espial {

// Always accepted by `espial config check`: what the check would refuse is commented out, with the
// reason. Candidates are commented out, too.
std::string render_discovered(const Topology& topology, const Config& config);

}  // namespace espial
