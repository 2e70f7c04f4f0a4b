// SPDX-License-Identifier: Apache-2.0
#include "cli/mesh_command.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <ostream>

#include "base/printable.h"
#include "cli/terminal/report.h"
#include "cli/text/line_diff.h"
#include "sources/state/state_file.h"

namespace espial {
namespace {

enum class FileChange { kAdded, kChanged, kUnchanged };

std::string_view word(FileChange fate) {
  switch (fate) {
    case FileChange::kAdded:
      return "added      ";
    case FileChange::kChanged:
      return "changed    ";
    case FileChange::kUnchanged:
      return "unchanged  ";
  }
  return {};
}

struct Entry {
  const RenderedFile* file = nullptr;
  FileChange fate = FileChange::kAdded;
  std::string before;
};

// Without the checksum, which says of itself that something changed.
std::string_view body_of(std::string_view text) {
  if (text.substr(0, 2) == "#!") text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  if (authorship(text) == Authorship::kForeign) return text;
  return text.substr(std::min(text.find('\n') + 1, text.size()));
}

Result<std::vector<Entry>> compare(const std::string& folder, const RenderedMesh& mesh,
                                   bool force) {
  std::vector<Entry> entries;
  std::string refused;
  for (const auto& file : mesh.files) {
    EP_ASSIGN(before, read_file(folder + "/" + file.name, Trust::kNone));
    Entry entry{&file, FileChange::kAdded, before.value_or("")};
    if (before) entry.fate = *before == file.text ? FileChange::kUnchanged : FileChange::kChanged;
    if (entry.fate == FileChange::kChanged && !force) {
      const auto author = authorship(entry.before);
      const auto path = printable(folder + "/" + file.name);
      if (author == Authorship::kForeign)
        refused += path + ": not written by espial (--force overwrites it)\n";
      if (author == Authorship::kEdited)
        refused += path + ": edited since espial wrote it (--force overwrites it)\n";
    }
    entries.push_back(std::move(entry));
  }
  if (refused.empty()) return entries;
  return Error{refused + "nothing was written", Failure::kUsage};
}

Status write(const std::string& folder, const std::vector<Entry>& entries) {
  for (const auto& entry : entries)
    if (entry.fate != FileChange::kUnchanged)
      EP_TRY(replace_file(folder, folder + "/" + entry.file->name, entry.file->text,
                          entry.file->executable ? 0755 : 0644));
  return Ok{};
}

// Files of former runs that belong to no node any more. They are listed, never removed.
std::vector<std::string> left_over(const std::string& folder, const RenderedMesh& mesh) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& item : std::filesystem::directory_iterator(folder, error)) {
    const auto name = item.path().filename().string();
    const bool known = std::any_of(mesh.files.begin(), mesh.files.end(),
                                   [&](const RenderedFile& f) { return f.name == name; });
    if (known || !item.is_regular_file(error)) continue;
    const auto text = read_file(item.path(), Trust::kNone);
    if (text.ok() && *text && authorship(**text) != Authorship::kForeign) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void report_changes(const std::vector<Entry>& entries, const std::vector<std::string>& left,
                    const RenderedMesh& mesh, std::ostream& out) {
  for (const auto& entry : entries) out << word(entry.fate) << printable(entry.file->name) << "\n";
  for (const auto& name : left) out << "left over  " << printable(name) << "\n";
  for (const auto& entry : entries)
    if (entry.fate == FileChange::kChanged && authorship(entry.before) == Authorship::kOurs)
      out << "\n--- " << printable(entry.file->name) << "\n"
          << line_diff(body_of(entry.before), body_of(entry.file->text));
  if (!mesh.notes.empty()) out << "\n";
  for (const auto& note : mesh.notes) out << note << "\n";
}

}  // namespace

int mesh_render_command(const Config& config, const MeshRenderOptions& options,
                        const Services& services, Console& console) {
  const auto topology = services.show_topology(config);
  if (!topology.ok()) return report(topology.error(), console);
  const auto mesh = render_mesh(*topology, options.auth);
  if (!mesh.ok()) return report(mesh.error(), console);
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error)
    return report(Error{printable(options.out) + ": make the folder: " + error.message()}, console);
  const auto entries = compare(options.out, *mesh, options.force);
  if (!entries.ok()) return report(entries.error(), console);
  const auto left = left_over(options.out, *mesh);
  if (const auto status = write(options.out, *entries); !status.ok())
    return report(status.error(), console);
  report_changes(*entries, left, *mesh, console.out);
  console.out << std::flush;
  if (console.out) return kExitGood;
  return report(Error{"standard output: write: failed (is the disk full?)"}, console);
}

}  // namespace espial
