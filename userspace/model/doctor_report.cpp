// SPDX-License-Identifier: Apache-2.0
#include "model/doctor_report.h"

namespace espial {

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::kLost:
      return "lost";
    case Effect::kLeaks:
      return "leaks";
    case Effect::kRisk:
      return "risk";
  }
  return "";
}

}  // namespace espial
