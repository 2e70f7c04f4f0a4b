// SPDX-License-Identifier: Apache-2.0
#include "kernel/pin_dir.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/system_error.h"

namespace espial {
namespace {

Error path_error(const std::string& path, std::string_view operation, int error) {
  return system_error(path, operation, error,
                      error == EPERM || error == EACCES ? " (needs root)" : "");
}

Status make_dir(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return path_error(path, "create folder", errno);
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return path_error(path, "look", errno);
  if (!S_ISDIR(status.st_mode)) return Error{path + ": is not a folder"};
  if (status.st_uid != geteuid())
    return Error{
        fmt::format("{}: belongs to user {}, not to {}: not used (remove it, or run as its "
                    "owner)",
                    path, status.st_uid, geteuid())};
  if ((status.st_mode & 0077) != 0 && chmod(path.c_str(), 0700) != 0)
    return path_error(path, "restrict to its owner", errno);
  return Ok{};
}

Status check_bpffs(const std::string& parent) {
  struct statfs fs = {};
  if (statfs(parent.c_str(), &fs) != 0)
    return Error{fmt::format("{}: {} (mount the BPF file system: mount -t bpf bpf /sys/fs/bpf)",
                             parent, std::strerror(errno))};
  if (static_cast<unsigned long>(fs.f_type) != BPF_FS_MAGIC)
    return Error{fmt::format("{}: is not a BPF file system (mount -t bpf bpf {})", parent, parent)};
  return Ok{};
}

constexpr std::string_view kFormer = "former-";
constexpr const char* kNextPrograms = "/next-programs";

Status move(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return path_error(from, "rename to " + to, errno);
  return Ok{};
}

// The folder with its pins, or what stands in its place.
Status remove_pins(const std::string& folder) {
  struct stat status {};
  if (lstat(folder.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    if (unlink(folder.c_str()) != 0) return path_error(folder, "remove pin", errno);
    return Ok{};
  }
  for (const auto& name : list_dir(folder)) {
    const auto path = folder + "/" + name;
    if (unlink(path.c_str()) != 0) return path_error(path, "remove pin", errno);
  }
  if (rmdir(folder.c_str()) != 0 && errno != ENOENT)
    return path_error(folder, "remove folder", errno);
  return Ok{};
}

unsigned former_number(const std::string& path) {
  unsigned number = 0;
  const auto digits = path.substr(path.rfind('-') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

}  // namespace

Status prepare_pin_dir(const std::string& pin_dir) {
  const auto parent = std::filesystem::path(pin_dir).parent_path().string();
  EP_TRY(check_bpffs(parent));
  EP_TRY(make_dir(pin_dir));
  // Without the one and with the other, only the last step of a swap is missing.
  if (access((pin_dir + "/maps").c_str(), F_OK) != 0 &&
      access((pin_dir + "/next").c_str(), F_OK) == 0)
    EP_TRY(move(pin_dir + "/next", pin_dir + "/maps"));
  EP_TRY(remove_pins(pin_dir + "/next"));      // a start that did not come that far
  (void)remove_pins(pin_dir + kNextPrograms);  // if it cannot be, the programs are not pinned
  EP_TRY(make_dir(pin_dir + "/maps"));
  EP_TRY(make_dir(pinned_links_dir(pin_dir)));
  return make_dir(pinned_xdp_dir(pin_dir));
}

std::string pinned_map_path(const std::string& pin_dir, std::string_view name) {
  return fmt::format("{}/maps/{}", pin_dir, name);
}

std::string pinned_links_dir(const std::string& pin_dir) { return pin_dir + "/links"; }
std::string pinned_xdp_dir(const std::string& pin_dir) { return pin_dir + "/xdp"; }

std::string pinned_sas_dir(const std::string& pin_dir) { return pin_dir + "/sas"; }
Status make_sas_dir(const std::string& pin_dir) { return make_dir(pinned_sas_dir(pin_dir)); }

Status replace_pin(int fd, const std::string& path) {
  // bpffs refuses to rename over an object: remove and pin. Only user space looks at this path.
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return path_error(path, "remove old pin", errno);
  if (bpf_obj_pin(fd, path.c_str()) != 0) return path_error(path, "pin", errno);
  return Ok{};
}

std::string next_map_path(const std::string& pin_dir, std::string_view name) {
  return fmt::format("{}/next/{}", pin_dir, name);
}

Status begin_pinned_maps(const std::string& pin_dir) {
  EP_TRY(remove_pins(pin_dir + "/next"));
  return make_dir(pin_dir + "/next");
}

Status swap_pinned_maps(const std::string& pin_dir) {
  const auto maps = pin_dir + "/maps";
  if (list_dir(maps).empty()) {
    if (rmdir(maps.c_str()) != 0) return path_error(maps, "remove folder", errno);
  } else {
    const auto former = former_map_dirs(pin_dir);
    const auto number = former.empty() ? 1 : former_number(former.back()) + 1;
    EP_TRY(move(maps, fmt::format("{}/{}{}", pin_dir, kFormer, number)));
  }
  return move(pin_dir + "/next", maps);
}

std::string pinned_programs_dir(const std::string& pin_dir) { return pin_dir + "/programs"; }

Status make_programs_dir(const std::string& pin_dir) {
  EP_TRY(make_dir(pin_dir));
  return make_dir(pinned_programs_dir(pin_dir));
}

std::string next_program_path(const std::string& pin_dir, std::string_view name) {
  return fmt::format("{}{}/{}", pin_dir, kNextPrograms, name);
}

Status begin_pinned_programs(const std::string& pin_dir) {
  EP_TRY(remove_pins(pin_dir + kNextPrograms));
  return make_dir(pin_dir + kNextPrograms);
}

Status swap_pinned_programs(const std::string& pin_dir) {
  EP_TRY(remove_pins(pinned_programs_dir(pin_dir)));
  return move(pin_dir + kNextPrograms, pinned_programs_dir(pin_dir));
}

std::vector<std::string> former_map_dirs(const std::string& pin_dir) {
  std::vector<std::string> dirs;
  for (const auto& name : list_dir(pin_dir))
    if (name.rfind(kFormer, 0) == 0) dirs.push_back(pin_dir + "/" + name);
  std::sort(dirs.begin(), dirs.end(),
            [](const auto& a, const auto& b) { return former_number(a) < former_number(b); });
  return dirs;
}

// The oldest last: what it holds is not known to the others (kernel/former_maps.h).
Status remove_former_maps(const std::string& pin_dir) {
  const auto dirs = former_map_dirs(pin_dir);
  for (auto it = dirs.rbegin(); it != dirs.rend(); ++it) EP_TRY(remove_pins(*it));
  return Ok{};
}

std::vector<std::string> list_dir(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error))
    names.push_back(entry.path().filename().string());
  return names;
}

Status remove_pin_dir(const std::string& pin_dir) {
  std::error_code error;
  if (!std::filesystem::exists(pin_dir, error)) return Ok{};
  EP_TRY(check_bpffs(std::filesystem::path(pin_dir).parent_path().string()));
  // What drops packets goes before what it reads.
  for (const auto* part : {"/xdp", "/links", "/sas", "/programs", kNextPrograms, "/maps", "/next"})
    EP_TRY(remove_pins(pin_dir + part));
  EP_TRY(remove_former_maps(pin_dir));
  if (rmdir(pin_dir.c_str()) != 0) return path_error(pin_dir, "remove folder", errno);
  return Ok{};
}

}  // namespace espial
