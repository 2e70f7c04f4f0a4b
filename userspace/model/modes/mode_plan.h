// SPDX-License-Identifier: Apache-2.0
// What a command changes: the modes of peers afterwards, or why it is refused. Pure.
//
// enforce is guarded: it is refused unless audit has run long enough in this boot, encrypted
// traffic was seen meanwhile, nothing would have been dropped of late, and no device encrypts
// behind tc what enforce would drop there. A command about several peers changes all of them or
// none.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/mesh.h"
#include "model/modes/peer_modes.h"

namespace espial {

inline constexpr std::chrono::seconds kMaxConfirmWithin{24 * 3600};

struct ModeRequest {
  enum class Kind : std::uint8_t { kShow, kSet, kConfirm };
  Kind kind = Kind::kShow;
  std::string peer;                                    // a name or kAllPeers
  std::optional<Mode> mode;                            // of kSet; nothing: what the file says
  std::optional<std::chrono::seconds> confirm_within;  // of kSet with enforce
  bool force = false;                                  // of kSet: without the guard
};

struct ModeRefusal {
  std::string peer;
  std::vector<std::string> reasons;  // one line each
  std::vector<FlowRecord> flows;     // what would be dropped, latest first
};

struct ModePlan {
  PeerModes modes;                   // to be in force; as before when something was refused
  std::vector<std::string> changed;  // peers whose mode the command set
  std::vector<ModeRefusal> refused;  // not empty: nothing is changed
  std::vector<std::string> notes;    // one line each
};

// Never ends in enforce: carried out even where it cannot be saved.
bool lowers(const ModeRequest& request);

// Why enforce must not begin for this peer; empty: it may.
std::vector<std::string> objections(const PeerSnapshot& peer, const PeerMode* peer_mode,
                                    const Moment& now, std::chrono::minutes audit);

// What is known when a command comes; all of it outlives the call. mesh: null, policies were not
// read.
struct ModeContext {
  const std::vector<PeerSnapshot>& peers;  // with the modes in force now
  const std::vector<FlowRecord>& flows;
  const MeshAudit* mesh = nullptr;
};

// Errors are kUsage: no such peer, a deadline for another mode.
Result<ModePlan> plan_modes(const ModeRequest& request, const PeerModes& modes,
                            const ModeContext& context, const Moment& now,
                            std::chrono::minutes audit);

}  // namespace espial
