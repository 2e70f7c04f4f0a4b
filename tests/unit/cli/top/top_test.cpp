// SPDX-License-Identifier: Apache-2.0
// The live view without a terminal: which screen follows from which keys and which document.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "cli/top/top_pages.h"
#include "cli/top/top_rows.h"
#include "cli/top/top_screen.h"
#include "cli/top/top_view.h"
#include "golden.h"

namespace espial {
namespace {

using nlohmann::json;
using Kind = TopKey::Kind;

json sample() { return json::parse(testing::read_golden("status_sample.json")); }

json flows() {
  return {{"flows",
           {{{"last", "2026-01-02T03:04:01.000Z"},
             {"direction", "receive"},
             {"class", "cleartext"},
             {"peer", "node3"},
             {"protocol", 6},
             {"source", "10.101.2.10"},
             {"source_port", 40000},
             {"destination", "10.101.0.10"},
             {"destination_port", 80},
             {"packets", 2}},
            {{"last", "2026-01-02T03:04:02.000Z"}, {"peer", "node9"}, {"class", "ah"}}}}};
}

std::string text_of(const TopScreen& screen) {
  std::string text;
  for (const auto& line : screen.lines) text += line + "\n";
  return text;
}

TopView sized(unsigned width, unsigned height) {
  TopView view;
  view.width = width;
  view.height = height;
  return view;
}

// A view and a document, and keys as they are typed: printable ones as themselves.
struct Session {
  TopData data{sample(), flows(), ""};
  TopView view = sized(80, 24);

  Session& press(TopKey key) {
    view = step(view, key, render_top(data, view, false).extent);
    return *this;
  }
  Session& press(Kind kind) { return press(TopKey{kind, 0}); }
  Session& type(std::string_view keys) {
    for (const char key : keys) press(TopKey{Kind::kText, key});
    return *this;
  }
  TopScreen screen() const { return render_top(data, view, false); }
  std::string text() const { return text_of(screen()); }
  std::vector<std::string> names() const { return screen().extent.names; }
};

json peer(const std::string& name, const std::string& verdict) {
  return {{"name", name}, {"state", "configured"}, {"verdict", verdict}, {"mode", "monitor"}};
}

json mesh(std::size_t peers) {
  json status = sample();
  status["peers"] = status["alarms"] = json::array();
  status["config"] = json::object();
  for (std::size_t i = 1; i <= peers; ++i)
    status["peers"].push_back(peer("node" + std::to_string(i), "encrypted"));
  return status;
}

// Every screen in one file: what a change makes of them is seen at once.
TEST(Top, ScreensAreTheGoldenOnes) {
  std::string all;
  const auto add = [&](const std::string& title, const Session& session) {
    all += "=== " + title + " " + std::to_string(session.view.width) + "x" +
           std::to_string(session.view.height) + "\n" + session.text();
  };
  for (const auto& [width, height] :
       {std::pair{80U, 24U}, std::pair{40U, 10U}, std::pair{160U, 14U}}) {
    Session session;
    session.view = sized(width, height);
    add("peers", session);
    add("peer", Session(session).press(Kind::kEnter));
    add("alarms", Session(session).type("a"));
    add("help", Session(session).type("?"));
  }
  Session long_peer;
  long_peer.view = sized(100, 50);
  add("peer", long_peer.press(Kind::kEnter));
  Session gone;
  gone.data.problem = "/var/lib/espial/control.sock: connect: Connection refused";
  gone.type("p/no");
  add("paused, no daemon, typing", gone);
  testing::expect_golden("top.txt", all);
}

TEST(Top, FitsEverySize) {
  Session session;
  session.data.status["peers"][1]["reason"] = std::string(300, 'r');
  for (unsigned width = 1; width < 200; width += 7)
    for (unsigned height = 1; height < 40; ++height)
      for (const TopPage page :
           {TopPage::kPeers, TopPage::kPeer, TopPage::kAlarms, TopPage::kHelp}) {
        session.view.width = width;
        session.view.height = height;
        session.view.page = page;
        session.view.selected = page == TopPage::kPeer ? "node3" : "";
        const auto screen = session.screen();
        ASSERT_EQ(screen.lines.size(), height) << width << "x" << height;
        for (const auto& line : screen.lines) {
          const auto visible = line.substr(0, line.find('\x1b')).size();
          ASSERT_LE(visible, width) << width << "x" << height << ": " << line;
        }
      }
}

TEST(Top, WorstPeerIsFirst) {
  Session session;
  EXPECT_EQ(session.names(), (std::vector<std::string>{"node3", "node2", "10.45.0.14"}));
  EXPECT_NE(session.text().find("> node3"), std::string::npos);

  session.data.status = mesh(12);
  session.data.status["peers"][9]["verdict"] = "leaking";
  session.data.status["peers"][4]["verdict"] = "down";
  // An alarm about a peer whose traffic is encrypted: before its equals.
  session.data.status["alarms"] = {{{"alarm", "ForwardDrops"},
                                    {"severity", "warning"},
                                    {"state", "firing"},
                                    {"peer", "node11"}}};
  const auto names = session.names();
  EXPECT_EQ((std::vector<std::string>(names.begin(), names.begin() + 6)),
            (std::vector<std::string>{"node10", "node5", "node11", "node1", "node2", "node3"}));
}

TEST(Top, SortsByEveryColumnBothWays) {
  Session session;
  session.press(Kind::kRight);
  EXPECT_EQ(session.view.order, TopOrder::kName);
  EXPECT_EQ(session.names(), (std::vector<std::string>{"10.45.0.14", "node2", "node3"}));
  session.type("r");
  EXPECT_EQ(session.names(), (std::vector<std::string>{"node3", "node2", "10.45.0.14"}));
  EXPECT_NE(session.text().find("sort: peer, reversed"), std::string::npos) << session.text();

  const std::vector<std::pair<TopOrder, std::string>> first{{TopOrder::kReceiveCoverage, "node3"},
                                                            {TopOrder::kTransmitCoverage, "node2"},
                                                            {TopOrder::kReceivePackets, "node3"},
                                                            {TopOrder::kTransmitPackets, "node2"},
                                                            {TopOrder::kReceiveBits, "node3"},
                                                            {TopOrder::kTransmitBits, "node2"},
                                                            {TopOrder::kUnprotected, "node3"},
                                                            {TopOrder::kDropped, "node2"},
                                                            {TopOrder::kMode, "node2"},
                                                            {TopOrder::kAlarms, "node3"}};
  for (const auto& [order, name] : first) {
    Session other;
    for (std::size_t presses = 0; other.view.order != order && presses < kTopOrders; ++presses)
      other.type(">");
    ASSERT_EQ(other.view.order, order);
    EXPECT_EQ(other.names().front(), name) << to_string(order);
    other.type("r");
    EXPECT_EQ(other.names().back(), name) << to_string(order);
  }
  session.type("<");
  EXPECT_EQ(session.view.order, TopOrder::kWorst);
  session.type("<");
  EXPECT_EQ(session.view.order, TopOrder::kAlarms);
}

TEST(Top, NumbersInNamesAreNumbers) {
  Session session;
  session.data.status = mesh(11);
  session.press(Kind::kRight);
  EXPECT_EQ(session.names()[1], "node2");
  EXPECT_EQ(session.names()[9], "node10");
}

TEST(Top, FiltersByNameAndVerdictWhileTyped) {
  Session session;
  session.type("/MIX");
  EXPECT_TRUE(session.view.typing);
  EXPECT_EQ(session.names(), (std::vector<std::string>{"node3"}));
  session.press(Kind::kBackspace).press(Kind::kBackspace).press(Kind::kBackspace).type("node");
  EXPECT_EQ(session.names(), (std::vector<std::string>{"node3", "node2"}));
  // Keys that mean something elsewhere are letters here.
  session.type("q");
  EXPECT_FALSE(session.view.quit);
  EXPECT_EQ(session.view.filter, "nodeq");
  EXPECT_NE(session.text().find("no peer matches"), std::string::npos);
  session.press(Kind::kBackspace).press(Kind::kEnter);
  EXPECT_FALSE(session.view.typing);
  EXPECT_NE(session.text().find("[/node: 2]"), std::string::npos) << session.text();
  session.press(Kind::kEscape);
  EXPECT_EQ(session.view.filter, "");
  EXPECT_FALSE(session.view.quit);
  EXPECT_EQ(session.names().size(), 3U);
}

TEST(Top, TheSelectionStaysWithThePeer) {
  Session session;
  session.press(Kind::kDown);
  EXPECT_EQ(session.view.selected, "node2");
  session.press(Kind::kRight);
  EXPECT_NE(session.text().find("> node2"), std::string::npos);
  session.press(Kind::kUp);
  EXPECT_EQ(session.view.selected, "10.45.0.14");
  session.press(Kind::kUp);
  EXPECT_EQ(session.view.selected, "10.45.0.14");
  session.press(Kind::kEnd);
  EXPECT_EQ(session.view.selected, "node3");
  session.press(Kind::kDown);
  EXPECT_EQ(session.view.selected, "node3");
  // The peer leaves: the first one is selected.
  session.data.status["peers"].erase(1);
  EXPECT_NE(session.text().find("> 10.45.0.14"), std::string::npos) << session.text();
}

TEST(Top, GoesThroughAThousandPeersByPages) {
  Session session;
  session.data.status = mesh(1000);
  const auto rows = session.screen().extent.rows;
  EXPECT_EQ(rows, 24U - 6U);  // headline, summary, alarms, empty, titles, keys
  session.press(Kind::kPageDown);
  EXPECT_EQ(session.view.selected, "node" + std::to_string(1 + rows));
  EXPECT_EQ(session.screen().selected, session.screen().titles.value() + 1);
  session.press(Kind::kEnd);
  EXPECT_NE(session.text().find("> node1000"), std::string::npos);
  session.press(Kind::kHome);
  EXPECT_NE(session.text().find("> node1 "), std::string::npos);
  session.press(Kind::kPageUp);
  EXPECT_EQ(session.view.selected, "node1");
  EXPECT_NE(session.text().find("1,000 peers: 1,000 encrypted"), std::string::npos);
}

TEST(Top, LooksIntoAPeerAndComesBack) {
  Session session;
  session.view.height = 60;
  session.press(Kind::kEnter);
  const auto text = session.text();
  for (const char* part :
       {"node3  mixed  configured", "3 of 100000 packets received unprotected",
        "10.45.0.13, fd00:45::13", "cleartext_host", "2 packets received in clear", "would drop",
        "tcp 10.101.2.10:40000 > 10.101.0.10:80"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find("ah ", text.find("LAST FLOWS")), std::string::npos) << "another peer's\n"
                                                                          << text;
  session.press(Kind::kEscape);
  EXPECT_EQ(session.view.page, TopPage::kPeers);
  session.press(Kind::kEscape);
  EXPECT_TRUE(session.view.quit);
}

TEST(Top, PagesScrollToTheirEndAndNoFurther) {
  Session session;
  session.view.height = 10;
  session.press(Kind::kEnter).press(Kind::kEnd);
  const auto extent = session.screen().extent;
  EXPECT_EQ(session.view.scroll, extent.lines - extent.rows);
  const auto last = session.text();
  session.press(Kind::kDown);
  EXPECT_EQ(session.text(), last);
  session.press(Kind::kUp);
  EXPECT_NE(session.text(), last);
  session.press(Kind::kHome);
  EXPECT_EQ(session.view.scroll, 0U);
}

TEST(Top, HelpAlarmsAndPauseFromEverywhere) {
  Session session;
  session.press(Kind::kEnter).type("?");
  EXPECT_EQ(session.view.page, TopPage::kHelp);
  session.press(Kind::kEscape);
  EXPECT_EQ(session.view.page, TopPage::kPeer);
  session.type("a");
  EXPECT_EQ(session.view.page, TopPage::kAlarms);
  EXPECT_NE(session.text().find("2 packets received in clear"), std::string::npos);
  session.press(Kind::kEscape);
  EXPECT_EQ(session.view.page, TopPage::kPeers);
  session.type("p");
  EXPECT_TRUE(session.view.paused);
  EXPECT_NE(session.text().find("PAUSED"), std::string::npos);
  session.type("pq");
  EXPECT_FALSE(session.view.paused);
  EXPECT_TRUE(session.view.quit);
}

// Wide, combining and control characters of names and evidence: escaped, so one column a byte.
TEST(Top, NoByteOfANameIsAControlSequence) {
  Session session;
  auto& peers = session.data.status["peers"];
  peers[0]["name"] = "\xe7\xaf\x80\xe7\x82\xb9";  // wide
  peers[1]["name"] =
      "e\xcc\x81\x1b[2J\r\n\x9b"
      "1m";  // combining, escapes, both control sets
  peers[2]["name"] = std::string(200, 'x');
  session.data.status["alarms"] = {{{"alarm", "\x1b]0;x\x07"},
                                    {"severity", "critical"},
                                    {"state", "firing"},
                                    {"peer", peers[1]["name"]},
                                    {"evidence", "\x1b[31m\xf0\x9f\x98\x80"}}};
  session.data.flows["flows"][0]["peer"] = peers[1]["name"];
  session.data.flows["flows"][0]["source"] = "\x1b[1m";
  for (const unsigned width : {40U, 80U, 200U})
    for (const TopPage page : {TopPage::kPeers, TopPage::kPeer, TopPage::kAlarms}) {
      session.view = sized(width, 40);
      session.view.selected = session.names().front();
      session.view.page = page;
      const auto text = text_of(render_top(session.data, session.view, false));
      EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
        return c == '\n' || (c >= 0x20 && c < 0x7f) || c == '\x1b';
      }));
      // The only sequence is the one that ends a clipped line.
      for (std::size_t at = 0; (at = text.find('\x1b', at)) != std::string::npos; ++at)
        EXPECT_EQ(text.substr(at, 4), "\x1b[0m") << text;
    }
  session.view = sized(160, 24);
  session.view.selected.clear();
  EXPECT_NE(session.text().find("> e\\xcc\\x81\\x1b[2J\\x0d\\x0a\\x9b1m"), std::string::npos)
      << session.text();
}

TEST(Top, ColourIsNeverAllThatSaysIt) {
  Session session;
  const auto plain = session.text();
  auto coloured = text_of(render_top(session.data, session.view, true));
  EXPECT_NE(coloured.find("\x1b[1;31mmixed\x1b[0m"), std::string::npos);
  for (std::size_t at; (at = coloured.find('\x1b')) != std::string::npos;)
    coloured.erase(at, coloured.find('m', at) - at + 1);
  auto uncut = plain;
  for (std::size_t at; (at = uncut.find('\x1b')) != std::string::npos;)
    uncut.erase(at, uncut.find('m', at) - at + 1);
  EXPECT_EQ(coloured, uncut);
}

TEST(Top, SaysWhatIsMissing) {
  Session session;
  session.data = {};
  EXPECT_NE(session.text().find("asking the daemon"), std::string::npos);
  session.data.problem = "no permission";
  EXPECT_NE(session.text().find("no permission"), std::string::npos);
  session.press(Kind::kEnter).press(Kind::kDown);
  EXPECT_EQ(session.view.page, TopPage::kPeers);

  session.data.status = sample();
  EXPECT_NE(session.text().find("no permission; shown is the last answer"), std::string::npos);
  session.data.problem.clear();
  session.data.status["daemon"]["running"] = false;
  EXPECT_NE(session.text().find("read from the pinned maps"), std::string::npos);
  session.data.status["peers"] = json::array();
  EXPECT_NE(session.text().find("no peer is known"), std::string::npos);
}

TEST(Top, WrapsBetweenWords) {
  EXPECT_EQ(wrapped("one two three", 11, 2), (TextLines{"  one two", "  three"}));
  EXPECT_EQ(wrapped("onetwothreefour", 10, 2), (TextLines{"  onetwoth", "  reefour"}));
  EXPECT_EQ(wrapped("as it is", 0, 0), (TextLines{"as it is"}));
}

}  // namespace
}  // namespace espial
