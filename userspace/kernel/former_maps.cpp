// SPDX-License-Identifier: Apache-2.0
#include "kernel/former_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "kernel/pin_dir.h"

namespace espial {
namespace {

constexpr std::uint32_t kLongestList = 256;  // no list of labels.h comes near

ep_layout this_layout() {
  ep_layout layout{};
  layout.abi = EP_ABI_VERSION;
  layout.dirs = EP_DIR_COUNT;
  layout.families = EP_FAMILY_COUNT;
  layout.classes = EP_CLASS_SLOTS;
  layout.actions = EP_ACTION_COUNT;
  layout.reasons = EP_REASON_SLOTS;
  layout.exemptions = EP_EXEMPTION_COUNT;
  layout.outcomes = EP_OUTCOME_COUNT;
  layout.losts = EP_LOST_COUNT;
  return layout;
}

bool is_sane(const ep_layout& layout) {
  for (const auto count : {layout.dirs, layout.families, layout.classes, layout.actions,
                           layout.reasons, layout.exemptions, layout.outcomes, layout.losts})
    if (count > kLongestList) return false;
  return layout.abi == EP_ABI_VERSION;
}

template <typename Value>
Status write(const Maps& maps, MapId id, std::uint32_t index, const Value& value) {
  if (bpf_map_update_elem(maps.fd(id), &index, &value, BPF_ANY) != 0) return map_error(id, "write");
  return Ok{};
}

template <typename Value>
bool lookup(int fd, std::uint32_t index, Value& value) {
  return bpf_map_lookup_elem(fd, &index, &value) == 0;
}

// The words of one record. What a shorter record does not have is zero.
class Words {
 public:
  Words(const std::uint64_t* begin, std::size_t count) : at_(begin), end_(begin + count) {}
  std::uint64_t next() { return at_ == end_ ? 0 : *at_++; }

 private:
  const std::uint64_t* at_;
  const std::uint64_t* end_;
};

// Adds a list of a length of its own; what this build has no name for is left out.
void add_list(std::uint64_t* sum, std::uint32_t ours, std::uint32_t theirs, Words& words) {
  for (std::uint32_t i = 0; i < theirs; ++i) {
    const auto word = words.next();
    if (i < ours) sum[i] += word;
  }
}

void add_cells(ep_cell* sum, std::uint32_t ours, std::uint32_t theirs, Words& words) {
  for (std::uint32_t i = 0; i < theirs; ++i) {
    const ep_cell cell{words.next(), words.next()};
    if (i >= ours) continue;
    sum[i].packets += cell.packets;
    sum[i].bytes += cell.bytes;
  }
}

void latest(std::uint64_t* times, std::uint32_t ours, std::uint32_t theirs, Words& words) {
  for (std::uint32_t i = 0; i < theirs; ++i) {
    const auto time = words.next();
    if (i < ours) times[i] = std::max<std::uint64_t>(times[i], time);
  }
}

// In the order of the struct's members.
void add_stat(ep_peer_stat& sum, const ep_layout& from, Words words) {
  ep_peer_stat nowhere{};
  for (std::uint32_t d = 0; d < from.dirs; ++d)
    for (std::uint32_t f = 0; f < from.families; ++f) {
      auto& into = d < EP_DIR_COUNT && f < EP_FAMILY_COUNT ? sum : nowhere;
      add_cells(into.cell[d % EP_DIR_COUNT][f % EP_FAMILY_COUNT], EP_CLASS_SLOTS, from.classes,
                words);
    }
  add_cells(sum.decrypted, EP_FAMILY_COUNT, from.families, words);
  sum.spoofed += words.next();
  sum.unattributed += words.next();
  latest(reinterpret_cast<std::uint64_t*>(sum.last_unprotected_ns), EP_DIR_COUNT, from.dirs, words);
  for (std::uint32_t a = 0; a < from.actions; ++a)
    for (std::uint32_t d = 0; d < from.dirs; ++d) {
      auto& into = a < EP_ACTION_COUNT && d < EP_DIR_COUNT ? sum : nowhere;
      add_cells(into.enforced[a % EP_ACTION_COUNT][d % EP_DIR_COUNT], EP_REASON_SLOTS, from.reasons,
                words);
    }
  latest(reinterpret_cast<std::uint64_t*>(sum.last_enforced_ns), EP_ACTION_COUNT, from.actions,
         words);
  for (std::uint32_t d = 0; d < from.dirs; ++d)
    add_list(reinterpret_cast<std::uint64_t*>(
                 (d < EP_DIR_COUNT ? sum : nowhere).exempted[d % EP_DIR_COUNT]),
             EP_EXEMPTION_COUNT, from.exemptions, words);
}

void add_stat(ep_net_stat& sum, const ep_layout& from, Words words) {
  add_list(reinterpret_cast<std::uint64_t*>(sum.cleartext), EP_DIR_COUNT, from.dirs, words);
}

void add_stat(ep_node_stat& sum, const ep_layout& from, Words words) {
  add_list(reinterpret_cast<std::uint64_t*>(sum.outcome), EP_OUTCOME_COUNT, from.outcomes, words);
  add_list(reinterpret_cast<std::uint64_t*>(sum.lost), EP_LOST_COUNT, from.losts, words);
}

// Adds one index of a set: every CPU, and its base if wanted.
template <typename Stat>
Status add_index(Stat& sum, const ep_layout& layout, int stat, int base, bool with_base,
                 std::uint32_t index) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(stat, &info, &size) != 0)
    return Error{fmt::format("former map: describe: {}", std::strerror(errno))};
  const std::size_t words = (info.value_size + 7) / 8;  // values of CPUs are aligned so
  const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  std::vector<std::uint64_t> buffer(words * cpus);
  if (bpf_map_lookup_elem(stat, &index, buffer.data()) != 0)
    return Error{fmt::format("former map: read: {}", std::strerror(errno))};
  for (std::size_t cpu = 0; cpu < cpus; ++cpu)
    add_stat(sum, layout, Words(buffer.data() + cpu * words, words));
  if (!with_base) return Ok{};
  if (bpf_map_lookup_elem(base, &index, buffer.data()) != 0)
    return Error{fmt::format("former map: read base: {}", std::strerror(errno))};
  add_stat(sum, layout, Words(buffer.data(), words));
  return Ok{};
}

std::string name_of(const ep_peer_meta& meta) {
  return {meta.name, strnlen(meta.name, sizeof(meta.name))};
}

std::vector<std::string> peer_names(int fd, std::uint32_t entries) {
  std::vector<std::string> names(entries);
  ep_peer_meta meta{};
  for (std::uint32_t i = 1; i < entries; ++i)
    if (lookup(fd, i, meta)) names[i] = name_of(meta);
  return names;
}

// A subnet's entry with the peer's name in the place of its index.
std::string subnet_name(ep_net_meta meta, const std::vector<std::string>& peers) {
  if (meta.peer == 0 || meta.peer >= peers.size() || peers[meta.peer].empty()) return {};
  const auto& peer = peers[meta.peer];
  meta.peer = 0;
  return peer + '\0' + std::string(reinterpret_cast<const char*>(&meta), sizeof(meta));
}

std::vector<std::string> subnet_names(int fd, std::uint32_t entries,
                                      const std::vector<std::string>& peers) {
  std::vector<std::string> names(entries);
  ep_net_meta meta{};
  for (std::uint32_t i = 1; i < entries; ++i)
    if (lookup(fd, i, meta)) names[i] = subnet_name(meta, peers);
  return names;
}

std::uint32_t entries_of(int fd, std::uint32_t value_size) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return 0;
  return value_size == 0 || info.value_size == value_size ? info.max_entries : 0;
}

}  // namespace

bool has_this_layout(int layout_map) {
  ep_layout layout{};
  if (!lookup(layout_map, 0, layout)) return false;
  layout.carried = 0;
  const auto ours = this_layout();
  return std::memcmp(&layout, &ours, sizeof(layout)) == 0;
}

Status write_layout(const Maps& maps, bool carried) {
  auto layout = this_layout();
  layout.carried = carried ? 1 : 0;
  return write(maps, MapId::kLayout, 0, layout);
}

bool FormerMaps::open_set(const std::string& folder, Set& set) {
  for (const auto id :
       {MapId::kPeerStat, MapId::kPeerBase, MapId::kPeerMeta, MapId::kNetStat, MapId::kNetBase,
        MapId::kNetMeta, MapId::kNodeStat, MapId::kNodeBase, MapId::kPolicy, MapId::kLayout}) {
    auto& fd = set.fds[static_cast<std::size_t>(id)];
    fd = UniqueFd(bpf_obj_get((folder + "/" + std::string(map_name(id))).c_str()));
    if (!fd.valid()) return false;
  }
  set.peers = entries_of(set.fd(MapId::kPeerMeta), sizeof(ep_peer_meta));
  set.subnets = entries_of(set.fd(MapId::kNetMeta), sizeof(ep_net_meta));
  return entries_of(set.fd(MapId::kLayout), sizeof(ep_layout)) == 1 &&
         lookup(set.fd(MapId::kLayout), 0, set.layout) && is_sane(set.layout) && set.peers != 0 &&
         set.subnets != 0;
}

Result<FormerMaps> FormerMaps::open(const std::string& pin_dir, When when) {
  auto folders = former_map_dirs(pin_dir);
  if (when == When::kFirst) folders.push_back(pin_dir + "/maps");
  FormerMaps former;
  for (const auto& folder : folders) {
    Set set;
    if (open_set(folder, set)) former.sets_.push_back(std::move(set));
  }
  return former;
}

Status FormerMaps::carry(const Maps& maps, When when) const {
  if (when == When::kFirst) EP_TRY(carry_identities(maps));
  EP_TRY(carry_peers(maps));
  EP_TRY(carry_subnets(maps));
  return carry_node(maps);
}

// Indexes stay where they fit. Subnets of peers that found no place are left out.
Status FormerMaps::carry_identities(const Maps& maps) const {
  const auto& set = sets_.back();
  std::vector<std::uint32_t> moved(set.peers);
  std::vector<bool> used(maps.max_peers() + 1);
  const auto place = [&](std::uint32_t from, std::vector<bool>& taken) -> std::uint32_t {
    if (from < taken.size()) return from;
    const auto free = std::find(taken.begin() + 1, taken.end(), false);
    return free == taken.end() ? 0 : static_cast<std::uint32_t>(free - taken.begin());
  };
  for (std::uint32_t i = 1; i < set.peers; ++i) {
    ep_peer_meta meta{};
    ep_policy_t policy = 0;
    if (!lookup(set.fd(MapId::kPeerMeta), i, meta) || meta.name[0] == '\0') continue;
    moved[i] = place(i, used);
    if (moved[i] == 0) continue;
    used[moved[i]] = true;
    EP_TRY(write(maps, MapId::kPeerMeta, moved[i], meta));
    if (lookup(set.fd(MapId::kPolicy), i, policy))
      EP_TRY(write(maps, MapId::kPolicy, moved[i], policy));
  }
  used.assign(maps.max_subnets() + 1, false);
  for (std::uint32_t i = 1; i < set.subnets; ++i) {
    ep_net_meta meta{};
    if (!lookup(set.fd(MapId::kNetMeta), i, meta) || meta.peer >= set.peers) continue;
    meta.peer = moved[meta.peer];
    const auto index = meta.peer == 0 ? 0 : place(i, used);
    if (index == 0) continue;
    used[index] = true;
    EP_TRY(write(maps, MapId::kNetMeta, index, meta));
  }
  return Ok{};
}

Status FormerMaps::carry_peers(const Maps& maps) const {
  const auto now = peer_names(maps.fd(MapId::kPeerMeta), maps.max_peers() + 1);
  std::map<std::string, ep_peer_stat> sums;
  for (const auto& set : sets_) {
    const auto names = peer_names(set.fd(MapId::kPeerMeta), set.peers);
    for (std::uint32_t i = 0; i < set.peers; ++i)
      if (i == 0 || !names[i].empty())  // 0 is of no peer, and has no name
        EP_TRY(add_index(sums[names[i]], set.layout, set.fd(MapId::kPeerStat),
                         set.fd(MapId::kPeerBase), &set == &sets_.front(), i));
  }
  for (std::uint32_t i = 0; i <= maps.max_peers(); ++i)
    if (const auto sum = sums.find(now[i]); sum != sums.end() && (i == 0 || !now[i].empty()))
      EP_TRY(write(maps, MapId::kPeerBase, i, sum->second));
  return Ok{};
}

Status FormerMaps::carry_subnets(const Maps& maps) const {
  const auto now = subnet_names(maps.fd(MapId::kNetMeta), maps.max_subnets() + 1,
                                peer_names(maps.fd(MapId::kPeerMeta), maps.max_peers() + 1));
  std::map<std::string, ep_net_stat> sums;
  for (const auto& set : sets_) {
    const auto names = subnet_names(set.fd(MapId::kNetMeta), set.subnets,
                                    peer_names(set.fd(MapId::kPeerMeta), set.peers));
    for (std::uint32_t i = 1; i < set.subnets; ++i)
      if (!names[i].empty())
        EP_TRY(add_index(sums[names[i]], set.layout, set.fd(MapId::kNetStat),
                         set.fd(MapId::kNetBase), &set == &sets_.front(), i));
  }
  for (std::uint32_t i = 1; i <= maps.max_subnets(); ++i)
    if (const auto sum = sums.find(now[i]); sum != sums.end())
      EP_TRY(write(maps, MapId::kNetBase, i, sum->second));
  return Ok{};
}

Status FormerMaps::carry_node(const Maps& maps) const {
  ep_node_stat sum{};
  for (const auto& set : sets_)
    EP_TRY(add_index(sum, set.layout, set.fd(MapId::kNodeStat), set.fd(MapId::kNodeBase),
                     &set == &sets_.front(), 0));
  return write(maps, MapId::kNodeBase, 0, sum);
}

}  // namespace espial
