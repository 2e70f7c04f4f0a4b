// SPDX-License-Identifier: Apache-2.0
#include "kernel/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

#include "espial.id.h"
#include "espial.skel.h"
#include "kernel/former_maps.h"
#include "kernel/libbpf_log.h"
#include "kernel/maps.h"
#include "kernel/pin_dir.h"

namespace espial {
namespace {

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

void configure(espial_bpf& skeleton, const ProgramOrigin& origin) {
  // The skeleton maps the read-only section writable until load; const volatile is for the
  // programs.
  const_cast<ep_config&>(const_cast<const ep_config&>(skeleton.rodata->ep_config)) = origin.config;
  bpf_program__set_autoload(skeleton.progs.ep_xdp, origin.xdp != 0);
  const auto peers = origin.config.max_peers + 1, subnets = origin.config.max_subnets + 1;
  bpf_map__set_max_entries(skeleton.maps.ep_peer_stat, peers);
  bpf_map__set_max_entries(skeleton.maps.ep_peer_meta, peers);
  bpf_map__set_max_entries(skeleton.maps.ep_peer_base, peers);
  bpf_map__set_max_entries(skeleton.maps.ep_net_base, subnets);
  bpf_map__set_max_entries(skeleton.maps.ep_policy, peers);
  bpf_map__set_max_entries(skeleton.maps.ep_net_stat, subnets);
  bpf_map__set_max_entries(skeleton.maps.ep_net_meta, subnets);
  bpf_map__set_max_entries(skeleton.maps.ep_sas, origin.sas);
  bpf_map__set_max_entries(skeleton.maps.ep_sa_index, origin.config.sa_buckets);
}

// What the verifier asks before it does without barriers (perfmon_capable in the kernel).
bool has_perfmon() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (syscall(SYS_capget, &head, data.data()) != 0) return false;
  const auto holds = [&](unsigned capability) {
    return (data[capability / 32].effective >> capability % 32 & 1U) != 0;
  };
  return holds(CAP_PERFMON) || holds(CAP_SYS_ADMIN);
}

bool knows_xfrm_state() {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_get_xfrm_state, nullptr) ==
         1;
}

UniqueFd duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

struct Close {
  void operator()(espial_bpf* skeleton) const { espial_bpf__destroy(skeleton); }
};

}  // namespace

std::uint32_t sas_of(const ProgramLimits& limits) { return std::max(4096U, limits.max_peers * 16); }

std::uint32_t sa_buckets_of(const ProgramLimits& limits) {
  return std::bit_ceil(sas_of(limits) / EP_SA_BUCKET);
}

Result<Programs> Programs::load(const std::string& pin_dir, const ProgramLimits& limits) {
  capture_libbpf_log();
  Programs programs;
  programs.limits_ = limits;
  programs.capacity_ = TableCapacity::for_peers(limits.max_peers);
  EP_TRY(programs.create_tables());
  if (!pin_dir.empty()) EP_TRY(prepare_pin_dir(pin_dir));
  if (programs.adopt(pin_dir)) return programs;
  EP_TRY(programs.load_object(pin_dir));
  if (!pin_dir.empty()) programs.pin(pin_dir);
  return programs;
}

ProgramOrigin Programs::origin() const {
  ProgramOrigin origin;
  static_assert(sizeof(EP_ESPIAL_OBJECT_ID) == sizeof(origin.object) + 1);
  std::copy_n(EP_ESPIAL_OBJECT_ID, origin.object.size(), origin.object.begin());
  origin.config.slots = capacity_.slots;
  origin.config.sa_buckets = sa_buckets_of(limits_);
  origin.config.max_peers = limits_.max_peers;
  origin.config.max_subnets = limits_.max_subnets;
  origin.config.flow_events_per_second = limits_.flow_events_per_second;
  origin.config.have_xfrm = xfrm_state_;
  origin.config.report = limits_.report;
  origin.sas = sas_of(limits_);
  origin.xdp = limits_.xdp;
  origin.perfmon = has_perfmon();
  return origin;
}

Status Programs::create_tables() {
  for (auto& table : tables_) {
    table = create_table_map(capacity_);
    if (!table.valid()) return load_error(errno, "create peer table");
  }
  return Ok{};
}

// Asking the kernel for XFRM state costs as much as adopting. Programs that were loaded with it are
// of a kernel that has it, and this is that kernel: pins do not outlive it.
bool Programs::adopt(const std::string& pin_dir) {
  xfrm_state_ = true;
  Result<ProgramSet> pinned = Error{};
  if (!pin_dir.empty()) pinned = open_pinned_programs(pin_dir, origin());
  if (!pinned.ok()) {
    xfrm_state_ = knows_xfrm_state();
    if (!pin_dir.empty() && !xfrm_state_) pinned = open_pinned_programs(pin_dir, origin());
  }
  if (pinned.ok() && !has_this_layout(pinned->maps[static_cast<std::size_t>(MapId::kLayout)].get()))
    pinned = Error{"the pinned maps are of an unknown layout"};
  if (!pinned.ok()) {
    use_.why = pinned.error().message;
    return false;
  }
  set_ = std::move(*pinned);
  adopted_ = true;
  for (const auto& program : set_.programs) use_.adopted += program.valid() ? 1 : 0;
  return true;
}

Status Programs::load_object(const std::string& pin_dir) {
  const std::unique_ptr<espial_bpf, Close> owner(espial_bpf__open());
  if (!owner) return load_error(errno, "open");
  auto& skeleton = *owner;
  configure(skeleton, origin());
  if (bpf_map__set_inner_map_fd(skeleton.maps.ep_tables, tables_[0].get()) != 0)
    return load_error(errno, "describe peer table");
  if (!pin_dir.empty()) {
    adopted_ = adopt_maps(skeleton, pin_dir);
    discarded_ = !adopted_ && !list_dir(pin_dir + "/maps").empty();
  }
  if (const int error = espial_bpf__load(&skeleton); error != 0) return load_error(-error, "load");
  EP_TRY(take(skeleton));
  if (pin_dir.empty()) return Ok{};
  if (!adopted_) return replace_maps(pin_dir);
  return replace_pin(map_fd(MapId::kTables), pinned_map_path(pin_dir, map_name(MapId::kTables)));
}

// The descriptors are all that is needed from now on; what libbpf knows of the object is freed.
Status Programs::take(const espial_bpf& skeleton) {
  for (std::size_t i = 0; i < kProgramCount; ++i) {
    const auto id = static_cast<ProgramId>(i);
    if (id == ProgramId::kXdp && !limits_.xdp) continue;
    auto& fd = set_.programs[i];
    fd = duplicate(
        bpf_program__fd(bpf_object__find_program_by_name(skeleton.obj, program_name(id).data())));
    if (!fd.valid()) return load_error(errno, "keep programs");
    ++use_.loaded;
  }
  for (std::size_t i = 0; i < kMapCount; ++i) {
    set_.maps[i] = duplicate(bpf_map__fd(map_of(skeleton, static_cast<MapId>(i))));
    if (!set_.maps[i].valid()) return load_error(errno, "keep maps");
  }
  for (std::size_t i = 0; i < kSharedMapCount; ++i) {
    const auto name = map_name(static_cast<SharedMap>(i));
    set_.shared[i] =
        duplicate(bpf_map__fd(bpf_object__find_map_by_name(skeleton.obj, name.data())));
    if (!set_.shared[i].valid()) return load_error(errno, "keep maps");
  }
  return Ok{};
}

// A start without these pins only takes longer.
void Programs::pin(const std::string& pin_dir) {
  if (auto status = pin_programs(pin_dir, origin(), set_); !status.ok())
    use_.problem = status.error().message;
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
  auto id = ethernet ? ProgramId::kTransmit : ProgramId::kTransmitL3;
  if (direction == Direction::RECEIVE) {
    switch (role) {
      case DeviceRole::kWire:
        id = ethernet ? ProgramId::kWire : ProgramId::kWireL3;
        break;
      case DeviceRole::kReentry:
        id = ethernet ? ProgramId::kReentry : ProgramId::kReentryL3;
        break;
      case DeviceRole::kWireAndReentry:
        id = ethernet ? ProgramId::kBoth : ProgramId::kBothL3;
        break;
    }
  }
  return set_.programs[static_cast<std::size_t>(id)].get();
}

int Programs::xdp_fd() const {
  return set_.programs[static_cast<std::size_t>(ProgramId::kXdp)].get();
}

int Programs::shared_fd(SharedMap map) const {
  return set_.shared[static_cast<std::size_t>(map)].get();
}

int Programs::map_fd(MapId id) const { return set_.maps[static_cast<std::size_t>(id)].get(); }

std::size_t Programs::restore_pins(const std::string& pin_dir) const {
  std::size_t missing = 0;
  for (std::size_t i = 0; i < kMapCount; ++i) {
    const auto path = pinned_map_path(pin_dir, map_name(static_cast<MapId>(i)));
    if (access(path.c_str(), F_OK) == 0) continue;
    if (missing == 0 && !prepare_pin_dir(pin_dir).ok()) return 0;
    if (replace_pin(map_fd(static_cast<MapId>(i)), path).ok()) ++missing;
  }
  return missing + restore_program_pins(pin_dir, set_);
}

Result<std::vector<std::string>> Programs::set_table(const TableSpec& spec) {
  EP_ASSIGN(built, build_table(spec, capacity_));
  const auto& block = built.block;
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
  return std::move(built.left_out);
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
