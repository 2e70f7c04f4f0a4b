// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/audit_document.h"

#include <chrono>

#include "base/time_text.h"
#include "exporter/documents/json_values.h"
#include "exporter/documents/status_document.h"

namespace espial {

namespace {

using nlohmann::json;

json epoch_time_of(std::uint64_t seconds) {
  return rfc3339(WallTime{std::chrono::seconds{static_cast<std::int64_t>(seconds)}});
}

json pair_findings_of(const std::vector<PairFinding>& findings) {
  json out = json::array();
  for (const auto& finding : findings)
    out.push_back(
        {{"problem", text_of(to_string(finding.problem))},
         {"verdict", text_of(to_string(verdict_of(finding.problem)))},
         {"direction", finding.direction ? text_of(to_string(*finding.direction)) : json(nullptr)},
         {"evidence", finding.evidence},
         {"remedy", finding.remedy}});
  return out;
}

json pairs_of(const PeerAudit& peer) {
  json out = json::array();
  for (const auto& pair : peer.pairs) {
    json missing = json::object();
    for (const Direction d : {Direction::RECEIVE, Direction::TRANSMIT})
      missing[std::string(to_string(d))] = pair.policy_missing[at(d)];
    out.push_back({{"own", pair.own.text()},
                   {"theirs", pair.theirs.text()},
                   {"family", text_of(to_string(pair.theirs.family()))},
                   {"network", pair.network},
                   {"verdict", text_of(to_string(pair.verdict))},
                   {"policy_missing", std::move(missing)},
                   {"packet_offload", pair.offloaded},
                   {"findings", pair_findings_of(pair.findings)}});
  }
  return out;
}

}  // namespace

json ipsec_document(const PeerAudit* audit) {
  if (audit == nullptr) return nullptr;
  const PeerSas& sas = audit->sas;
  return {{"verdict", text_of(to_string(audit->verdict))},
          {"sas",
           {{"in", sas.installed_in},
            {"out", sas.installed_out},
            {"larval", sas.larval},
            {"null_encryption", sas.null_encryption},
            {"packet_offload", sas.offloaded}}},
          {"sa_expires", sas.expires ? epoch_time_of(*sas.expires) : json(nullptr)}};
}

json audit_document(const MeshAudit& audit, const std::string& node, WallTime time) {
  json peers = json::array();
  for (const auto& peer : audit.peers) {
    json entry = ipsec_document(&peer);
    entry["name"] = peer.peer;
    entry["pairs"] = pairs_of(peer);
    entry["host_exposed"] = peer.host_exposed;
    peers.push_back(std::move(entry));
  }
  return {
      {"schema_version", kSchemaVersion},
      {"node", node},
      {"time", rfc3339(time)},
      {"readable", audit.readable},
      {"reason", audit.reason},
      {"nat", {{"checked", !audit.nat_unchecked}, {"reason", audit.nat_unchecked.value_or("")}}},
      {"findings", pair_findings_of(audit.findings)},
      {"peers", std::move(peers)}};
}

}  // namespace espial
