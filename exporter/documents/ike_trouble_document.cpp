// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/diagnosis_documents.h"

#include <chrono>
#include <cstdint>

#include "base/printable.h"
#include "exporter/documents/status_document.h"

namespace espial {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// What a clock of this program can be; nothing else comes from a daemon.
constexpr std::int64_t kLatestMs = 4'102'444'800'000;  // the year 2100

std::string text_at(const nlohmann::json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

nlohmann::json ike_troubles_document(const std::vector<IkeTrouble>& troubles) {
  auto list = nlohmann::json::array();
  for (const auto& trouble : troubles)
    list.push_back(
        {{"kind", to_string(trouble.kind)},
         {"connection", printable(trouble.connection)},
         {"remote_host", printable(trouble.remote_host)},
         {"line", printable(trouble.line)},
         {"at_ms", std::chrono::floor<milliseconds>(trouble.at.time_since_epoch()).count()}});
  return {{"schema_version", kSchemaVersion}, {"troubles", std::move(list)}};
}

std::vector<IkeTrouble> ike_troubles_from(const nlohmann::json& document) {
  std::vector<IkeTrouble> out;
  if (!document.is_object()) return out;
  const auto list = document.find("troubles");
  if (list == document.end() || !list->is_array()) return out;
  for (const auto& entry : *list) {
    if (!entry.is_object()) continue;
    const auto kind = parse_ike_trouble(text_at(entry, "kind"));
    const auto at = entry.find("at_ms");
    if (!kind || at == entry.end() || !at->is_number_integer()) continue;
    const auto ms = at->get<std::int64_t>();
    if (ms < 0 || ms > kLatestMs) continue;
    out.push_back({.kind = *kind,
                   .connection = text_at(entry, "connection"),
                   .remote_host = text_at(entry, "remote_host"),
                   .line = text_at(entry, "line"),
                   .at = system_clock::time_point{milliseconds{ms}}});
  }
  return out;
}

}  // namespace espial
