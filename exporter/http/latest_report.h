// SPDX-License-Identifier: Apache-2.0
// LatestReport: the one report that HTTP threads read while the daemon makes the next.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "model/report.h"

namespace espial {

// Thread-safe. The lock covers the copy of a pointer and nothing else, so a reader never waits for
// the making of a report nor the daemon for a reader.
class LatestReport {
 public:
  void publish(std::shared_ptr<const Report> report) {
    const std::scoped_lock lock(mutex_);
    report_.swap(report);
  }
  // Null before the first snapshot.
  [[nodiscard]] std::shared_ptr<const Report> get() const {
    const std::scoped_lock lock(mutex_);
    return report_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Report> report_;
};

}  // namespace espial
