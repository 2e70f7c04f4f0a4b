// SPDX-License-Identifier: Apache-2.0
#include "kernel/counters/drops.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "drop_wire.h"
#include "drops.skel.h"
#include "kernel/counters/drop_reasons.h"
#include "kernel/counters/flow_record.h"
#include "kernel/libbpf_log.h"
#include "kernel/own_netns.h"

namespace espial {
namespace {

static_assert(kHooks == EP_HOOK_COUNT);

// In the order in which they are tried.
struct Way {
  const char* name;
  const char* program;
};
constexpr std::array kWays{Way{"tp_btf", "ep_drop_btf"}, Way{"raw_tracepoint", "ep_drop_raw"},
                           Way{"tracepoint", "ep_drop_tp"}};

std::uint32_t reason_number(const std::map<std::uint32_t, std::string>& reasons,
                            std::string_view name) {
  for (const auto& [number, reason] : reasons)
    if (reason == name) return number;
  return EP_NO_REASON;
}

void configure_drops(drops_bpf& skeleton, const Programs& programs,
                     const std::map<std::uint32_t, std::string>& reasons) {
  // See programs.cpp: const volatile is for the programs.
  auto& config = const_cast<ep_drop_config&>(
      const_cast<const ep_drop_config&>(skeleton.rodata->ep_drop_config));
  config.slots = programs.capacity().slots;
  config.max_peers = programs.limits().max_peers;
  config.netns = own_netns();
  config.netfilter_drop = reason_number(reasons, "NETFILTER_DROP");
  config.tc_ingress = reason_number(reasons, "TC_INGRESS");
  config.tc_egress = reason_number(reasons, "TC_EGRESS");
  config.otherhost = reason_number(reasons, "OTHERHOST");
  config.no_socket = reason_number(reasons, "NO_SOCKET");
  config.packet_sock_error = reason_number(reasons, "PACKET_SOCK_ERROR");
  bpf_map__set_max_entries(skeleton.maps.ep_drop_stat, programs.limits().max_peers + 1);
}

std::size_t cpus() { return static_cast<std::size_t>(libbpf_num_possible_cpus()); }

template <typename Value>
Result<std::vector<Value>> read_cpus(const bpf_map* map, std::uint32_t index) {
  static_assert(sizeof(Value) % sizeof(std::uint64_t) == 0);  // no padding between CPUs
  std::vector<Value> values(cpus());
  if (bpf_map_lookup_elem(bpf_map__fd(map), &index, values.data()) != 0)
    return Error{fmt::format("map {}: read: {}", bpf_map__name(map), std::strerror(errno))};
  return values;
}

// Own drops until now were not this program's to see: adopted tc programs counted before it.
Status skip_own_drops(const drops_bpf& skeleton) {
  const std::uint32_t zero = 0;
  EP_ASSIGN(own_drops, read_cpus<std::uint64_t>(skeleton.maps.ep_own_drops, zero));
  if (bpf_map_update_elem(bpf_map__fd(skeleton.maps.ep_own_seen), &zero, own_drops.data(),
                          BPF_ANY) != 0)
    return Error{fmt::format("map ep_own_seen: write: {}", std::strerror(errno))};
  return Ok{};
}

KernelDrops difference(const KernelDrops& before, KernelDrops now) {
  for (std::size_t h = 0; h < kHooks; ++h)
    for (std::size_t f = 0; f < kFamilies; ++f) now.netfilter[h][f] -= before.netfilter[h][f];
  for (const auto& [reason, packets] : before.reasons)
    if ((now.reasons[reason] -= packets) == 0) now.reasons.erase(reason);
  return now;
}

void add_drops(KernelDrops& sum, const KernelDrops& growth) {
  for (std::size_t h = 0; h < kHooks; ++h)
    for (std::size_t f = 0; f < kFamilies; ++f) sum.netfilter[h][f] += growth.netfilter[h][f];
  for (const auto& [reason, packets] : growth.reasons) sum.reasons[reason] += packets;
}

void merge(DropRecord& sum, const DropRecord& part) {
  if (sum.packets == 0) {
    sum = part;
    return;
  }
  sum.packets += part.packets;
  sum.first = std::min(sum.first, part.first);
  sum.last = std::max(sum.last, part.last);
}

DropRecord record_of(const ep_drop_flow& flow) {
  const auto family = flow.family == EP_FAMILY_IPV6 ? Family::kIpv6 : Family::kIpv4;
  DropRecord record;
  record.source = IpAddress(family, flow.src);
  record.destination = IpAddress(family, flow.dst);
  record.source_port = ntohs(flow.sport);
  record.destination_port = ntohs(flow.dport);
  record.protocol = flow.proto;
  record.direction = static_cast<Direction>(flow.dir);
  if (flow.ifindex != 0) record.device = device_name(flow.ifindex);
  if (flow.hook < kHooks) record.hook = static_cast<Hook>(flow.hook);
  record.packets = flow.packets;
  record.first = wall_time(flow.first_ns).value_or(WallTime{});
  record.last = wall_time(flow.last_ns).value_or(WallTime{});
  return record;
}

}  // namespace

void Drops::Destroy::operator()(drops_bpf* skeleton) const { drops_bpf__destroy(skeleton); }
Drops::Drops(Drops&&) noexcept = default;
Drops& Drops::operator=(Drops&&) noexcept = default;
Drops::~Drops() = default;

Drops Drops::start(const Programs& programs, unsigned ways) {
  capture_libbpf_log();
  Drops drops;
  auto reasons = kernel_drop_reasons();
  if (!reasons.ok()) {
    drops.why_ = reasons.error().message;
    return drops;
  }
  drops.reasons_ = std::move(*reasons);
  for (std::size_t way = 0; way < kWays.size(); ++way) {
    if ((ways >> way & 1U) == 0) continue;
    const auto status = drops.load(programs, way);
    if (status.ok()) {
      drops.way_ = kWays[way].name;
      drops.why_.clear();
      return drops;
    }
    drops.skeleton_.reset();
    // The others mostly fail for the same reason.
    if (drops.why_.empty()) drops.why_ = status.error().message;
  }
  return drops;
}

Status Drops::load(const Programs& programs, std::size_t way) {
  const auto fail = [&](int error, const char* operation) {
    const auto log = libbpf_log_tail();
    if (error == EPERM)
      return Error{fmt::format("{}: {}: not permitted (needs root, or CAP_BPF and CAP_PERFMON)",
                               kWays[way].name, operation)};
    return Error{fmt::format("{}: {}: {}{}{}", kWays[way].name, operation, std::strerror(error),
                             log.empty() ? "" : "; ", log)};
  };
  skeleton_.reset(drops_bpf__open());
  if (!skeleton_) return fail(errno, "open");
  auto& skeleton = *skeleton_;
  configure_drops(skeleton, programs, reasons_);
  bpf_program* chosen = nullptr;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    const bool wanted = std::string_view(bpf_program__name(program)) == kWays[way].program;
    bpf_program__set_autoload(program, wanted);
    if (wanted) chosen = program;
  }
  if (const int error = bpf_map__reuse_fd(skeleton.maps.ep_tables, programs.map_fd(MapId::kTables)))
    return fail(-error, "share the peer table");
  if (const int error =
          bpf_map__reuse_fd(skeleton.maps.ep_own_drops, programs.shared_fd(SharedMap::kOwnDrops)))
    return fail(-error, "share the count of own drops");
  if (const int error = drops_bpf__load(&skeleton)) return fail(-error, "load");
  EP_TRY(skip_own_drops(skeleton));
  if (const int error = drops_bpf__attach(&skeleton)) return fail(-error, "attach");
  return chosen != nullptr ? Status(Ok{}) : Status(fail(ENOENT, "find the program"));
}

std::uint64_t Drops::missed() const {
  if (!skeleton_) return 0;
  std::uint64_t missed = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    const int fd = bpf_program__fd(program);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) missed += info.recursion_misses;
  }
  return missed;
}

std::string Drops::reason_name(std::uint32_t reason) const {
  const auto known = reasons_.find(reason);
  // The upper half is a subsystem with reasons of its own (wireless, openvswitch).
  return known != reasons_.end() ? known->second : fmt::format("{:#x}", reason);
}

Result<KernelDrops> Drops::peer(std::uint32_t index, const std::string& name) {
  KernelDrops drops;
  if (!skeleton_ || index == 0) return drops;
  EP_ASSIGN(values, read_cpus<ep_drop_stat>(skeleton_->maps.ep_drop_stat, index));
  for (const auto& value : values) {
    for (std::size_t h = 0; h < kHooks; ++h)
      for (std::size_t f = 0; f < kFamilies; ++f) drops.netfilter[h][f] += value.netfilter[h][f];
    for (const auto& slot : value.reasons)
      if (slot.packets > 0) drops.reasons[reason_name(slot.reason)] += slot.packets;
    if (value.more > 0) drops.reasons["other"] += value.more;
  }
  const auto [entry, fresh] = owners_.try_emplace(index, Owner{name, {}, {}});
  auto& owner = entry->second;
  add_drops(total_, difference(owner.last, drops));
  owner.last = drops;
  if (!fresh && owner.name != name) owner = {name, drops, drops};
  return difference(owner.before, std::move(drops));
}

Result<std::vector<DropRecord>> Drops::flows(const Identities& identities) const {
  std::vector<DropRecord> flows;
  if (!skeleton_) return flows;
  std::map<std::uint32_t, std::string> names;
  for (const auto& [name, id] : identities.peers()) names[id] = name;
  std::map<std::vector<std::uint8_t>, DropRecord> sums;
  for (std::uint32_t slot = 0; slot < EP_DROP_FLOWS; ++slot) {
    EP_ASSIGN(values, read_cpus<ep_drop_flow>(skeleton_->maps.ep_drop_flows, slot));
    for (const auto& flow : values) {
      if (flow.packets == 0 || flow.dir >= kDirections) continue;
      auto record = record_of(flow);
      record.peer = names[flow.peer];
      record.reason = reason_name(flow.reason);
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(&flow);
      merge(sums[{bytes, bytes + offsetof(ep_drop_flow, ifindex)}], record);
    }
  }
  for (auto& [key, record] : sums) flows.push_back(std::move(record));
  std::sort(flows.begin(), flows.end(),
            [](const auto& a, const auto& b) { return a.last > b.last; });
  return flows;
}

}  // namespace espial
