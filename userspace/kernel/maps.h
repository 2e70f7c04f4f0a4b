// SPDX-License-Identifier: Apache-2.0
// Maps: the descriptors of an instance's maps, from the loaded programs or from the pins. Reading
// them needs neither the programs nor a daemon.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/programs.h"

namespace espial {

// What went wrong with a map, of errno.
Error map_error(MapId id, const char* operation);

class Maps {
 public:
  // Borrows the descriptors of loaded programs, which must outlive this.
  static Result<Maps> of(const Programs& programs);
  // Opens the pins of a running or ended daemon.
  static Result<Maps> open_pinned(const std::string& pin_dir);

  [[nodiscard]] int fd(MapId id) const { return fds_[static_cast<std::size_t>(id)]; }
  // The maps ep_*_base are not empty.
  [[nodiscard]] bool carried() const { return carried_; }
  [[nodiscard]] std::uint32_t max_peers() const { return max_peers_; }
  [[nodiscard]] std::uint32_t max_subnets() const { return max_subnets_; }

 private:
  Maps() = default;
  Status measure();

  std::array<UniqueFd, kMapCount> owned_;
  std::array<int, kMapCount> fds_{};
  std::uint32_t max_peers_ = 0;
  std::uint32_t max_subnets_ = 0;
  bool carried_ = false;
};

}  // namespace espial
