// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "model/facts/charon.h"

namespace espial {
namespace {

const Prefix kOwn = *Prefix::parse("10.101.1.0/24");
const Prefix kPeer = *Prefix::parse("10.101.2.0/24");
const std::vector<IpAddress> kUnderlays{*IpAddress::parse("10.45.0.12")};

CharonChild child(const char* local, const char* remote, const char* mode = "TUNNEL") {
  return {"node2-v4", mode, {parse_selector(local)}, {parse_selector(remote)}};
}

CharonFacts loaded(CharonChild wanted = child("10.101.1.0/24", "10.101.2.0/24"),
                   const char* remote = "10.45.0.12") {
  CharonFacts facts;
  facts.readable = true;
  facts.connections.push_back({"node2", {"10.45.0.11"}, {remote}, {std::move(wanted)}});
  return facts;
}

CharonChildSa sa(const char* state, const char* remote = "10.101.2.0/24") {
  CharonChildSa out;
  out.name = "node2-v4";
  out.state = state;
  out.local = {parse_selector("10.101.1.0/24")};
  out.remote = {parse_selector(remote)};
  return out;
}

std::string reason(const CharonFacts& facts) {
  return explain_pair(facts, kOwn, kPeer, kUnderlays).value_or("nothing");
}

TEST(ExplainPair, NothingWhereCharonCannotBeAskedOrHasTheSa) {
  EXPECT_EQ(reason({}), "nothing");
  auto facts = loaded();
  facts.ike_sas.push_back(
      {"node2", "ESTABLISHED", "10.45.0.12", "node2", 5, {}, {sa("INSTALLED")}});
  EXPECT_EQ(reason(facts), "nothing");
}

TEST(ExplainPair, LoadedAndNotEstablished) {
  auto facts = loaded();
  EXPECT_EQ(reason(facts),
            "connection node2 is loaded, child node2-v4 is not established: no IKE_SA; no trap "
            "holds the traffic");
  facts.policies.push_back({"node2", child("10.101.1.0/24", "10.101.2.0/24")});
  facts.ike_sas.push_back({"node2", "CONNECTING", "10.45.0.12", "", {}, {}, {}});
  EXPECT_EQ(reason(facts),
            "connection node2 is loaded, child node2-v4 is not established: IKE_SA CONNECTING; its "
            "trap waits for traffic");
  facts.ike_sas.push_back({"node2", "ESTABLISHED", "10.45.0.12", "node2", 5, {}, {sa("DELETING")}});
  EXPECT_EQ(reason(facts),
            "connection node2 is loaded, child node2-v4 is not established: IKE_SA ESTABLISHED, "
            "CHILD_SA DELETING; its trap waits for traffic");
}

TEST(ExplainPair, TheTrapOfAnotherConnectionIsNotOurs) {
  auto facts = loaded();
  facts.policies.push_back({"node3", child("10.101.1.0/24", "10.101.2.0/24")});
  EXPECT_NE(reason(facts).find("no trap"), std::string::npos);
}

TEST(ExplainPair, NarrowedByThePeer) {
  auto facts = loaded();
  facts.ike_sas.push_back(
      {"node2", "ESTABLISHED", "10.45.0.12", "node2", 5, {}, {sa("INSTALLED", "10.101.2.0/25")}});
  EXPECT_NE(reason(facts).find("CHILD_SA INSTALLED with narrower traffic selectors"),
            std::string::npos);
}

TEST(ExplainPair, NoChildHasThePair) {
  EXPECT_EQ(reason(loaded(child("10.101.1.0/24", "10.101.3.0/24"))),
            "connection node2 is loaded, but none of its children has 10.101.1.0/24 and "
            "10.101.2.0/24 in its traffic selectors");
  EXPECT_EQ(reason(loaded(child("10.101.1.0/24", "10.101.3.0/24"), "10.45.0.13")),
            "no connection has 10.101.1.0/24 and 10.101.2.0/24 in its traffic selectors");
  EXPECT_EQ(reason(loaded(child("10.101.2.0/24", "10.101.1.0/24"))),
            "connection node2 is loaded, child node2-v4 has local and remote traffic selectors "
            "swapped");
  EXPECT_EQ(reason(loaded(child("10.101.1.0/24[tcp]", "10.101.2.0/24"))),
            "connection node2 is loaded, child node2-v4 covers only some protocols or ports of "
            "10.101.1.0/24 and 10.101.2.0/24");
  CharonFacts none;
  none.readable = true;
  EXPECT_EQ(reason(none), "charon is running without any loaded connection");
}

TEST(ExplainPair, ItGoesElsewhere) {
  EXPECT_EQ(reason(loaded(child("10.101.0.0/16", "10.101.0.0/16"), "10.45.0.99")),
            "connection node2 is loaded, child node2-v4 has the pair, but its remote address is "
            "10.45.0.99, no address of the peer");
  // A name may resolve to the peer.
  EXPECT_NE(reason(loaded(child("10.101.0.0/16", "10.101.0.0/16"), "node2.cluster"))
                .find("is not established"),
            std::string::npos);
}

TEST(ExplainPair, ABypass) {
  EXPECT_EQ(reason(loaded(child("10.101.1.0/24", "10.101.2.0/24", "PASS"))),
            "connection node2 is loaded, child node2-v4 is a bypass: it leaves in clear");
}

TEST(ExplainPair, WordsOfCharonReachNoTerminalAsTheyAre) {
  auto facts = loaded();
  facts.connections[0].name = "a\x1b[31m";
  EXPECT_NE(reason(facts).find("a\\x1b[31m"), std::string::npos);
}

}  // namespace
}  // namespace espial
