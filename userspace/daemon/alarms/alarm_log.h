// SPDX-License-Identifier: Apache-2.0
// AlarmLog: writes changes of alarms to the journal, with fields, or else to the log.
#pragma once

#include <memory>
#include <vector>

#include "daemon/alarms/journal.h"
#include "model/alarms/alarm_messages.h"
#include "model/report.h"

namespace espial {

// The fields of a message: MESSAGE, MESSAGE_ID (one for firing, one for resolved), PRIORITY by
// severity, ESPIAL_ALARM, ESPIAL_STATE, ESPIAL_SEVERITY, ESPIAL_PEER (if it has one),
// ESPIAL_EVIDENCE, ESPIAL_RUNBOOK.
Journal::Fields journal_fields(const AlarmMessage& message);

class AlarmLog {
 public:
  // null: write to the log.
  explicit AlarmLog(std::shared_ptr<Journal> journal = nullptr) : journal_(std::move(journal)) {}

  // Never blocks.
  void write(const std::vector<Alarm>& changes);
  [[nodiscard]] const AlarmMessageCounts& counts() const { return counts_; }

 private:
  std::shared_ptr<Journal> journal_;
  AlarmMessageCounts counts_;
};

}  // namespace espial
