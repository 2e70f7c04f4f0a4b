// SPDX-License-Identifier: Apache-2.0
#include "kernel/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "espial.skel.h"
#include "kernel/former_maps.h"
#include "kernel/libbpf_log.h"
#include "kernel/maps.h"
#include "kernel/pin_dir.h"

namespace espial {
namespace {

constexpr std::array<std::string_view, kMapCount> kMapNames{
    "ep_tables",    "ep_peer_stat", "ep_net_stat",  "ep_node_stat", "ep_flows",
    "ep_limiter",   "ep_events",    "ep_peer_meta", "ep_net_meta",  "ep_policy",
    "ep_peer_base", "ep_net_base",  "ep_node_base", "ep_layout"};

bpf_map* map_of(const espial_bpf& skeleton, MapId id) {
  return bpf_object__find_map_by_name(skeleton.obj, map_name(id).data());
}

// Is the pinned map what this build and configuration would create?
bool same_shape(int fd, bpf_map* map) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return false;
  return info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
         info.value_size == bpf_map__value_size(map) &&
         info.max_entries == bpf_map__max_entries(map);
}

// Adopts every pinned map, or none: counters and the identities they belong to stay together.
bool adopt_maps(const espial_bpf& skeleton, const std::string& pin_dir) {
  std::array<UniqueFd, kMapCount> fds;
  for (std::size_t i = 0; i < kMapCount; ++i) {
    const auto id = static_cast<MapId>(i);
    if (id == MapId::kTables) continue;  // rebuilt at once; its size may have changed
    fds[i] = UniqueFd(bpf_obj_get(pinned_map_path(pin_dir, map_name(id)).c_str()));
    if (!fds[i].valid() || !same_shape(fds[i].get(), map_of(skeleton, id))) return false;
  }
  if (!has_this_layout(fds[static_cast<std::size_t>(MapId::kLayout)].get())) return false;
  for (std::size_t i = 0; i < kMapCount; ++i) {
    if (fds[i].valid() && bpf_map__reuse_fd(map_of(skeleton, static_cast<MapId>(i)), fds[i].get()))
      return false;
  }
  return true;
}

UniqueFd create_table_map(const TableCapacity& capacity) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_RDONLY_PROG);
  return UniqueFd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ep_table", sizeof(__u32),
                                 static_cast<__u32>(capacity.bytes()), 1, &options));
}

Error load_error(int error, std::string_view operation) {
  const bool permission = error == EPERM;  // EACCES is the verifier's word for a bad access
  std::string message = fmt::format("BPF programs: {}: {}", operation, std::strerror(error));
  if (permission) message += " (needs root, or CAP_BPF and CAP_NET_ADMIN)";
  const auto log = libbpf_log_tail();
  if (!log.empty() && !permission) message += "; " + log;
  return Error{std::move(message)};
}

void configure(espial_bpf& skeleton, const ProgramLimits& limits, const TableCapacity& capacity,
               bool xfrm_state) {
  // The skeleton maps the read-only section writable until load; const volatile is for the
  // programs.
  auto& config = const_cast<ep_config&>(const_cast<const ep_config&>(skeleton.rodata->ep_config));
  config.slots = capacity.slots;
  config.max_peers = limits.max_peers;
  config.max_subnets = limits.max_subnets;
  config.flow_events_per_second = limits.flow_events_per_second;
  config.have_xfrm = xfrm_state;
  config.report = limits.report;
  bpf_program__set_autoload(skeleton.progs.ep_xdp, limits.xdp);
  bpf_map__set_max_entries(skeleton.maps.ep_peer_stat, limits.max_peers + 1);
  bpf_map__set_max_entries(skeleton.maps.ep_peer_meta, limits.max_peers + 1);
  bpf_map__set_max_entries(skeleton.maps.ep_peer_base, limits.max_peers + 1);
  bpf_map__set_max_entries(skeleton.maps.ep_net_base, limits.max_subnets + 1);
  bpf_map__set_max_entries(skeleton.maps.ep_policy, limits.max_peers + 1);
  bpf_map__set_max_entries(skeleton.maps.ep_net_stat, limits.max_subnets + 1);
  bpf_map__set_max_entries(skeleton.maps.ep_net_meta, limits.max_subnets + 1);
}

}  // namespace

std::string_view map_name(MapId id) { return kMapNames[static_cast<std::size_t>(id)]; }

void Programs::Destroy::operator()(espial_bpf* skeleton) const { espial_bpf__destroy(skeleton); }
Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;
Programs::~Programs() = default;

Result<Programs> Programs::load(const std::string& pin_dir, const ProgramLimits& limits) {
  capture_libbpf_log();
  Programs programs;
  programs.limits_ = limits;
  programs.capacity_ = TableCapacity::for_peers(limits.max_peers);
  programs.xfrm_state_ =
      libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_get_xfrm_state, nullptr) == 1;
  programs.skeleton_.reset(espial_bpf__open());
  if (!programs.skeleton_) return load_error(errno, "open");
  auto& skeleton = *programs.skeleton_;
  configure(skeleton, limits, programs.capacity_, programs.xfrm_state_);

  for (auto& table : programs.tables_) {
    table = create_table_map(programs.capacity_);
    if (!table.valid()) return load_error(errno, "create peer table");
  }
  if (bpf_map__set_inner_map_fd(skeleton.maps.ep_tables, programs.tables_[0].get()) != 0)
    return load_error(errno, "describe peer table");
  if (!pin_dir.empty()) {
    EP_TRY(prepare_pin_dir(pin_dir));
    programs.adopted_ = adopt_maps(skeleton, pin_dir);
    programs.discarded_ = !programs.adopted_ && !list_dir(pin_dir + "/maps").empty();
  }
  if (const int error = espial_bpf__load(&skeleton); error != 0) return load_error(-error, "load");
  if (pin_dir.empty()) return programs;
  if (!programs.adopted_)
    EP_TRY(programs.replace_maps(pin_dir));
  else
    EP_TRY(replace_pin(programs.map_fd(MapId::kTables),
                       pinned_map_path(pin_dir, map_name(MapId::kTables))));
  return programs;
}

// Whoever looks, and whoever continues after a SIGKILL at any point, finds the former maps or the
// new ones, never a mixture: they are pinned in a folder of their own, which is then renamed.
Status Programs::replace_maps(const std::string& pin_dir) {
  EP_ASSIGN(maps, Maps::of(*this));
  EP_ASSIGN(former, FormerMaps::open(pin_dir, FormerMaps::When::kFirst));
  EP_TRY(write_layout(maps, former.known()));
  if (former.known()) EP_TRY(former.carry(maps, FormerMaps::When::kFirst));
  carried_ = former.known();
  EP_TRY(begin_pinned_maps(pin_dir));
  for (std::size_t i = 0; i < kMapCount; ++i) {
    const auto id = static_cast<MapId>(i);
    EP_TRY(replace_pin(map_fd(id), next_map_path(pin_dir, map_name(id))));
  }
  return swap_pinned_maps(pin_dir);
}

Status Programs::release_former_maps(const std::string& pin_dir) {
  if (former_map_dirs(pin_dir).empty()) return Ok{};
  EP_ASSIGN(maps, Maps::of(*this));
  EP_TRY(wait_for_readers());
  EP_ASSIGN(former, FormerMaps::open(pin_dir, FormerMaps::When::kLast));
  if (former.known()) EP_TRY(former.carry(maps, FormerMaps::When::kLast));
  return remove_former_maps(pin_dir);
}

// A map of maps is updated after a grace period (see set_table): no former program runs any more.
Status Programs::wait_for_readers() const {
  const __u32 zero = 0;
  const int fd = tables_[current_].get();
  if (bpf_map_update_elem(map_fd(MapId::kTables), &zero, &fd, BPF_ANY) != 0)
    return load_error(errno, "wait for former programs");
  return Ok{};
}

int Programs::program_fd(Direction direction, DeviceRole role, bool ethernet) const {
  const auto& programs = skeleton_->progs;
  const bpf_program* program = nullptr;
  if (direction == Direction::TRANSMIT) {
    program = ethernet ? programs.ep_tx : programs.ep_tx_l3;
  } else {
    switch (role) {
      case DeviceRole::kWire:
        program = ethernet ? programs.ep_rx_wire : programs.ep_rx_wire_l3;
        break;
      case DeviceRole::kReentry:
        program = ethernet ? programs.ep_rx_re : programs.ep_rx_re_l3;
        break;
      case DeviceRole::kWireAndReentry:
        program = ethernet ? programs.ep_rx_both : programs.ep_rx_both_l3;
        break;
    }
  }
  return bpf_program__fd(program);
}

int Programs::xdp_fd() const { return limits_.xdp ? bpf_program__fd(skeleton_->progs.ep_xdp) : -1; }

int Programs::shot_fd() const { return bpf_map__fd(skeleton_->maps.ep_shot); }

int Programs::map_fd(MapId id) const { return bpf_map__fd(map_of(*skeleton_, id)); }

std::size_t Programs::restore_pins(const std::string& pin_dir) const {
  std::size_t missing = 0;
  for (std::size_t i = 0; i < kMapCount; ++i) {
    const auto path = pinned_map_path(pin_dir, map_name(static_cast<MapId>(i)));
    if (access(path.c_str(), F_OK) == 0) continue;
    if (missing == 0 && !prepare_pin_dir(pin_dir).ok()) return 0;
    if (replace_pin(map_fd(static_cast<MapId>(i)), path).ok()) ++missing;
  }
  return missing;
}

Status Programs::set_table(const TableSpec& spec) {
  EP_ASSIGN(block, build_table(spec, capacity_));
  const __u32 zero = 0;
  const std::size_t next = 1 - current_;
  const int fd = tables_[next].get();
  if (bpf_map_update_elem(fd, &zero, block.data(), BPF_ANY) != 0)
    return load_error(errno, "fill peer table");
  // Returns after a grace period: no program reads the other table any more
  // (maybe_wait_bpf_programs in kernel/bpf/syscall.c), so the next call may fill it.
  if (bpf_map_update_elem(map_fd(MapId::kTables), &zero, &fd, BPF_ANY) != 0)
    return load_error(errno, "swap peer table");
  current_ = next;
  table_entries_ = reinterpret_cast<const ep_table_head*>(block.data())->entries;
  return Ok{};
}

Result<UniqueFd> open_pinned_map(const std::string& pin_dir, MapId id) {
  const auto path = pinned_map_path(pin_dir, map_name(id));
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) {
    const char* hint = errno == ENOENT                     ? " (is espial running, or was it ever?)"
                       : errno == EPERM || errno == EACCES ? " (needs root)"
                                                           : "";
    return Error{fmt::format("{}: open: {}{}", path, std::strerror(errno), hint)};
  }
  return fd;
}

}  // namespace espial
