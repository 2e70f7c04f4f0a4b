// SPDX-License-Identifier: Apache-2.0
// What has to be deployed so that every pair of nodes of a topology is encrypted: strongSwan's
// configuration for each node and the OpenSVC services of the mesh. Pure: topology in, texts out.
// No file ever holds a secret: a placeholder marks where one belongs.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/topology.h"

namespace espial {

inline constexpr std::size_t kMaxRenderedNodes = 500;  // the files grow with their square

enum class MeshAuth { kPsk, kCertificate };

struct RenderedFile {
  std::string name;  // without a folder
  std::string text;
  bool executable = false;
  bool operator==(const RenderedFile&) const = default;
};

struct RenderedMesh {
  std::vector<RenderedFile> files;  // by name
  std::vector<std::string> notes;   // what was left out and why, one line each
};

// A usage error names everything that the topology lacks, one line each.
Result<RenderedMesh> render_mesh(const Topology& topology, MeshAuth auth);

// Each rendered file carries a checksum of itself in one of its first two lines.
enum class Authorship { kForeign, kOurs, kEdited };
Authorship authorship(std::string_view text);

}  // namespace espial
