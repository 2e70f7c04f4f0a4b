// SPDX-License-Identifier: Apache-2.0
// `espial mesh render`: the files of a mesh into a folder, and what changed against what was there.
#pragma once

#include <string>

#include "cli/services.h"
#include "cli/terminal/console.h"
#include "render/mesh.h"

namespace espial {

struct MeshRenderOptions {
  std::string out;  // folder; made if it is missing
  MeshAuth auth = MeshAuth::kPsk;
  bool force = false;  // overwrite what others wrote or edited
};

// Writes nothing unless everything may be written; each file is replaced atomically.
int mesh_render_command(const Config&, const MeshRenderOptions&, const Services&, Console&);

}  // namespace espial
