// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/diagnosis_documents.h"

#include "base/time_text.h"
#include "exporter/documents/status_document.h"

namespace espial {
namespace {

using nlohmann::json;

json wire_json(const WireSeen& seen) {
  return {{"encrypted", seen.encrypted}, {"clear", seen.clear}, {"dropped", seen.dropped}};
}

json probe_json(const ProbeResult& probe) {
  const json rtt =
      probe.fastest ? json(std::chrono::duration<double>(*probe.fastest).count()) : json();
  return {{"peer", probe.peer},
          {"family", std::string(to_string(probe.target.family()))},
          {"path", std::string(to_string(probe.path))},
          {"source", probe.source.text()},
          {"target", probe.target.text()},
          {"sent", probe.sent},
          {"answered", probe.answered},
          {"rtt_seconds", rtt},
          {"outcome", std::string(to_string(probe.outcome))},
          {"outcome_text", std::string(in_words(probe.outcome))},
          {"why", probe.why},
          {"remedies", probe.remedies},
          {"wire",
           {{"transmit", wire_json(probe.seen[at(Direction::TRANSMIT)])},
            {"receive", wire_json(probe.seen[at(Direction::RECEIVE)])}}}};
}

json note_json(const ForwardNote& note) {
  return {{"peer", note.peer},
          {"family", std::string(to_string(note.family))},
          {"direction", std::string(to_string(note.direction))},
          {"passes", note.passes ? json(*note.passes) : json()},
          {"walk", note.walk}};
}

}  // namespace

json verify_document(const VerifyReport& report, const std::string& node, WallTime time) {
  auto probes = json::array();
  for (const auto& probe : report.probes) probes.push_back(probe_json(probe));
  auto notes = json::array();
  for (const auto& note : report.not_exercised) notes.push_back(note_json(note));
  return {{"schema_version", kSchemaVersion},
          {"node", node},
          {"time", rfc3339(time)},
          {"probes", std::move(probes)},
          {"forward_not_exercised", std::move(notes)},
          {"unknown", report.unknown}};
}

}  // namespace espial
