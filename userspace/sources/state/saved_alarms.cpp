// SPDX-License-Identifier: Apache-2.0
#include "sources/state/saved_alarms.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace espial {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr int kAlarmsSchema = 1;
constexpr std::size_t kMaxEvidence = 2000;  // bytes; the rest is of the moment
// So that sums of them fit nanoseconds.
constexpr milliseconds kMaxTime{std::chrono::hours{24 * 366 * 150}};  // since 1970
constexpr milliseconds kMaxAge{std::chrono::hours{24 * 366 * 30}};
constexpr Severity kSeverities[] = {Severity::kInfo, Severity::kWarning, Severity::kCritical};
constexpr AlarmState kStates[] = {AlarmState::kPending, AlarmState::kFiring, AlarmState::kResolved};

std::int64_t wall_ms(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

std::int64_t age_ms(nanoseconds age) {
  return std::chrono::duration_cast<milliseconds>(age).count();
}

Json alarm_json(const Alarm& alarm) {
  return {{"alarm", alarm.name},
          {"severity", to_string(alarm.severity)},
          {"peer", alarm.peer},
          {"state", to_string(alarm.state)},
          {"since_ms", wall_ms(alarm.since)},
          {"evidence", alarm.evidence.substr(0, kMaxEvidence)}};
}

Json entry_json(const AlarmMemory::Entry& entry) {
  Json out = alarm_json(entry.alarm);
  out["age_ms"] = age_ms(entry.age);
  out["raised"] = entry.raised;
  out["flapping"] = entry.flapping;
  Json changes = Json::array();
  for (const auto age : entry.changes) changes.push_back(age_ms(age));
  out["change_ages_ms"] = std::move(changes);
  return out;
}

// The readers below throw; alarms_from_json() turns that into an Error.

// A fraction has no business here, and one beyond the type's range would be undefined.
std::int64_t read_whole(const Json& json) {
  if (!json.is_number_integer()) throw std::runtime_error(json.dump() + " is not a whole number");
  return json.get<std::int64_t>();
}

milliseconds read_ms(const Json& json, milliseconds most) {
  const auto number = read_whole(json);
  if (number < 0 || number > most.count())
    throw std::runtime_error(std::to_string(number) + " ms is out of range");
  return milliseconds(number);
}

template <typename Word, std::size_t N>
Word read_word(const Json& json, const Word (&words)[N]) {
  const auto text = json.get<std::string>();
  const auto at = std::find_if(std::begin(words), std::end(words),
                               [&](Word w) { return to_string(w) == text; });
  if (at == std::end(words)) throw std::runtime_error("'" + text + "' is not known");
  return *at;
}

Alarm read_alarm(const Json& json) {
  Alarm alarm;
  alarm.name = json.at("alarm").get<std::string>();
  alarm.severity = read_word(json.at("severity"), kSeverities);
  alarm.peer = json.at("peer").get<std::string>();
  alarm.state = read_word(json.at("state"), kStates);
  alarm.since = WallTime(read_ms(json.at("since_ms"), kMaxTime));
  alarm.evidence = json.at("evidence").get<std::string>();
  return alarm;
}

AlarmMemory::Entry read_entry(const Json& json) {
  AlarmMemory::Entry entry;
  entry.alarm = read_alarm(json);
  entry.age = read_ms(json.at("age_ms"), kMaxAge);
  entry.raised = json.at("raised").get<bool>();
  entry.flapping = json.at("flapping").get<bool>();
  for (const auto& age : json.at("change_ages_ms")) entry.changes.push_back(read_ms(age, kMaxAge));
  return entry;
}

AlarmRecord read_record(const Json& json) {
  const auto version = read_whole(json.at("schema_version"));
  if (version != kAlarmsSchema)
    throw std::runtime_error("schema_version " + std::to_string(version) + ", this espial reads " +
                             std::to_string(kAlarmsSchema));
  AlarmRecord record;
  const auto& saved = json.at("saved");
  record.saved = {WallTime(read_ms(saved.at("wall_ms"), kMaxTime)),
                  MonoTime(read_ms(saved.at("monotonic_ms"), kMaxAge)),
                  saved.at("boot").get<std::string>()};
  for (const auto& entry : json.at("alarms")) record.memory.entries.push_back(read_entry(entry));
  for (const auto& alarm : json.at("history")) record.memory.history.push_back(read_alarm(alarm));
  record.memory.forgotten = static_cast<std::uint64_t>(read_whole(json.at("forgotten")));
  return record;
}

}  // namespace

std::chrono::nanoseconds gap_between(const Moment& saved, const Moment& now) {
  const nanoseconds gap = same_boot(saved, now) ? nanoseconds(now.monotonic - saved.monotonic)
                                                : nanoseconds(now.wall - saved.wall);
  return std::clamp(gap, nanoseconds{0}, nanoseconds(kMaxAge));
}

std::string alarms_to_json(const AlarmRecord& record) {
  Json alarms = Json::array();
  for (const auto& entry : record.memory.entries) alarms.push_back(entry_json(entry));
  Json history = Json::array();
  for (const auto& alarm : record.memory.history) history.push_back(alarm_json(alarm));
  const Json json{{"schema_version", kAlarmsSchema},
                  {"saved",
                   {{"wall_ms", wall_ms(record.saved.wall)},
                    {"monotonic_ms", age_ms(record.saved.monotonic.time_since_epoch())},
                    {"boot", record.saved.boot}}},
                  {"alarms", std::move(alarms)},
                  {"history", std::move(history)},
                  {"forgotten", record.memory.forgotten}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<AlarmRecord> alarms_from_json(std::string_view text) {
  try {
    return read_record(Json::parse(text));
  } catch (const std::exception& cause) {
    return Error{std::string("saved alarms: ") + cause.what(), Failure::kUnable};
  }
}

SavedAlarms::SavedAlarms(const std::string& state_dir) : file_(state_dir, "alarms.json") {}

Result<std::optional<AlarmRecord>> SavedAlarms::load() const {
  return file_.load(alarms_from_json);
}

Error SavedAlarms::set_aside(Error error) const { return file_.set_aside(std::move(error)); }

Status SavedAlarms::save(const AlarmRecord& record) const {
  return file_.save(alarms_to_json(record));
}

}  // namespace espial
