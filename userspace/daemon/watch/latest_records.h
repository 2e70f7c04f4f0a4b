// SPDX-License-Identifier: Apache-2.0
// LatestRecords: the flows of the last snapshot, shared with the HTTP thread.
#pragma once

#include <mutex>
#include <vector>

#include "model/snapshot.h"

namespace espial {

template <typename Record>
class LatestRecords {
 public:
  void publish(std::vector<Record> records) {
    const std::scoped_lock lock(mutex_);
    records_.swap(records);
  }
  [[nodiscard]] std::vector<Record> get() const {
    const std::scoped_lock lock(mutex_);
    return records_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Record> records_;
};

using LatestFlows = LatestRecords<FlowRecord>;
using LatestDrops = LatestRecords<DropRecord>;  // those that lost packets

}  // namespace espial
