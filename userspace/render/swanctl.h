// SPDX-License-Identifier: Apache-2.0
// The swanctl.conf of one node: a connection per peer, a child per pair of subnets.
#pragma once

#include <string>

#include "render/mesh.h"
#include "render/nodes.h"

namespace espial {

// What stands for the secret of a pair: a comment, so that swanctl says "missing secret" and loads
// none as long as nobody replaced it. The connection's traps then hold the traffic.
std::string psk_placeholder(const MeshNode& one, const MeshNode& two);

std::string render_swanctl(const MeshNodes& mesh, const MeshNode& self, MeshAuth auth);

}  // namespace espial
