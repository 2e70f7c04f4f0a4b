// SPDX-License-Identifier: Apache-2.0
#include "daemon/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <utility>

namespace espial {
namespace {

// syslog(3)'s.
const char* priority_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "7";
    case spdlog::level::info:
      return "6";
    case spdlog::level::warn:
      return "4";
    case spdlog::level::err:
      return "3";
    case spdlog::level::critical:
      return "2";
    case spdlog::level::off:
    case spdlog::level::n_levels:
      break;
  }
  return "5";
}

// spdlog's own systemd_sink waits for the journal.
class JournalSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit JournalSink(std::shared_ptr<Journal> journal) : journal_(std::move(journal)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    journal_->send({{"MESSAGE", std::string(line.payload.data(), line.payload.size())},
                    {"PRIORITY", priority_of(line.level)}});
  }
  void flush_() override {}

 private:
  std::shared_ptr<Journal> journal_;
};

}  // namespace

std::shared_ptr<Journal> start_log() {
  auto journal = Journal::of(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  if (journal) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("espial", std::make_shared<JournalSink>(journal)));
    return journal;
  }
  auto logger = spdlog::stderr_logger_mt("espial");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l: %v");
  spdlog::set_default_logger(logger);
  return nullptr;
}

}  // namespace espial
