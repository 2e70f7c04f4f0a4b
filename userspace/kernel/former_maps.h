// SPDX-License-Identifier: Apache-2.0
// FormerMaps: the pinned maps of programs whose layout is another one, of a build with longer or
// shorter lists or of another max_peers, which go on counting until these programs replace them.
// What they counted becomes the base of the new maps: read once before and once after the exchange,
// so that it may be cut short anywhere and done again. Indexes may differ, peers are matched by
// name.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/maps.h"
#include "wire.h"

namespace espial {

// Does this map confirm that the counters beside it have this build's layout?
bool has_this_layout(int layout_map);
// Says so. carried: the base counts.
Status write_layout(const Maps& maps, bool carried);

class FormerMaps {
 public:
  // kFirst: before the exchange, with PIN_DIR/maps the latest; kLast: after it, PIN_DIR/former-*.
  enum class When : std::uint8_t { kFirst, kLast };
  static Result<FormerMaps> open(const std::string& pin_dir, When when);

  // false: there are none, or their layout is unknown: nothing can be carried over.
  [[nodiscard]] bool known() const { return !sets_.empty(); }

  // Writes the base of `maps`. kFirst: also identities and policies, those of the latest set;
  // `maps` must be fresh.
  Status carry(const Maps& maps, When when) const;

 private:
  struct Set {
    std::array<UniqueFd, kMapCount> fds;
    ep_layout layout{};
    std::uint32_t peers = 0;    // entries
    std::uint32_t subnets = 0;  // entries
    [[nodiscard]] int fd(MapId id) const { return fds[static_cast<std::size_t>(id)].get(); }
  };
  static bool open_set(const std::string& folder, Set& set);
  Status carry_identities(const Maps& maps) const;
  Status carry_peers(const Maps& maps) const;
  Status carry_subnets(const Maps& maps) const;
  Status carry_node(const Maps& maps) const;

  std::vector<Set> sets_;  // oldest first; only its base says something the others do not
};

}  // namespace espial
