// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance/moment.h"

#include <fstream>

namespace espial {

Moment this_moment() {
  Moment now{std::chrono::system_clock::now(), std::chrono::steady_clock::now(), {}};
  std::ifstream("/proc/sys/kernel/random/boot_id") >> now.boot;
  return now;
}

}  // namespace espial
