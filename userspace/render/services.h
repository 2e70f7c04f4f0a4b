// SPDX-License-Identifier: Apache-2.0
// What is the same for every node: strongswan.conf, the OpenSVC services, and the scripts that put
// secrets in and store the files in OpenSVC.
#pragma once

#include <string>

#include "render/mesh.h"
#include "render/nodes.h"

namespace espial {

std::string render_strongswan_conf();
std::string render_strongswan_service(MeshAuth auth);
std::string render_espial_service();
// Makes missing secrets, and copies of the swanctl files with the secrets in place. Prints none.
std::string render_psk_script(const MeshNodes& mesh);
std::string render_store_script(const MeshNodes& mesh, MeshAuth auth);

}  // namespace espial
