// SPDX-License-Identifier: Apache-2.0
#include "model/snapshot.h"

#include <algorithm>

namespace espial {

std::optional<WallTime> PeerCounters::last_cleartext() const {
  return std::max(last_unprotected[at(Direction::RECEIVE)],
                  last_unprotected[at(Direction::TRANSMIT)]);
}

std::string_view to_string(DeviceRole role) {
  switch (role) {
    case DeviceRole::kWire:
      return "wire";
    case DeviceRole::kReentry:
      return "reentry";
    case DeviceRole::kWireAndReentry:
      return "wire+reentry";
  }
  return "?";
}

std::string_view to_string(AttachMode mode) {
  switch (mode) {
    case AttachMode::kNone:
      return "none";
    case AttachMode::kTcx:
      return "tcx";
    case AttachMode::kClsact:
      return "clsact";
  }
  return "?";
}

}  // namespace espial
