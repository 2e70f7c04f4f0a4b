// SPDX-License-Identifier: Apache-2.0
// Wall-clock time as text: RFC 3339 section 5.6, always UTC, always milliseconds.
#pragma once

#include <chrono>
#include <string>

namespace espial {

// "2024-05-01T12:00:00.250Z". Parts of a millisecond are cut off, also before 1970. Years outside
// 0000..9999 have no RFC 3339 form and are not produced by any clock we read.
std::string rfc3339(std::chrono::system_clock::time_point time);

}  // namespace espial
