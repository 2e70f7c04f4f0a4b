// SPDX-License-Identifier: Apache-2.0
// Evaluator: snapshots in, reports out. Owns the window and the alarms between two snapshots.
#pragma once

#include <optional>
#include <vector>

#include "model/alarms/alarm_engine.h"
#include "model/alarms/coverage_watch.h"
#include "model/alarms/leak_cause.h"
#include "model/report.h"
#include "model/traffic/offload.h"
#include "model/traffic/unknown_spi.h"
#include "model/traffic/window.h"
#include "model/traffic/xfrm_errors.h"

namespace espial {

struct Evaluation {
  Report report;
  std::vector<Alarm> changes;  // began to fire, resolved, or began to flap: tell each once
};

// Coverage, verdict and alarms of every peer. Snapshots in time order, at least one a second for
// an exact window; the same snapshots give the same reports. Not thread-safe.
class Evaluator {
 public:
  explicit Evaluator(std::chrono::seconds window = std::chrono::seconds{60});

  // probing: what the probes of this moment came to; null: none are sent.
  Evaluation evaluate(Snapshot snapshot, std::shared_ptr<const Probing> probing = nullptr);

  // Below what share of a peer's packets CoverageBelowTarget is raised; nothing: never.
  void set_coverage_target(std::optional<double> target) { target_ = target; }

  // What a former daemon knew goes into it before the first snapshot.
  [[nodiscard]] AlarmEngine& alarms() { return alarms_; }
  [[nodiscard]] const AlarmEngine& alarms() const { return alarms_; }

 private:
  Window window_;
  LeakWatch leaks_;
  CoverageWatch coverage_;
  std::optional<double> target_;
  OffloadWatch offload_;
  XfrmErrorWatch xfrm_errors_;
  UnknownSpiWatch unknown_spi_;
  XfrmErrorWatch unknown_spi_growth_;  // by peer
  AlarmEngine alarms_;
};

}  // namespace espial
