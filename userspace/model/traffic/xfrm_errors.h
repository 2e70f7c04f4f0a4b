// SPDX-License-Identifier: Apache-2.0
// XfrmErrorWatch: which of the kernel's XFRM error counters grow, and since when.
//
// A rekey may lose a packet or two to an SA that is just gone: that is no error. An error is a
// counter that keeps growing. Time comes from the caller. Not thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include "model/snapshot.h"

namespace espial {

struct XfrmErrorGrowth {
  std::string name;
  std::uint64_t count = 0;  // since `covered` ago
};

struct XfrmErrorReport {
  std::vector<XfrmErrorGrowth> growing;  // grew within the last kRecent, by name
  std::chrono::nanoseconds covered{0};
};

class XfrmErrorWatch {
 public:
  static constexpr std::chrono::seconds kRecent{5};
  static constexpr std::chrono::seconds kLength{60};

  XfrmErrorReport advance(const std::vector<XfrmError>& errors, MonoTime now);

 private:
  struct Mark {
    MonoTime at;
    std::vector<XfrmError> errors;
  };
  std::deque<Mark> marks_;  // one a second at most, kLength back
};

}  // namespace espial
