// SPDX-License-Identifier: Apache-2.0
// The doctor's document and text.
#include "cli/text/diagnosis_text.h"

#include <gtest/gtest.h>

#include "exporter/documents/diagnosis_documents.h"
#include "golden.h"

namespace espial {
namespace {

using nlohmann::json;

json doctor_sample() {
  DoctorReport report;
  report.findings = {
      {Cause::RULE_DROPS,
       Effect::kLost,
       "packets of pods are dropped in FORWARD by ip filter FORWARD policy drop",
       {"10.101.1.0/24 > 10.101.2.0/24", "forward, priority 0: dropped by ip filter FORWARD"},
       {"iptables-nft -I FORWARD -s 10.101.0.0/16 -d 10.101.0.0/16 -j ACCEPT"},
       {"node2", "node3"}},
      {Cause::FORWARDING_OFF,
       Effect::kLost,
       "this node does not forward IPv6",
       {"net.ipv6.conf.all.forwarding = 0"},
       {"sysctl -w net.ipv6.conf.all.forwarding=1"},
       {}},
      {Cause::UNDERLAY_UNREACHABLE,
       Effect::kRisk,
       "node3 does not answer ping, though its SAs have carried packets",
       {"10.45.0.13 does not answer ping"},
       {"ping 10.45.0.13"},
       {"node3"}}};
  report.unknown = {"rules that espial does not understand: geoip: 10.101.1.0/24 > 10.101.2.0/24"};
  return doctor_document(report, "node1", WallTime{std::chrono::seconds{1714564800}});
}

TEST(DoctorText, IsTheGoldenTextAndDocument) {
  testing::expect_golden("doctor.json", doctor_sample().dump(2) + "\n");
  testing::expect_golden("doctor.txt", render_doctor(doctor_sample(), {}));
}

TEST(DoctorText, APeersFindingsAreItsOwnAndTheNodes) {
  const auto causes = [](const json& document) {
    std::string all;
    for (const auto& finding : document["findings"])
      all += finding["cause"].get<std::string>() + " ";
    return all;
  };
  EXPECT_EQ(causes(select_findings(doctor_sample(), {})),
            "rule_drops forwarding_off underlay_unreachable ");
  EXPECT_EQ(causes(select_findings(doctor_sample(), {"node2"})), "rule_drops forwarding_off ");
  EXPECT_EQ(causes(select_findings(doctor_sample(), {"nobody"})), "forwarding_off ");
}

TEST(DoctorText, TheExitStatusSaysWhetherAnythingIsWrong) {
  auto document = doctor_sample();
  EXPECT_EQ(doctor_exit(document), 1);
  document["findings"].erase(0);
  document["findings"].erase(0);
  EXPECT_EQ(doctor_exit(document), 3) << "a risk, and something that is not known";
  document["unknown"].clear();
  EXPECT_EQ(doctor_exit(document), 0);
  EXPECT_EQ(doctor_exit(json::object()), 3) << "a document of another shape";
  EXPECT_NE(render_doctor({{"node", "n"}, {"findings", json::array()}}, {}).find("nothing found"),
            std::string::npos);
}

}  // namespace
}  // namespace espial
