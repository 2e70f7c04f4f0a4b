// SPDX-License-Identifier: Apache-2.0
#include "kernel/program_pins.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/system_error.h"
#include "kernel/pin_dir.h"

namespace espial {
namespace {

constexpr const char* kLoaded = "ep_loaded";
constexpr std::uint32_t kMapsOfProgram = 16;

// One program as the kernel names it. An id may come again after 2^31 others, a load time not.
struct LoadedProgram {
  std::uint64_t load_time;
  std::uint32_t id;
  std::uint32_t type;
  std::array<std::uint8_t, BPF_TAG_SIZE> tag;
  std::uint32_t map_count;
  std::array<std::uint32_t, kMapsOfProgram> maps;
  std::uint32_t reserved;
};

// The value of ep_loaded.
struct Loaded {
  ProgramOrigin origin;
  std::array<LoadedProgram, kProgramCount> programs;
  std::array<std::uint32_t, kMapCount> maps;
  std::array<std::uint32_t, kSharedMapCount> shared;
  std::uint32_t reserved;
};
static_assert(std::has_unique_object_representations_v<Loaded>, "is compared as bytes");

Status describe(int fd, LoadedProgram& program) {
  bpf_prog_info info{};
  info.nr_map_ids = kMapsOfProgram;
  info.map_ids = reinterpret_cast<std::uintptr_t>(program.maps.data());
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
    return Error{fmt::format("describe: {}", std::strerror(errno))};
  // What the kernel says of maps and links is shorter.
  if (size < offsetof(bpf_prog_info, recursion_misses)) return Error{"is not a program"};
  if (info.nr_map_ids > kMapsOfProgram) return Error{"uses too many maps"};
  program.load_time = info.load_time;
  program.id = info.id;
  program.type = info.type;
  std::copy(std::begin(info.tag), std::end(info.tag), program.tag.begin());
  program.map_count = info.nr_map_ids;
  return Ok{};
}

Status describe(int fd, std::uint32_t& map) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
    return Error{fmt::format("describe: {}", std::strerror(errno))};
  map = info.id;
  return Ok{};
}

Result<Loaded> describe(const ProgramOrigin& origin, const ProgramSet& set) {
  Loaded loaded{};
  loaded.origin = origin;
  for (std::size_t i = 0; i < kProgramCount; ++i) {
    if (!set.programs[i].valid()) continue;
    if (auto status = describe(set.programs[i].get(), loaded.programs[i]); !status.ok())
      return std::move(status).error().wrap(std::string(program_name(static_cast<ProgramId>(i))));
  }
  for (std::size_t i = 0; i < kMapCount; ++i)
    if (auto status = describe(set.maps[i].get(), loaded.maps[i]); !status.ok())
      return std::move(status).error().wrap(std::string(map_name(static_cast<MapId>(i))));
  for (std::size_t i = 0; i < kSharedMapCount; ++i)
    if (auto status = describe(set.shared[i].get(), loaded.shared[i]); !status.ok())
      return std::move(status).error().wrap(std::string(map_name(static_cast<SharedMap>(i))));
  return loaded;
}

bool is_ours(const std::string& path, mode_t kind) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && (status.st_mode & S_IFMT) == kind &&
         status.st_uid == geteuid() && (status.st_mode & 0077) == 0;
}

Result<UniqueFd> open_pin(const std::string& path) {
  if (!is_ours(path, S_IFREG))
    return Error{path + (access(path.c_str(), F_OK) == 0
                             ? ": is not owned and accessible by this user only"
                             : ": is not pinned")};
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) return system_error(path, "open", errno);
  return fd;
}

// Every pin of PIN_DIR/programs and what it holds.
std::vector<std::pair<std::string, int>> pins_of(const ProgramSet& set) {
  std::vector<std::pair<std::string, int>> pins;
  for (std::size_t i = 0; i < kProgramCount; ++i)
    if (set.programs[i].valid())
      pins.emplace_back(program_name(static_cast<ProgramId>(i)), set.programs[i].get());
  for (std::size_t i = 0; i < kSharedMapCount; ++i)
    pins.emplace_back(map_name(static_cast<SharedMap>(i)), set.shared[i].get());
  pins.emplace_back(kLoaded, set.loaded.get());
  return pins;
}

Result<UniqueFd> write_loaded(const Loaded& loaded) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_RDONLY_PROG);
  UniqueFd map(
      bpf_map_create(BPF_MAP_TYPE_ARRAY, kLoaded, sizeof(__u32), sizeof(Loaded), 1, &options));
  const __u32 zero = 0;
  if (!map.valid() || bpf_map_update_elem(map.get(), &zero, &loaded, BPF_ANY) != 0 ||
      bpf_map_freeze(map.get()) != 0)
    return Error{fmt::format("map {}: write: {}", kLoaded, std::strerror(errno))};
  return map;
}

Result<Loaded> read_loaded(int map) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  Loaded loaded{};
  const __u32 zero = 0;
  if (bpf_obj_get_info_by_fd(map, &info, &size) != 0 || info.type != BPF_MAP_TYPE_ARRAY ||
      info.key_size != sizeof(zero) || info.value_size != sizeof(Loaded) || info.max_entries != 1 ||
      bpf_map_lookup_elem(map, &zero, &loaded) != 0)
    return Error{"the pinned programs come from another build"};
  return loaded;
}

bool equal(const ProgramOrigin& a, const ProgramOrigin& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

}  // namespace

Result<ProgramSet> open_pinned_programs(const std::string& pin_dir, const ProgramOrigin& origin) {
  const auto folder = pinned_programs_dir(pin_dir);
  if (access(folder.c_str(), F_OK) != 0) return Error{"no programs were pinned"};
  if (!is_ours(folder, S_IFDIR))
    return Error{folder + ": is not a folder owned and accessible by this user only"};
  ProgramSet set;
  EP_ASSIGN(map, open_pin(folder + "/" + kLoaded));
  set.loaded = std::move(map);
  EP_ASSIGN(loaded, read_loaded(set.loaded.get()));
  if (loaded.origin.object != origin.object)
    return Error{"the pinned programs come from another build"};
  if (!equal(loaded.origin, origin))
    return Error{"the pinned programs were loaded with another configuration"};
  for (std::size_t i = 0; i < kProgramCount; ++i) {
    const auto id = static_cast<ProgramId>(i);
    if (id == ProgramId::kXdp && origin.xdp == 0) continue;
    EP_ASSIGN(program, open_pin(folder + "/" + std::string(program_name(id))));
    set.programs[i] = std::move(program);
  }
  for (std::size_t i = 0; i < kMapCount; ++i) {
    EP_ASSIGN(one, open_pin(pinned_map_path(pin_dir, map_name(static_cast<MapId>(i)))));
    set.maps[i] = std::move(one);
  }
  for (std::size_t i = 0; i < kSharedMapCount; ++i) {
    EP_ASSIGN(one, open_pin(folder + "/" + std::string(map_name(static_cast<SharedMap>(i)))));
    set.shared[i] = std::move(one);
  }
  EP_ASSIGN(now, describe(origin, set));
  if (std::memcmp(&now, &loaded, sizeof(now)) != 0)
    return Error{"the pinned programs and maps are not those that were loaded together"};
  if (list_dir(folder).size() != pins_of(set).size())
    return Error{folder + ": contains other files"};
  return set;
}

Status pin_programs(const std::string& pin_dir, const ProgramOrigin& origin, ProgramSet& set) {
  EP_ASSIGN(loaded, describe(origin, set));
  EP_ASSIGN(map, write_loaded(loaded));
  EP_TRY(begin_pinned_programs(pin_dir));
  set.loaded = std::move(map);
  auto status = [&]() -> Status {
    for (const auto& [name, fd] : pins_of(set))
      EP_TRY(replace_pin(fd, next_program_path(pin_dir, name)));
    return swap_pinned_programs(pin_dir);
  }();
  if (!status.ok()) set.loaded = {};
  return status;
}

std::size_t restore_program_pins(const std::string& pin_dir, const ProgramSet& set) {
  if (!set.loaded.valid()) return 0;
  std::size_t missing = 0;
  for (const auto& [name, fd] : pins_of(set)) {
    const auto path = pinned_programs_dir(pin_dir) + "/" + name;
    if (access(path.c_str(), F_OK) == 0) continue;
    if (missing == 0 && !make_programs_dir(pin_dir).ok()) return 0;
    if (replace_pin(fd, path).ok()) ++missing;
  }
  return missing;
}

}  // namespace espial
