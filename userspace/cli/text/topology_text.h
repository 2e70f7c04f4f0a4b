// SPDX-License-Identifier: Apache-2.0
// The effective topology as YAML (which `config check` accepts) and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "model/config.h"
#include "model/topology.h"

namespace espial {

// Pure. Comments name the source of each part and contradictions; values are those in force.
std::string render_topology(const Topology& topology, const Config& config);

// {"schema_version":1, "node", "instance", "pin_dir", "state_dir", "listen", "discover",
//  "max_peers",
//  "self":{"underlay":[{"address","from":[]}],"backend":[{"prefix","network","from"}]},
//  "networks":[{"name","subnets":[],"from"}], "peers":[{"name","state","mode","from","underlay",
//  "backend"}], "findings":[]}
nlohmann::json topology_document(const Topology& topology, const Config& config);

// What was learnt as a complete espial.yaml: every key, defaults commented out, with the source of
// each line.
// Always accepted by `espial config check`: what the check would refuse is commented out, with the
// reason. Candidates are commented out, too.
std::string render_discovered(const Topology& topology, const Config& config);

}  // namespace espial
