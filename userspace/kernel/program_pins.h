// SPDX-License-Identifier: Apache-2.0
// Loaded programs, pinned beside their maps, so that the next start of the same build with the same
// configuration uses them and has nothing to load.
//
//   PIN_DIR/programs/NAME       one pin per program
//   PIN_DIR/programs/ep_own_drops    the map that they share with the drop program
//   PIN_DIR/programs/ep_sas, ep_sa_index   the maps that they share with the SA mirror
//   PIN_DIR/programs/ep_loaded  what they were made of, and what the kernel called them
//
// The folder is made under another name and renamed when it is complete.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/objects.h"
#include "wire.h"

namespace espial {

// What programs are made of: equal ones make equal programs.
struct ProgramOrigin {
  std::array<char, 64> object{};  // SHA-256 of the BPF object
  ep_config config{};
  std::uint32_t sas = 0;      // room for so many
  std::uint32_t xdp = 0;      // 1: the accelerator, too
  std::uint32_t perfmon = 0;  // 1: verified with CAP_PERFMON, so without barriers to speculation
  std::uint32_t reserved = 0;
};

struct ProgramSet {
  std::array<UniqueFd, kProgramCount> programs;  // not valid: not wanted
  std::array<UniqueFd, kMapCount> maps;
  std::array<UniqueFd, kSharedMapCount> shared;
  UniqueFd loaded;  // not valid: the programs are not pinned
};

// The pinned programs and maps. Error, which says why, unless they are exactly what a start of this
// origin pinned: the objects that the kernel named then, of this user, the programs using these
// very maps.
Result<ProgramSet> open_pinned_programs(const std::string& pin_dir, const ProgramOrigin& origin);

// Pins the programs in the place of those that are pinned; their maps are pinned already. Sets
// set.loaded. Cut short anywhere, it leaves complete pins or such as nobody adopts.
Status pin_programs(const std::string& pin_dir, const ProgramOrigin& origin, ProgramSet& set);

// Pins again what was unpinned externally. Returns how many pins were missing.
std::size_t restore_program_pins(const std::string& pin_dir, const ProgramSet& set);

}  // namespace espial
