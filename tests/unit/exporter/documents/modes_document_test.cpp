// SPDX-License-Identifier: Apache-2.0
#include "exporter/documents/modes_document.h"

#include <gtest/gtest.h>

#include "unit/model_fixture.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const Moment kNow{WallTime{1714564800s}, MonoTime{5000s}, "a"};

ModeRequest parsed(const char* text) {
  auto request = mode_request(json::parse(text));
  EXPECT_TRUE(request.ok()) << request.error().message;
  return request.ok() ? *request : ModeRequest{};
}

TEST(ModeRequest, SaysWhatIsWanted) {
  EXPECT_EQ(parsed(R"({"command":"show"})").kind, ModeRequest::Kind::kShow);
  const auto set = parsed(
      R"({"command":"set","peer":"a","mode":"enforce","force":true,"confirm_within_seconds":60})");
  EXPECT_EQ(set.kind, ModeRequest::Kind::kSet);
  EXPECT_EQ(set.peer, "a");
  EXPECT_EQ(set.mode, Mode::ENFORCE);
  EXPECT_TRUE(set.force);
  EXPECT_EQ(set.confirm_within, 60s);
  const auto file = parsed(R"({"command":"set","peer":"all","mode":"file"})");
  EXPECT_EQ(file.mode, std::nullopt);
  EXPECT_FALSE(file.force);
  EXPECT_EQ(file.confirm_within, std::nullopt);
  EXPECT_EQ(parsed(R"({"command":"confirm","peer":"a"})").kind, ModeRequest::Kind::kConfirm);
}

TEST(ModeRequest, AnythingElseIsAUsageErrorOnOneLine) {
  for (const char* text :
       {"1", "[]", "{}", R"({"command":"drop"})", R"({"command":"set","peer":"a"})",
        R"({"command":"set","peer":1,"mode":"audit"})", R"({"command":"confirm"})",
        R"({"command":"set","peer":"a","mode":"drop"})",
        R"({"command":"set","peer":"a","mode":"enforce","confirm_within_seconds":-1})",
        R"({"command":"set","peer":"a","mode":"enforce","confirm_within_seconds":86401})",
        R"({"command":"set","peer":"a","mode":"audit","force":"yes"})"}) {
    const auto request = mode_request(json::parse(text));
    ASSERT_FALSE(request.ok()) << text;
    EXPECT_EQ(request.error().failure, Failure::kUsage);
    EXPECT_TRUE(error_document(request.error())["usage"]);
    EXPECT_EQ(request.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(mode_request(json::parse("{", nullptr, false)).ok());
}

TEST(PolicyDocument, HasEveryPeerWithItsModeAndWhatItDid) {
  Snapshot snapshot = testing::node();
  snapshot.peers = {testing::peer("a"), testing::peer("b")};
  auto& a = snapshot.peers[0];
  a.peer.mode = Mode::ENFORCE;
  a.peer.mode_from = ModeSource::kCommand;
  a.peer.by_file = {Mode::AUDIT, ModeSource::kFile};
  a.counters.enforced[at(Action::kDrop)][0][0] = {2, 200};
  a.counters.enforced[at(Action::kDrop)][1][3] = {3, 300};
  a.counters.last_enforced[at(Action::kDrop)] = kNow.wall - 5s;
  PeerModes modes;
  modes["a"].mode = Mode::ENFORCE;
  modes["a"].span = Span{Mode::ENFORCE, {kNow.wall - 60s, kNow.monotonic - 60s, "a"}, 0};
  modes["a"].confirm = Confirmation{{kNow.wall + 30s, kNow.monotonic + 30s, "a"}, Mode::AUDIT};
  const auto document = modes_document({snapshot, modes, {}, {Mode::ENFORCE, std::nullopt}, kNow});
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["audit_minutes"], 10);
  EXPECT_EQ(document["limits"]["cleartext_host"], "enforce");
  EXPECT_EQ(
      document["peers"][0],
      (json{
          {"name", "a"},
          {"state", "configured"},
          {"mode", "enforce"},
          {"mode_from", "command"},
          {"file_mode", "audit"},
          {"in_force", "enforce"},
          {"since", "2024-05-01T11:59:00.000Z"},
          {"confirm",
           {{"deadline", "2024-05-01T12:00:30.000Z"}, {"seconds_left", 30.0}, {"before", "audit"}}},
          {"would_drop", {{"packets", 0}, {"bytes", 0}, {"last", nullptr}}},
          {"dropped", {{"packets", 5}, {"bytes", 500}, {"last", "2024-05-01T11:59:55.000Z"}}}}));
  EXPECT_EQ(document["peers"][1]["in_force"], nullptr);
  EXPECT_EQ(document["peers"][1]["since"], nullptr);
  EXPECT_EQ(document["peers"][1]["confirm"], nullptr);
}

TEST(PolicyAnswer, SaysWhatChangedAndWhy) {
  ModePlan plan;
  plan.changed = {"a", "gone"};
  plan.notes = {"note"};
  Topology after;
  after.peers.resize(1);
  after.peers[0].name = "a";
  after.peers[0].mode = Mode::AUDIT;
  auto answer = mode_answer(plan, after, kNow);
  ASSERT_EQ(answer["changed"].size(), 1U);
  EXPECT_EQ(answer["changed"][0]["mode"], "audit");
  EXPECT_EQ(answer["notes"], json({"note"}));
  plan.refused = {{"b", {"reason"}, {FlowRecord{}}}};
  answer = mode_answer(plan, after, kNow);
  EXPECT_EQ(answer["refused"][0]["reasons"], json({"reason"}));
  EXPECT_EQ(answer["refused"][0]["flows"].size(), 1U);
}

}  // namespace
}  // namespace espial
