// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/diagnosis_documents.h"

#include "base/time_text.h"
#include "exporter/documents/status_document.h"

namespace espial {

nlohmann::json explain_document(const Explanation& explanation, const std::string& node,
                                WallTime time) {
  auto steps = nlohmann::json::array();
  for (const auto& step : explanation.steps)
    steps.push_back({{"where", step.where},
                     {"packet", step.packet},
                     {"what", step.what},
                     {"details", step.details}});
  return {{"schema_version", kSchemaVersion},
          {"node", node},
          {"time", rfc3339(time)},
          {"source", explanation.source.text()},
          {"destination", explanation.destination.text()},
          {"family", std::string(to_string(explanation.source.family()))},
          {"steps", std::move(steps)},
          {"end", std::string(to_string(explanation.end))},
          {"conclusion", explanation.conclusion},
          {"reasons", explanation.reasons}};
}

}  // namespace espial
