// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/opensvc_api.h"

#include <gtest/gtest.h>

#include "sources/opensvc/http_answer.h"

namespace espial {
namespace {

constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n1\r\n!\r\n0\r\nA: "
    "b\r\n\r\n";

// What becomes of an answer that is followed by the end of the connection; "!" and why, or the
// body.
std::string outcome(std::string_view bytes, std::size_t limit = 100) {
  HttpAnswer answer(limit);
  const auto fed = answer.feed(bytes);
  if (!fed.ok()) return "!" + fed.error().message;
  if (const auto end = answer.finish(); !end.ok()) return "!" + end.error().message;
  return std::to_string(answer.status()) + " " + std::string(answer.take_body());
}

std::string answer_with(std::string_view headers, std::string_view body) {
  return "HTTP/1.1 200 OK\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

TEST(HttpAnswer, EveryWayToEndABody) {
  EXPECT_EQ(outcome(answer_with("Content-Length: 3\r\n", "abcXYZ")), "200 abc");
  EXPECT_EQ(outcome(answer_with("", "until the end")), "200 until the end");
  EXPECT_EQ(outcome(kChunked), "200 hello!");
  EXPECT_EQ(outcome("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
            "401 ");
  EXPECT_EQ(outcome("HTTP/1.1 204 None\r\n\r\n"), "204 ");
}

TEST(HttpAnswer, ByteByByteIsTheSame) {
  HttpAnswer answer(100);
  for (std::size_t i = 0; i < kChunked.size(); ++i) {
    const auto done = answer.feed(kChunked.substr(i, 1));
    ASSERT_TRUE(done.ok());
    EXPECT_EQ(*done, i + 1 == kChunked.size());
  }
  EXPECT_EQ(answer.take_body(), "hello!");
}

TEST(HttpAnswer, WhatIsWrongIsSaidAndEnds) {
  const std::string middle = "!the connection ended in the middle of the answer";
  EXPECT_EQ(outcome(""), "!the connection ended before the answer");
  EXPECT_EQ(outcome(answer_with("Content-Length: 9\r\n", "short")), middle);
  EXPECT_EQ(outcome(kChunked.substr(0, kChunked.size() - 1)), middle);
  EXPECT_EQ(outcome("SSH-2.0-x\r\n\r\n"), "!the server does not speak HTTP/1.1");
  EXPECT_EQ(outcome(answer_with("Content-Length: -1\r\n", "")),
            "!the answer's Content-Length is not a number");
  EXPECT_EQ(outcome(answer_with("Content-Length: 99999999999999999999\r\n", "")),
            "!the answer's Content-Length is not a number");
  EXPECT_EQ(outcome(answer_with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "")),
            "!the answer's length is given in two ways");
  EXPECT_EQ(outcome(answer_with("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n")),
            "!a chunk of the answer is longer than it said");
  EXPECT_EQ(outcome(answer_with("Transfer-Encoding: chunked\r\n", "zz\r\n")),
            "!the size of a chunk of the answer is not a number");
}

TEST(HttpAnswer, NothingGrowsWithoutBounds) {
  const std::string large = "!the answer is larger than 4 bytes";
  EXPECT_EQ(outcome(answer_with("Content-Length: 5\r\n", ""), 4), large);
  EXPECT_EQ(outcome(answer_with("", "12345"), 4), large);
  EXPECT_EQ(outcome(answer_with("", "1234"), 4), "200 1234");
  EXPECT_EQ(
      outcome(answer_with("Transfer-Encoding: chunked\r\n", "3\r\n123\r\nffffffffffffffff\r\n45"),
              4),
      large);
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nA: " + std::string(kMaxHttpHead, 'x')),
            "!the answer's headers are too long");
  EXPECT_EQ(outcome(answer_with("Transfer-Encoding: chunked\r\n", std::string(2000, '1'))),
            "!a line of the answer is too long");
}

TEST(OpensvcApi, ARequestAlwaysNamesWhatItMayHave) {
  const auto target = opensvc_config_target({"cluster.nodes", "network#n 1.subnet"}, "a&b");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(*target,
            "/api/cluster/config?evaluate=true&kw=cluster.nodes&kw=network%23n%201.subnet"
            "&impersonate=a%26b");
  EXPECT_FALSE(opensvc_config_target({}, "a").ok());
  EXPECT_FALSE(opensvc_config_target({"cluster.nodes", "cluster.secret"}, "a").ok());
  EXPECT_FALSE(opensvc_config_target({"network#"}, "a").ok());
}

std::string item(const std::string& keyword, const std::string& value) {
  return R"({"kind":"KeywordItem","new":1,"meta":{"keyword":")" + keyword +
         R"(","is_evaluated":true},"data":{"value":)" + value + "}}";
}
std::string list(const std::string& items) {
  return R"({"kind":"KeywordList","items":)" + items + "}";
}

TEST(OpensvcApi, ValuesOfEveryShape) {
  const std::vector<std::string> asked{"cluster.nodes", "network#a.subnet"};
  const auto value = [&](const std::string& text) {
    const auto got = parse_keyword_list(list("[" + item("cluster.nodes", text) + "]"), asked);
    return got.ok() ? got->at("cluster.nodes") : "!" + got.error().message;
  };
  EXPECT_EQ(value(R"(["n1","n2"])"), "n1 n2");
  EXPECT_EQ(value(R"("n1 n2")"), "n1 n2");
  EXPECT_EQ(value("null"), "");
  EXPECT_EQ(value("9007199254740993"), "9007199254740993");  // beyond 2^53, not rounded
  EXPECT_EQ(value("{}"), "!a value of the answer is neither text nor a list");
  EXPECT_EQ(value("[1]"), "!a list of the answer has something else than words");
  const auto flat = parse_keyword_list(
      list(R"([{"object":"cluster","keyword":"cluster.nodes","value":"{raw}","evaluated_as":"n1",
               "evaluated":["n1","n2"],"evaluated_text":"n1 n2"},
              {"keyword":"network#a.subnet","value":"","evaluated":""}])"),
      asked);
  ASSERT_TRUE(flat.ok()) << flat.error().message;
  EXPECT_EQ(flat->at("cluster.nodes"), "n1 n2");
  EXPECT_EQ(flat->at("network#a.subnet"), "");
  const auto none = parse_keyword_list(list("null"), asked);
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->empty());
}

TEST(OpensvcApi, WhatIsNoAnswerIsRefusedWithoutItsValues) {
  const std::vector<std::string> asked{"cluster.nodes"};
  const auto error = [&](const std::string& text) {
    const auto got = parse_keyword_list(text, asked);
    return got.ok() ? "fine" : got.error().message;
  };
  const std::string secret = "the answer has \"secret\", which espial did not ask for: ignored";
  EXPECT_EQ(error(list("[" + item("cluster.secret", R"("s3cr3t")") + "]")), secret);
  EXPECT_EQ(error(R"({"data":{"cluster":{"nodes":"a","secret" : "s3cr3t"}},"mtime":"x"})"), secret);
  EXPECT_EQ(error(R"({"data":{"cluster":{"secret@node1":"s3cr3t"}}})"), secret);
  EXPECT_EQ(error(R"({"data":{"cluster":{"nodes":"a","items":[]}}})"),
            "the answer is not KeywordList (is this agent om3?)");
  EXPECT_EQ(error(list("[" + item("cluster.name", R"("secret")") + "]")),
            "the answer has a keyword that was not asked for");
  EXPECT_EQ(error(R"({"items":[)"), "the answer is not KeywordList (is this agent om3?)");
  EXPECT_EQ(error("[]"), "the answer is not KeywordList (is this agent om3?)");
  EXPECT_EQ(error(list("{}")), "the items of the answer are not a list");
  EXPECT_EQ(error(list("[7]")), "an item of the answer has no keyword or no value");
  EXPECT_EQ(error(std::string(100'000, '[')), "the answer is too large or too deeply nested");
  EXPECT_EQ(error(list("[" + item("cluster.nodes", R"("[[[[[[[[[[[[[[[[[[\"[[[[")") + "]")),
            "fine");
}

TEST(OpensvcApi, ARefusalSaysNothingUnlessItSaysThatThereIsNothing) {
  const auto says = [](const std::string& title, const std::string& detail) {
    return is_unset_keyword(R"({"status":500,"title":")" + title + R"(","detail":")" + detail +
                            "\"}");
  };
  EXPECT_TRUE(says("EvalAs", "keyword does not exist: network#b.mask_per_node"));
  EXPECT_TRUE(says("EvalAs", "configuration does not exist: key 'a' not found (all scopes tried)"));
  EXPECT_FALSE(says("EvalAs", "unreadable config"));
  EXPECT_FALSE(says("NewCore", "cluster.conf does not exist"));
  EXPECT_FALSE(says("Request peer", "node2: host not found"));
  for (const char* body : {"", "{", "[]", "null", "{\"title\":\"EvalAs\"}", "7"})
    EXPECT_FALSE(is_unset_keyword(body)) << body;
  EXPECT_FALSE(is_unset_keyword(std::string(100'000, '[')));
}

TEST(OpensvcApi, NetworksOfEveryShape) {
  const auto networks = [](const std::string& text) {
    const auto got = parse_network_list(text);
    if (!got.ok()) return "!" + got.error().message;
    std::string out;
    for (const auto& one : *got) out += one.name + "|" + one.type + "|" + one.network + " ";
    return out;
  };
  EXPECT_EQ(networks(R"({"kind":"NetworkList","items":[{"name":"b","type":"routed_bridge",
      "network":"fd00::/48","size":1208925819614629174706176,"free":18446744073709551616,
      "used":null,"errors":null,"new":{}},{"name":"lo","type":"lo","network":null}]})"),
            "b|routed_bridge|fd00::/48 lo|lo| ");
  EXPECT_EQ(networks(R"({"items":null})"), "");
  EXPECT_EQ(networks(R"({"items":[{"name":7}]})"), "!a network of the answer has no name");
  EXPECT_EQ(networks(R"({"items":[{"name":"a","type":)"),
            "!the answer is not NetworkList (is this agent om3?)");
  EXPECT_EQ(networks(R"({"data":{"cluster":{"secret":"x"}},"items":null})"),
            "!the answer has \"secret\", which espial did not ask for: ignored");
}

TEST(EventStream, CountsEventsAndNothingElse) {
  const std::string text =
      ": ping\n\nevent: A\nid: 1\ndata: {\"a\":1,\ndata: \"b\":2}\n\n:\r\n\r\ndata: "
      "x\r\n\r\n\n\ndata: y\n";
  EventStream whole;
  EXPECT_EQ(whole.feed(text), 2U);
  EventStream split;
  std::size_t events = 0;
  for (const char c : text) events += split.feed({&c, 1});
  EXPECT_EQ(events, 2U);
  EXPECT_EQ(split.feed("\n"), 1U);  // the one that was not over
}

}  // namespace
}  // namespace espial
