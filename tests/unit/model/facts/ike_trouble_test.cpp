// SPDX-License-Identifier: Apache-2.0
// What a real charon (5.9.8) logged in a mesh whose connections were made to differ, and lines of
// its source that this mesh could not bring about.
#include "model/facts/ike_troubles.h"

#include <gtest/gtest.h>

#include <string>

#include "exporter/documents/diagnosis_documents.h"

namespace espial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = std::chrono::system_clock::time_point;
using Kind = IkeTroubleKind;

const Time kNow{seconds{1714564800}};

TEST(IkeTrouble, LinesOfCharon) {
  const std::pair<const char*, Kind> lines[] = {
      {"received AUTHENTICATION_FAILED notify error", Kind::kAuthentication},
      {"tried 1 shared key for 'node2' - 'node1', but MAC mismatched", Kind::kAuthentication},
      {"no matching peer config found", Kind::kAuthentication},
      {"no shared key found for 'node2' - 'node1'", Kind::kAuthentication},
      {"no trusted ECDSA public key found for 'node1'", Kind::kAuthentication},
      {"constraint check failed: identity 'other' required ", Kind::kAuthentication},
      {"received NO_PROPOSAL_CHOSEN notify error", Kind::kIkeProposals},
      {"received proposals unacceptable", Kind::kIkeProposals},
      {"received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", Kind::kChildProposals},
      {"no acceptable proposal found", Kind::kChildProposals},
      {"received TS_UNACCEPTABLE notify, no CHILD_SA built", Kind::kSelectors},
      {"traffic selectors 10.99.0.0/24 === 10.101.1.0/24 unacceptable", Kind::kSelectors},
      {"subject certificate invalid (valid from Jan 01 00:00:00 2030 to Jan 01 00:00:00 2031)",
       Kind::kCertificateTime},
      {"no IKE config found for 10.45.0.12...10.45.0.11, sending NO_PROPOSAL_CHOSEN",
       Kind::kUnknownPeer},
  };
  for (const auto& [line, kind] : lines) EXPECT_EQ(trouble_in(line), kind) << line;
  for (const char* line :
       {"", "initiating IKE_SA node2[1] to 10.45.0.12", "remote host is behind NAT",
        "authentication of 'node2' with pre-shared key successful", "peer supports MOBIKE",
        "selected proposal: ESP:AES_GCM_16_128/NO_EXT_SEQ",
        "CHILD_SA node2-v4{6} established with SPIs a708cf89_i a5d7cba9_o and TS 10.101.1.0/24 === "
        "10.101.2.0/24",
        "failed to establish CHILD_SA, keeping IKE_SA", "traffic selectors",
        "received INTERNAL_ADDRESS_FAILURE notify, no CHILD_SA built",
        "no trusted issuer certificate found: 'CN=other'"})
    EXPECT_EQ(trouble_in(line), std::nullopt) << line;
}

TEST(IkeTrouble, WordsAreTheirOwnInverse) {
  for (int i = 0; i <= static_cast<int>(Kind::kUnknownPeer); ++i) {
    const auto kind = static_cast<Kind>(i);
    EXPECT_EQ(parse_ike_trouble(to_string(kind)), kind);
  }
  EXPECT_EQ(parse_ike_trouble("ike_refused"), std::nullopt);
}

TEST(IkeTroubles, TheLastOfAConnectionCounts) {
  IkeTroubles troubles;
  troubles.take({"node2", "1", "received AUTHENTICATION_FAILED notify error"}, kNow);
  troubles.take({"node2", "2", "remote host is behind NAT"}, kNow + seconds{1});
  troubles.take({"node3", "3", "received NO_PROPOSAL_CHOSEN notify error"}, kNow + seconds{2});
  troubles.take({"node2", "2", "received TS_UNACCEPTABLE notify, no CHILD_SA built"},
                kNow + seconds{3});
  const auto all = troubles.all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0],
            (IkeTrouble{Kind::kSelectors, "node2", "",
                        "received TS_UNACCEPTABLE notify, no CHILD_SA built", kNow + seconds{3}}));
  troubles.forget("node2");
  ASSERT_EQ(troubles.all().size(), 1U);
  EXPECT_EQ(troubles.all()[0].connection, "node3");
}

TEST(IkeTroubles, APeerThatNoConnectionKnowsIsKnownByItsAddress) {
  IkeTroubles troubles;
  troubles.take({"(unnamed)", "7", "10.45.0.11 is initiating an IKE_SA"}, kNow);
  troubles.take({"(unnamed)", "8", "fd00:45::13 is initiating an IKE_SA"}, kNow);
  troubles.take({"(unnamed)", "7", "no matching peer config found"}, kNow);
  troubles.take({"", "",
                 "no IKE config found for 10.45.0.12...10.45.0.14, sending "
                 "NO_PROPOSAL_CHOSEN"},
                kNow);
  troubles.take({"(unnamed)", "9", "no matching peer config found"}, kNow);  // whose?
  const auto all = troubles.all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].remote_host, "10.45.0.11");
  EXPECT_EQ(all[0].kind, Kind::kAuthentication);
  EXPECT_EQ(all[1].remote_host, "10.45.0.14");
  EXPECT_EQ(all[1].kind, Kind::kUnknownPeer);
}

TEST(IkeTroubles, WhatFollowsFromACertificateThatIsNotValidYetIsNotTheCause) {
  IkeTroubles troubles;
  const char* invalid =
      "subject certificate invalid (valid from Jan 01 00:00:00 2038 to Jan 01 00:00:00 2040)";
  troubles.take({"node2", "1", "  using trusted ca certificate \"CN=ca\""}, kNow);
  troubles.take({"node2", "1", invalid}, kNow);
  troubles.take({"node2", "1", "no trusted ECDSA public key found for 'node2'"}, kNow);
  ASSERT_EQ(troubles.all().size(), 1U);
  EXPECT_EQ(troubles.all()[0].kind, Kind::kCertificateTime);
  EXPECT_EQ(troubles.all()[0].line, invalid);
  troubles.take({"node2", "2", "received AUTHENTICATION_FAILED notify error"}, kNow + seconds{9});
  EXPECT_EQ(troubles.all()[0].kind, Kind::kAuthentication) << "another attempt";
}

TEST(IkeTroubles, AreBoundedWhateverCharonSays) {
  IkeTroubles troubles;
  const std::string line = "received NO_PROPOSAL_CHOSEN notify error" + std::string(100'000, 'x');
  for (std::size_t i = 0; i < 3 * IkeTroubles::kMost; ++i) {
    const auto number = std::to_string(i);
    troubles.take({"c" + number, number, number + " is initiating an IKE_SA"}, kNow);
    troubles.take({"c" + number, number, line}, kNow + milliseconds{i});
  }
  const auto all = troubles.all();
  EXPECT_EQ(all.size(), IkeTroubles::kMost);
  for (const auto& trouble : all) {
    EXPECT_LE(trouble.line.size(), 512U);
    EXPECT_GE(trouble.at, kNow + milliseconds{2 * IkeTroubles::kMost}) << "the oldest go";
  }
}

TEST(IkeTroubleDocument, IsReadAsItWasWritten) {
  const std::vector<IkeTrouble> troubles{
      {Kind::kSelectors, "node2", "", "received TS_UNACCEPTABLE notify", kNow + milliseconds{250}},
      {Kind::kUnknownPeer, "", "10.45.0.14", "no IKE config found", kNow}};
  EXPECT_EQ(ike_troubles_from(ike_troubles_document(troubles)), troubles);
}

TEST(IkeTroubleDocument, WhatIsNoneIsLeftOut) {
  for (const char* text :
       {"null", "[]", "{}", R"({"troubles": 3})", R"({"troubles": [3, {}, {"kind": "new"}]})",
        R"({"troubles": [{"kind": "ike_proposals", "at_ms": 1e300}]})",
        R"({"troubles": [{"kind": "ike_proposals", "at_ms": 9223372036854775807}]})",
        R"({"troubles": [{"kind": "ike_proposals", "at_ms": -1}]})"})
    EXPECT_TRUE(ike_troubles_from(nlohmann::json::parse(text)).empty()) << text;
}

}  // namespace
}  // namespace espial
