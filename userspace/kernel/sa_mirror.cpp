// SPDX-License-Identifier: Apache-2.0
#include "kernel/sa_mirror.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <tuple>

#include "base/system_error.h"
#include "hash.h"
#include "kernel/libbpf_log.h"
#include "kernel/own_netns.h"
#include "kernel/pin_dir.h"
#include "kernel/prefix_key.h"
#include "sas.id.h"
#include "sas.skel.h"

namespace espial {
namespace {

constexpr std::array kNames{"ep_sa_add", "ep_sa_update", "ep_sa_insert", "ep_sa_delete"};

// Of another build, or made in another network namespace, a link is another one.
std::string pin_path(const std::string& pin_dir, const char* program) {
  return fmt::format("{}/{}-{}-{:.12}", pinned_sas_dir(pin_dir), program, own_netns(),
                     EP_SAS_OBJECT_ID);
}
constexpr ep_sa_key kIncomplete{};

struct SaKeyLess {
  bool operator()(const ep_sa_key& a, const ep_sa_key& b) const {
    return std::tie(a.hi, a.lo, a.spi) < std::tie(b.hi, b.lo, b.spi);
  }
};
using Sas = std::map<ep_sa_key, ep_sa_gone_t, SaKeyLess>;

struct CloseSas {
  void operator()(sas_bpf* skeleton) const { sas_bpf__destroy(skeleton); }
};

// As bpf_ktime_get_ns() counts.
std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Error mirror_error(const char* operation, int error) {
  if (error == EPERM)
    return Error{
        fmt::format("{}: not permitted: this kernel refuses fentry programs, or CAP_BPF or "
                    "CAP_PERFMON is missing",
                    operation)};
  const auto log = libbpf_log_tail();
  return Error{
      fmt::format("{}: {}{}{}", operation, std::strerror(error), log.empty() ? "" : "; ", log)};
}

std::uint32_t id_of_map(int fd) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

// Is this a link of a mirror program that writes to the map?
bool writes_to(int link, std::string_view name, std::uint32_t map) {
  bpf_link_info about{};
  __u32 size = sizeof(about);
  if (bpf_obj_get_info_by_fd(link, &about, &size) != 0 || about.type != BPF_LINK_TYPE_TRACING)
    return false;
  const UniqueFd program(bpf_prog_get_fd_by_id(about.prog_id));
  if (!program.valid()) return false;
  std::array<std::uint32_t, 8> maps{};
  bpf_prog_info info{};
  info.nr_map_ids = maps.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return false;
  // The kernel keeps 15 characters.
  return name.substr(0, BPF_OBJ_NAME_LEN - 1) == info.name &&
         std::find(maps.begin(), maps.end(), map) != maps.end();
}

Result<Sas> read(int map, std::size_t capacity) {
  Sas sas;
  const auto room = std::min<std::size_t>(capacity, 4096);
  std::vector<ep_sa_key> keys(room);
  std::vector<ep_sa_gone_t> gone(room);
  std::uint32_t place = 0;
  for (bool first = true;; first = false) {
    auto count = static_cast<__u32>(room);
    const int error = bpf_map_lookup_batch(map, first ? nullptr : &place, &place, keys.data(),
                                           gone.data(), &count, nullptr);
    const int why = errno;
    if (error != 0 && why != ENOENT) return Error{fmt::format("read: {}", std::strerror(why))};
    for (__u32 i = 0; i < count; ++i) sas[keys[i]] = gone[i];
    if (error != 0) return sas;  // it was the last batch
  }
}

Sas of_states(const std::vector<XfrmStateFact>& states) {
  Sas sas;
  for (const auto& state : states) {
    if (state.protocol != 50 || state.larval()) continue;
    const auto key = key_of(state.destination);
    sas[{key.hi, key.lo, state.spi, 0}] = 0;
  }
  return sas;
}

}  // namespace

SaMirror SaMirror::open(const Programs& programs, std::string pin_dir) {
  SaMirror mirror;
  mirror.pin_dir_ = std::move(pin_dir);
  mirror.map_ = UniqueFd(fcntl(programs.shared_fd(SharedMap::kSas), F_DUPFD_CLOEXEC, 0));
  mirror.index_ = UniqueFd(fcntl(programs.shared_fd(SharedMap::kSaIndex), F_DUPFD_CLOEXEC, 0));
  mirror.capacity_ = sas_of(programs.limits());
  mirror.buckets_ = sa_buckets_of(programs.limits());
  mirror.running_ = mirror.adopt();
  if (!mirror.running_) return mirror;
  mirror.problem_.clear();
  ep_sa_gone_t incomplete = 1;
  mirror.synced_ =
      bpf_map_lookup_elem(mirror.map_.get(), &kIncomplete, &incomplete) == 0 && incomplete == 0;
  return mirror;
}

void SaMirror::start() {
  if (running_) return;
  capture_libbpf_log();
  const auto status = load();
  running_ = status.ok();
  problem_ = status.ok() ? "" : status.error().message;
}

bool SaMirror::adopt() {
  const auto id = id_of_map(map_.get());
  if (pin_dir_.empty() || id == 0) return false;
  for (const auto* name : kNames) {
    UniqueFd link(bpf_obj_get(pin_path(pin_dir_, name).c_str()));
    if (!link.valid() || !writes_to(link.get(), name, id)) {
      links_.clear();
      return false;
    }
    links_.push_back(std::move(link));
  }
  return true;
}

Status SaMirror::load() {
  const std::unique_ptr<sas_bpf, CloseSas> owner(sas_bpf__open());
  if (!owner) return mirror_error("open", errno);
  auto& skeleton = *owner;
  // See programs.cpp: const volatile is for the programs.
  const_cast<__u32&>(const_cast<const __u32&>(skeleton.rodata->ep_netns)) = own_netns();
  const_cast<__u32&>(const_cast<const __u32&>(skeleton.rodata->ep_sa_buckets)) = buckets_;
  if (const int error = bpf_map__reuse_fd(skeleton.maps.ep_sas, map_.get()); error != 0)
    return mirror_error("share the map of SAs", -error);
  if (const int error = bpf_map__reuse_fd(skeleton.maps.ep_sa_index, index_.get()); error != 0)
    return mirror_error("share the index of SAs", -error);
  if (const int error = sas_bpf__load(&skeleton); error != 0) return mirror_error("load", -error);
  // Former programs run beside these until they are unpinned, so no SA is missed in between.
  for (const auto* name : kNames) {
    const auto* program = bpf_object__find_program_by_name(skeleton.obj, name);
    UniqueFd link(bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_FENTRY, nullptr));
    if (!link.valid()) return mirror_error("attach", errno);
    links_.push_back(std::move(link));
  }
  return pin_dir_.empty() ? Status(Ok{}) : pin();
}

Status SaMirror::pin() {
  EP_TRY(make_sas_dir(pin_dir_));
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    paths.push_back(pin_path(pin_dir_, kNames[i]));
    EP_TRY(replace_pin(links_[i].get(), paths.back()));
  }
  for (const auto& name : list_dir(pinned_sas_dir(pin_dir_))) {
    const auto path = pinned_sas_dir(pin_dir_) + "/" + name;
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) unlink(path.c_str());
  }
  return Ok{};
}

void SaMirror::sync(const std::vector<XfrmStateFact>& states) {
  if (!running_) return;
  const auto status = write(states);
  problem_ = status.ok() ? "" : status.error().message;
  synced_ = true;
}

Status SaMirror::write(const std::vector<XfrmStateFact>& states) {
  EP_ASSIGN(mirrored, read(map_.get(), capacity_));
  const auto wanted = of_states(states);
  const auto now = monotonic_ns();
  const ep_sa_gone_t here = 0, lost = 1;
  for (const auto& [key, gone] : mirrored) {
    if (key.spi == 0 || wanted.count(key) != 0) continue;
    if (gone == 0)
      (void)bpf_map_update_elem(map_.get(), &key, &now, BPF_EXIST);
    else if (now > gone + 2 * EP_SA_GRACE_NS)
      (void)bpf_map_delete_elem(map_.get(), &key);
  }
  EP_TRY(write_index(states));
  std::size_t missing = 0;
  for (const auto& [key, zero] : wanted) {
    const auto found = mirrored.find(key);
    if (found != mirrored.end() && found->second == 0) continue;
    if (bpf_map_update_elem(map_.get(), &key, &here, BPF_ANY) != 0) ++missing;
  }
  if (bpf_map_update_elem(map_.get(), &kIncomplete, missing == 0 ? &here : &lost, BPF_ANY) != 0)
    return system_error("map ep_sas", "write", errno);
  if (missing == 0) return Ok{};
  return Error{fmt::format("{} of {} SAs do not fit into the {} of the mirror (raise max_peers)",
                           missing, wanted.size(), capacity_)};
}

// Only buckets that differ are written. What the programs change in one meanwhile may be lost: an
// SA is then found in the map, which takes longer, or stays in the index, until the next time.
Status SaMirror::write_index(const std::vector<XfrmStateFact>& states) {
  std::vector<ep_sa_bucket> wanted(buckets_);
  for (const auto& [key, zero] : of_states(states)) {
    const auto fingerprint = ep_hash_sa(key.hi, key.lo, key.spi);
    auto& bucket = wanted[ep_sa_bucket_of(fingerprint, buckets_)];
    const auto place = std::find(std::begin(bucket.sas), std::end(bucket.sas), 0U);
    if (place != std::end(bucket.sas)) *place = fingerprint;
  }
  const auto same = [](ep_sa_bucket a, ep_sa_bucket b) {
    std::sort(std::begin(a.sas), std::end(a.sas));
    std::sort(std::begin(b.sas), std::end(b.sas));
    return std::equal(std::begin(a.sas), std::end(a.sas), std::begin(b.sas));
  };
  for (__u32 i = 0; i < buckets_; ++i) {
    ep_sa_bucket bucket{};
    if (bpf_map_lookup_elem(index_.get(), &i, &bucket) != 0 ||
        (!same(bucket, wanted[i]) &&
         bpf_map_update_elem(index_.get(), &i, &wanted[i], BPF_ANY) != 0))
      return system_error("map ep_sa_index", "write", errno);
  }
  return Ok{};
}

}  // namespace espial
