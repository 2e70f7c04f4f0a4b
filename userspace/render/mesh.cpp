// SPDX-License-Identifier: Apache-2.0
#include "render/mesh.h"

#include <fmt/format.h>

#include <algorithm>

#include "render/files.h"
#include "render/nodes.h"

namespace espial {
namespace {

constexpr std::string_view kMark = "# made by: espial mesh render, checksum ";
constexpr std::string_view kShell = "#!/bin/sh\n";

// FNV-1a: notices edits, proves nothing against a forger.
std::string checksum(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3U;
  return fmt::format("{:016x}", hash);
}

RenderedFile file(std::string name, std::string_view body, bool script = false) {
  std::string text(script ? kShell : std::string_view());
  text += std::string(kMark) + checksum(body) + " (an edited file is not overwritten)\n";
  return {std::move(name), text.append(body), script};
}

}  // namespace

Result<RenderedMesh> render_mesh(const Topology& topology, MeshAuth auth) {
  EP_ASSIGN(mesh, mesh_nodes(topology));
  RenderedMesh out{{}, mesh.notes};
  for (const auto& node : mesh.nodes)
    out.files.push_back(file("swanctl." + node.name + ".conf", render_swanctl(mesh, node, auth)));
  out.files.push_back(file("strongswan.conf", render_strongswan_conf()));
  out.files.push_back(file("osvc.strongswan.conf", render_strongswan_service(auth)));
  out.files.push_back(file("osvc.espial.conf", render_espial_service()));
  out.files.push_back(file("opensvc-store.sh", render_store_script(mesh, auth), true));
  if (auth == MeshAuth::kPsk) out.files.push_back(file("psk.sh", render_psk_script(mesh), true));
  std::sort(out.files.begin(), out.files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

Authorship authorship(std::string_view text) {
  if (text.substr(0, kShell.size()) == kShell) text.remove_prefix(kShell.size());
  if (text.substr(0, kMark.size()) != kMark) return Authorship::kForeign;
  text.remove_prefix(kMark.size());
  const auto end = text.find('\n');
  if (end == std::string_view::npos) return Authorship::kEdited;
  return text.substr(0, text.find(' ')) == checksum(text.substr(end + 1)) ? Authorship::kOurs
                                                                          : Authorship::kEdited;
}

}  // namespace espial
