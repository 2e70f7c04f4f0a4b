// SPDX-License-Identifier: Apache-2.0
// OpenSVC's cluster.conf (om3 core/xconfig): sections, keys scoped by @NODE, @nodes, @drpnodes and
// @encapnodes, [DEFAULT], references in braces.
//
// The file holds the cluster's secret. Only cluster.nodes, the network sections and what they refer
// to are copied out of the buffer it is read into, and that buffer is wiped; references reach
// [DEFAULT], [env], [labels], cluster.name, cluster.nodes and the section itself, nothing else.
// Which references were not followed is a problem of the facts.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/facts/opensvc.h"

namespace espial {

inline constexpr std::size_t kMaxClusterConf = 4 << 20;

// The facts, members not resolved. An error names no value of the text.
Result<OpensvcFacts> parse_cluster_conf(std::string_view text);

// The same from a file: at most kMaxClusterConf bytes, a regular file.
Result<OpensvcFacts> read_cluster_conf(const std::string& path);

}  // namespace espial
