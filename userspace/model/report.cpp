// SPDX-License-Identifier: Apache-2.0
#include "model/report.h"

namespace espial {

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kLeaking:
      return "leaking";
    case Verdict::kMixed:
      return "mixed";
    case Verdict::kOneWay:
      return "one_way";
    case Verdict::kEncrypted:
      return "encrypted";
    case Verdict::kSilent:
      return "silent";
    case Verdict::kDown:
      return "down";
    case Verdict::kExposed:
      return "exposed";
    case Verdict::kUnknown:
      return "unknown";
  }
  return "?";
}

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kCritical:
      return "critical";
  }
  return "?";
}

std::string_view to_string(AlarmState state) {
  switch (state) {
    case AlarmState::kPending:
      return "pending";
    case AlarmState::kFiring:
      return "firing";
    case AlarmState::kResolved:
      return "resolved";
  }
  return "?";
}

}  // namespace espial
