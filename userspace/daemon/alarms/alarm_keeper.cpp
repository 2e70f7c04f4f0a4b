// SPDX-License-Identifier: Apache-2.0
#include "daemon/alarms/alarm_keeper.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace espial {

void AlarmKeeper::restore(AlarmEngine& engine, const Moment& now) {
  auto record = file_.load();
  if (!record.ok()) {
    problem_ = file_.set_aside(record.error()).message;
    spdlog::warn("{}; the alarm history starts empty", problem_);
  } else if (*record) {
    engine.restore((*record)->memory, gap_between((*record)->saved, now), now.monotonic);
  }
  saved_revision_ = engine.revision();
  began_ = now.monotonic;
}

bool AlarmKeeper::due(const AlarmEngine& engine, MonoTime now) const {
  if (saving_) return false;
  const auto passed = now - began_;
  if (engine.revision() != saved_revision_) return passed >= kSaveEvery;
  return engine.waiting() && passed >= kWaitingEvery;
}

void AlarmKeeper::begin(const AlarmEngine& engine, const Moment& now, std::launch how) {
  began_ = now.monotonic;
  AlarmRecord record{now, engine.memory(now.monotonic)};
  saving_ = Saving{engine.revision(), std::async(how, [file = file_, record = std::move(record)] {
                     return file.save(record);
                   })};
}

void AlarmKeeper::take() {
  const auto status = saving_->status.get();
  // A failed save is retried.
  if (status.ok()) saved_revision_ = saving_->revision;
  saving_.reset();
  problem_ = status.ok() ? std::string() : status.error().message;
  if (status.ok() != failing_) return;
  failing_ = !status.ok();
  if (failing_)
    spdlog::warn("{} (alarms still work, but will be lost at a restart)", problem_);
  else
    spdlog::info("{}: alarms are saved again", file_.path());
}

void AlarmKeeper::follow(const AlarmEngine& engine, const Moment& now) {
  if (saving_ && saving_->status.wait_for(std::chrono::seconds{0}) == std::future_status::ready)
    take();
  if (due(engine, now.monotonic)) begin(engine, now, std::launch::async);
}

void AlarmKeeper::finish(const AlarmEngine& engine, const Moment& now) {
  if (saving_) take();
  if (engine.revision() == saved_revision_ && !engine.waiting()) return;
  begin(engine, now, std::launch::deferred);
  take();
}

}  // namespace espial
