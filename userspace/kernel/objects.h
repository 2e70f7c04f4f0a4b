// SPDX-License-Identifier: Apache-2.0
// The programs and maps of the BPF object (bpf/espial.bpf.c), by their names there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace espial {

// The pinned maps; the order of kMapNames.
enum class MapId : std::uint8_t {
  kTables,
  kPeerStat,
  kNetStat,
  kNodeStat,
  kFlows,
  kLimiter,
  kEvents,
  kPeerMeta,
  kNetMeta,
  kPolicy,
  kPeerBase,
  kNetBase,
  kNodeBase,
  kLayout,
};
inline constexpr std::size_t kMapCount = 14;
std::string_view map_name(MapId id);

// Maps that live as long as the programs, whose other programs use them too; pinned beside them.
enum class SharedMap : std::uint8_t {
  kOwnDrops,  // what the tc programs dropped (bpf/own.h)
  kSas,       // the SAs of ESP (bpf/sas.bpf.c)
  kSaIndex,   // their fingerprints
};
inline constexpr std::size_t kSharedMapCount = 3;
std::string_view map_name(SharedMap map);

// The order of kProgramNames.
enum class ProgramId : std::uint8_t {
  kWire,
  kBoth,
  kReentry,
  kTransmit,
  kWireL3,
  kBothL3,
  kReentryL3,
  kTransmitL3,
  kXdp,
};
inline constexpr std::size_t kProgramCount = 9;
std::string_view program_name(ProgramId id);

}  // namespace espial
