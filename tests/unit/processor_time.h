// SPDX-License-Identifier: Apache-2.0
// How much a test worked: unlike time, it does not grow because the machine does other things, too.
#pragma once

#include <chrono>
#include <ctime>

namespace espial::test {

inline std::chrono::nanoseconds processor_time(clockid_t of = CLOCK_THREAD_CPUTIME_ID) {
  timespec time{};
  clock_gettime(of, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace espial::test
