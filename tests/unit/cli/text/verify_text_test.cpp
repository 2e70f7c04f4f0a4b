// SPDX-License-Identifier: Apache-2.0
// The verify document, its text and its exit status.
#include "cli/text/diagnosis_text.h"

#include <gtest/gtest.h>

#include "exporter/documents/diagnosis_documents.h"
#include "golden.h"

namespace espial {
namespace {

using nlohmann::json;
using std::chrono::microseconds;

ProbeResult probe(const std::string& peer, ProbePath path, const char* source, const char* target,
                  ProbeOutcome outcome) {
  ProbeResult out;
  out.peer = peer;
  out.path = path;
  out.source = IpAddress::parse(source).value();
  out.target = IpAddress::parse(target).value();
  out.sent = 3;
  out.outcome = outcome;
  return out;
}

VerifyReport verify_sample() {
  VerifyReport report;
  auto good = probe("node2", ProbePath::HOST, "10.101.1.1", "10.101.2.1", ProbeOutcome::ENCRYPTED);
  good.answered = 3;
  good.fastest = microseconds{350};
  good.seen[at(Direction::TRANSMIT)].encrypted = good.seen[at(Direction::RECEIVE)].encrypted = 3;
  auto lost =
      probe("node2", ProbePath::FORWARD_HERE, "10.101.1.10", "10.101.2.1", ProbeOutcome::LOST_HERE);
  lost.why = "packets of pods are dropped in FORWARD by ip filter FORWARD policy drop; 0 of 3";
  lost.remedies = {"iptables-nft -I FORWARD -s 10.101.0.0/16 -d 10.101.0.0/16 -j ACCEPT"};
  auto leak =
      probe("node3", ProbePath::HOST, "fd00:101:1::1", "fd00:101:3::1", ProbeOutcome::BOTH_LEAK);
  leak.answered = 3;
  leak.fastest = microseconds{12'345};
  leak.seen[at(Direction::TRANSMIT)].clear = leak.seen[at(Direction::RECEIVE)].clear = 3;
  leak.why = "no policy: packets leave in clear; 3 of 3 answered";
  report.probes = {good, lost, leak};
  report.not_exercised = {{"node3", Family::kIpv6, Direction::TRANSMIT, true,
                           "fd00:101:1::/64 > fd00:101:3::/64: passed"},
                          {"node3", Family::kIpv6, Direction::RECEIVE, std::nullopt,
                           "fd00:101:3::/64 > fd00:101:1::/64: unknown, not understood: geoip"}};
  report.unknown = {"node4: no backend subnet is known"};
  return report;
}

json document(const VerifyReport& report) {
  return verify_document(report, "node1", WallTime{std::chrono::seconds{1714564800}});
}

TEST(VerifyText, IsTheGoldenTextAndDocument) {
  testing::expect_golden("verify.json", document(verify_sample()).dump(2) + "\n");
  testing::expect_golden("verify.txt", render_verify(document(verify_sample()), {}));
}

TEST(VerifyText, TheExitStatusIsTheWorst) {
  const auto with = [](auto change) {
    auto report = verify_sample();
    report.probes.resize(1);
    report.not_exercised.resize(1);
    report.unknown.clear();
    change(report);
    return verify_exit(document(report));
  };
  EXPECT_EQ(with([](auto&) {}), 0);
  EXPECT_EQ(with([](auto& report) { report.probes[0].outcome = ProbeOutcome::FAIL_CLOSED; }), 1);
  EXPECT_EQ(with([](auto& report) { report.probes[0].outcome = ProbeOutcome::LOST; }), 1);
  EXPECT_EQ(with([](auto& report) { report.probes[0].outcome = ProbeOutcome::UNSEEN; }), 3);
  EXPECT_EQ(with([](auto& report) { report.not_exercised[0].passes = false; }), 1);
  EXPECT_EQ(with([](auto& report) { report.not_exercised[0].passes.reset(); }), 3);
  EXPECT_EQ(with([](auto& report) { report.unknown = {"node4: nothing is known"}; }), 3);
  EXPECT_EQ(with([](auto& report) { report.probes.clear(); }), 3) << "nothing was proved";
  EXPECT_EQ(verify_exit(json::object()), 3) << "a document of another shape";
}

}  // namespace
}  // namespace espial
