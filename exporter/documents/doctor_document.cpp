// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/diagnosis_documents.h"

#include "base/time_text.h"
#include "exporter/documents/status_document.h"

namespace espial {

nlohmann::json doctor_document(const DoctorReport& report, const std::string& node, WallTime time) {
  auto findings = nlohmann::json::array();
  for (const auto& finding : report.findings)
    findings.push_back(
        {{"cause", to_string(finding.cause)},
         {"effect", std::string(to_string(finding.effect))},
         {"summary", finding.summary},
         {"peers", finding.peers},
         {"family", finding.family ? nlohmann::json(to_string(*finding.family)) : nlohmann::json()},
         {"evidence", finding.evidence},
         {"remedies", finding.remedies}});
  return {{"schema_version", kSchemaVersion},
          {"node", node},
          {"time", rfc3339(time)},
          {"findings", std::move(findings)},
          {"unknown", report.unknown}};
}

}  // namespace espial
