// SPDX-License-Identifier: Apache-2.0
// The files of a mesh.
#pragma once

#include <string>

#include "render/mesh.h"
#include "render/nodes.h"

namespace espial {

// The swanctl.conf of one node: a connection per peer, a child per pair of subnets.
std::string render_swanctl(const MeshNodes& mesh, const MeshNode& self, MeshAuth auth);

// What stands for the secret of a pair: a comment, so that swanctl says "missing secret" and loads
// none as long as nobody replaced it. The connection's traps then hold the traffic.
std::string psk_placeholder(const MeshNode& one, const MeshNode& two);

// What is the same for every node: strongswan.conf, the OpenSVC services, and the scripts that put
// secrets in and store the files in OpenSVC.
std::string render_strongswan_conf();
std::string render_strongswan_service(MeshAuth auth);
std::string render_espial_service();
// Makes missing secrets, and copies of the swanctl files with the secrets in place. Prints none.
std::string render_psk_script(const MeshNodes& mesh);
std::string render_store_script(const MeshNodes& mesh, MeshAuth auth);

}  // namespace espial
