// SPDX-License-Identifier: Apache-2.0
#include "model/alarms/conditions.h"

#include <string>
#include <utility>

namespace espial {
namespace {

// "ipv4 10.101.2.1 (host): lost there, 3 probes in a row, the last: 0 of 1 answered; on the
// wire..."
std::string failure_text(const PeerProbe& probe) {
  const auto& last = probe.last;
  std::string out = std::string(to_string(last.target.family())) + " " + last.target.text() + " (" +
                    std::string(to_string(last.path)) +
                    "): " + std::string(in_words(last.outcome)) + ", " +
                    std::to_string(probe.failures) + " probes in a row, the last: " + last.why;
  if (last.outcome == ProbeOutcome::UNSEEN) out += "; espial does not see the wire (espial status)";
  return out;
}

std::string black_hole_text(const MtuBlackhole& hole) {
  return hole.address.text() + ": packets of " + std::to_string(hole.asked_bytes) +
         " bytes are lost without an ICMP error; packets of " + std::to_string(hole.largest) +
         " bytes pass";
}

void join(std::string& evidence, const std::string& more) {
  evidence += (evidence.empty() ? "" : " | ") + more;
}

}  // namespace

void add_probe_conditions(std::vector<AlarmCondition>& out, const Probing& probing) {
  for (const auto& [name, peer] : probing.peers) {
    std::string failures;
    for (const auto& probe : peer.probes)
      if (probe.failures >= kProbeFailures) join(failures, failure_text(probe));
    if (!failures.empty()) out.push_back({AlarmId::ProbeFailed, name, std::move(failures)});
    std::string holes;
    for (const auto& hole : peer.black_holes) join(holes, black_hole_text(hole));
    if (!holes.empty()) out.push_back({AlarmId::MtuBlackhole, name, std::move(holes)});
  }
}

}  // namespace espial
