// SPDX-License-Identifier: Apache-2.0
#include "kernel/table_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "model/table_room.h"

namespace espial {
namespace {

static_assert(kMaxPrefixLengths == EP_MAX_PREFIX_LENS);

// Half full, so that every entry is found within EP_MAX_PROBE steps with some seed.
constexpr std::size_t kMostVlans = EP_VLAN_SLOTS / 2;
constexpr std::size_t kMostSpis = EP_NULL_SPI_SLOTS / 2;
constexpr std::size_t kNamed = 3;  // of what is left out

bool is_learnt(const TableEntry& entry) {
  return !entry.configured &&
         (entry.role == EP_ROLE_PEER_UNDERLAY || entry.role == EP_ROLE_PEER_BACKEND);
}

using Lengths = std::map<unsigned, std::size_t>;  // prefixes by length
std::array<Lengths, EP_FAMILY_COUNT> lengths_of(const std::vector<TableEntry>& entries) {
  std::array<Lengths, EP_FAMILY_COUNT> lengths;
  for (const auto& entry : entries)
    ++lengths[static_cast<std::size_t>(entry.prefix.family())][entry.prefix.length()];
  return lengths;
}

struct Plan {
  std::array<LengthPlan, EP_FAMILY_COUNT> family;
  [[nodiscard]] std::size_t entries() const { return family[0].entries + family[1].entries; }
};
Plan plan_of(const std::vector<TableEntry>& entries) {
  const auto lengths = lengths_of(entries);
  return {{plan_lengths(lengths[0]), plan_lengths(lengths[1])}};
}

// The first of equal prefixes wins. A default route is no subnet of anybody, and the key length 0
// ends the list of lengths.
std::vector<TableEntry> distinct(const std::vector<TableEntry>& entries,
                                 std::vector<std::string>& left_out) {
  std::vector<TableEntry> kept;
  std::set<Prefix> seen;
  for (const auto& entry : entries) {
    if (!seen.insert(entry.prefix).second) continue;
    if (entry.prefix.family() == Family::kIpv6 && entry.prefix.length() == 0)
      left_out.emplace_back("::/0 cannot be a subnet");
    else
      kept.push_back(entry);
  }
  return kept;
}

template <typename Goes>
void leave_out(std::vector<TableEntry>& entries, const char* why, Goes goes,
               std::vector<std::string>& left_out) {
  std::vector<TableEntry> kept;
  std::string names;
  std::size_t count = 0;
  for (auto& entry : entries) {
    if (!goes(entry)) {
      kept.push_back(std::move(entry));
      continue;
    }
    if (++count <= kNamed) names += (names.empty() ? "" : ", ") + entry.prefix.text();
  }
  entries = std::move(kept);
  if (count == 0) return;
  left_out.push_back(fmt::format("{} learnt {} ({}{}): {}", count,
                                 count == 1 ? "prefix" : "prefixes", names,
                                 count > kNamed ? ", ..." : "", why));
}

Status make_room(std::vector<TableEntry>& entries, const TableCapacity& capacity,
                 std::vector<std::string>& left_out) {
  const auto room = table_room(capacity.slots);
  if (plan_of(entries).entries() <= room) return Ok{};
  std::vector<TableEntry> rest;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(rest),
               [](const auto& entry) { return !is_learnt(entry); });
  const auto lengths = lengths_of(rest);
  leave_out(
      entries, "there are too many different prefix lengths",
      [&](const auto& entry) {
        const auto& known = lengths[static_cast<std::size_t>(entry.prefix.family())];
        return is_learnt(entry) && known.count(entry.prefix.length()) == 0;
      },
      left_out);
  if (plan_of(entries).entries() <= room) return Ok{};
  leave_out(entries, "the table is full (raise max_peers)", is_learnt, left_out);
  const auto needed = plan_of(entries).entries();
  if (needed <= room) return Ok{};
  return Error{fmt::format(
      "peer table: {} prefixes do not fit into {} slots{} (raise max_peers)", entries.size(),
      capacity.slots,
      needed > entries.size() ? ", with more than 8 different prefix lengths of a family" : "")};
}

// Splits the prefixes whose lengths are not kept. Of two that become the same the longer one was
// meant for these addresses.
std::vector<TableEntry> split(std::vector<TableEntry> entries, const Plan& plan) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.prefix.length() > b.prefix.length();
  });
  std::vector<TableEntry> all;
  std::set<Prefix> seen;
  for (const auto& entry : entries) {
    const auto& kept = plan.family[static_cast<std::size_t>(entry.prefix.family())].kept;
    const unsigned length = *std::lower_bound(kept.begin(), kept.end(), entry.prefix.length());
    const unsigned bits = length - entry.prefix.length();
    for (std::size_t part = 0; part < std::size_t{1} << bits; ++part) {
      auto bytes = entry.prefix.address().bytes();
      for (unsigned bit = 0; bit < bits; ++bit) {
        const unsigned at = length - 1 - bit;
        if ((part >> bit & 1U) != 0)
          bytes[at / 8] = static_cast<std::uint8_t>(bytes[at / 8] | 0x80U >> at % 8);
      }
      TableEntry one = entry;
      one.prefix = Prefix(IpAddress(entry.prefix.family(), bytes.data()), length);
      if (seen.insert(one.prefix).second) all.push_back(std::move(one));
    }
  }
  return all;
}

template <typename T>
void cut(std::vector<T>& list, std::size_t most, const char* what,
         std::vector<std::string>& left_out) {
  if (list.size() <= most) return;
  left_out.push_back(fmt::format("{} of {} {}: at most {} are possible", list.size() - most,
                                 list.size(), what, most));
  list.resize(most);
}

}  // namespace

Result<FittedTable> fit_table(const TableSpec& spec, const TableCapacity& capacity) {
  FittedTable fitted{spec, {}};
  auto& entries = fitted.spec.entries;
  entries = distinct(spec.entries, fitted.left_out);
  EP_TRY(make_room(entries, capacity, fitted.left_out));
  const auto plan = plan_of(entries);
  entries = split(std::move(entries), plan);
  auto& vlans = fitted.spec.vlans;
  std::stable_partition(vlans.begin(), vlans.end(),
                        [](const auto& vlan) { return vlan.action == EP_VLAN_OURS; });
  cut(vlans, kMostVlans, "VLANs of devices", fitted.left_out);
  auto& spis = fitted.spec.integrity_spis;
  std::sort(spis.begin(), spis.end());
  spis.erase(std::unique(spis.begin(), spis.end()), spis.end());
  cut(spis, kMostSpis, "SAs without encryption", fitted.left_out);
  cut(fitted.spec.exemptions, EP_EXEMPTIONS, "exemptions", fitted.left_out);
  return fitted;
}

}  // namespace espial
