// SPDX-License-Identifier: Apache-2.0
#include "kernel/maps.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/system_error.h"
#include "wire.h"

namespace espial {
namespace {

Result<std::uint32_t> max_entries(int fd, MapId id) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return map_error(id, "describe");
  return info.max_entries;
}

}  // namespace

Error map_error(MapId id, const char* operation) {
  return system_error(fmt::format("map {}", map_name(id)), operation, errno);
}

Result<Maps> Maps::of(const Programs& programs) {
  Maps maps;
  for (std::size_t i = 0; i < kMapCount; ++i) maps.fds_[i] = programs.map_fd(static_cast<MapId>(i));
  EP_TRY(maps.measure());
  return maps;
}

Result<Maps> Maps::open_pinned(const std::string& pin_dir) {
  Maps maps;
  for (std::size_t i = 0; i < kMapCount; ++i) {
    EP_ASSIGN(fd, open_pinned_map(pin_dir, static_cast<MapId>(i)));
    maps.fds_[i] = fd.get();
    maps.owned_[i] = std::move(fd);
  }
  EP_TRY(maps.measure());
  return maps;
}

Status Maps::measure() {
  EP_ASSIGN(peers, max_entries(fd(MapId::kPeerMeta), MapId::kPeerMeta));
  EP_ASSIGN(subnets, max_entries(fd(MapId::kNetMeta), MapId::kNetMeta));
  max_peers_ = peers - 1;
  max_subnets_ = subnets - 1;
  const __u32 zero = 0;
  ep_layout layout{};
  if (bpf_map_lookup_elem(fd(MapId::kLayout), &zero, &layout) != 0)
    return Error{fmt::format("map {}: read: {}", map_name(MapId::kLayout), std::strerror(errno))};
  carried_ = layout.carried != 0;
  return Ok{};
}

}  // namespace espial
