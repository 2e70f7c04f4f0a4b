// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/alarms.h"

namespace espial {

std::string runbook_of(std::string_view alarm) {
  return std::string(kRunbooks) + "Espial" + std::string(alarm) + ".md";
}

}  // namespace espial
