// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/http_request.h"

#include <gtest/gtest.h>

#include "exporter/http/body_cache.h"
#include "exporter/http/gzip.h"
#include "unit/exporter_fixture.h"

namespace espial {
namespace {

TEST(HttpRequest, ReadsMethodPathAndEncoding) {
  const auto request = parse_request(
      "GET /metrics?name=x HTTP/1.1\r\nHost: h\r\naccept-ENCODING: gzip\r\nX:\r\n\r\n");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->path, "/metrics");
  EXPECT_TRUE(request->accepts_gzip);
  EXPECT_FALSE(parse_request("GET / HTTP/1.0\r\n\r\n")->accepts_gzip);
}

TEST(HttpRequest, RefusesWhatIsDoubtful) {
  const char* const cases[] = {
      "\r\n\r\n",
      "GET\r\n\r\n",
      "GET /\r\n\r\n",
      "GET  HTTP/1.1\r\n\r\n",
      "GET / HTTP/2.0\r\n\r\n",
      "GET / HTTP/1.1 \r\n\r\n",
      "GET / x HTTP/1.1\r\n\r\n",
      " GET / HTTP/1.1\r\n\r\n",
      "G(T / HTTP/1.1\r\n\r\n",
      "GET http://h/ HTTP/1.1\r\n\r\n",
      "GET * HTTP/1.1\r\n\r\n",
      "GET /\x01 HTTP/1.1\r\n\r\n",
      "GET /\xff HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\nHost: h\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
      "GET / HTTP/1.1\r\nno colon\r\n\r\n",
      "GET / HTTP/1.1\r\n: empty\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b\nc: d\r\n\r\n",
      "GET / HTTP/1.1\r\nA: b",
  };
  for (const char* text : cases) EXPECT_FALSE(parse_request(text)) << text;
}

TEST(HttpRequest, NoPrefixIsARequest) {
  const std::string whole = "GET /metrics HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n";
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(head_end(whole.substr(0, n))) << n;
    EXPECT_FALSE(parse_request(whole.substr(0, n))) << n;
  }
  EXPECT_EQ(head_end(whole + "body\r\n\r\n"), whole.size());
}

TEST(AcceptsGzip, ReadsTheHeaderAsTheRfcSays) {
  for (const char* yes : {"gzip", "deflate, gzip", "gzip;q=0.5", " gzip ; q=1", "br,gzip;q=0.001"})
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  for (const char* no : {"", "identity", "gzip;q=0", "gzip; q=0.000", "xgzip", "deflate"})
    EXPECT_FALSE(accepts_gzip(no)) << no;
}

TEST(BodyCache, RendersOncePerReportHoweverManyAsk) {
  BodyCache cache;
  int rendered = 0;
  const auto render = [&](const BodyCache::Sink& sink) {
    sink("text ");
    sink(std::to_string(++rendered));
  };
  auto report = testing::golden_report();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(cache.get(report, true, render).gzipped);
  EXPECT_EQ(rendered, 1);
  const auto reader = cache.get(report, false, render);
  EXPECT_EQ(*reader.text, "text 2");
  EXPECT_EQ(cache.get(report, false, render).text, reader.text);

  report = testing::golden_report();
  EXPECT_EQ(*cache.get(report, false, render).text, "text 3");
  EXPECT_EQ(*reader.text, "text 2") << "a reader keeps what it began with";
  cache.get(report, true, render);
  EXPECT_EQ(rendered, 3) << "compressed from the plain text that is there";
}

TEST(BodyCache, ANewReportIsCompressedAnew) {
  BodyCache cache;
  int rendered = 0;
  const auto render = [&](const BodyCache::Sink& sink) { sink(std::to_string(++rendered)); };
  const auto one = testing::golden_report();
  const auto first = cache.get(one, true, render).text;
  const auto two = testing::golden_report();
  EXPECT_NE(*cache.get(two, true, render).text, *first);
  EXPECT_EQ(rendered, 2);
}

TEST(BodyCache, TheRoomOfABodyThatNobodyReadsIsTheNextOnes) {
  BodyCache cache;
  char letter = 'a';
  const auto render = [&](const BodyCache::Sink& sink) { sink(std::string(100'000, letter++)); };
  const char* room = cache.get(testing::golden_report(), false, render).text->data();
  const auto held = cache.get(testing::golden_report(), false, render).text;
  EXPECT_EQ(held->data(), room);
  EXPECT_EQ(*held, std::string(100'000, 'b')) << "nothing of the former one";
  const auto next = cache.get(testing::golden_report(), false, render).text;
  EXPECT_NE(next->data(), room) << "somebody sends it still";
  EXPECT_EQ(*held, std::string(100'000, 'b'));
}

TEST(BodyCache, KeepsNothingWithoutAReport) {
  BodyCache cache;
  int rendered = 0;
  const auto render = [&](const BodyCache::Sink& sink) { sink(std::to_string(++rendered)); };
  EXPECT_EQ(*cache.get(nullptr, false, render).text, "1");
  EXPECT_EQ(*cache.get(nullptr, false, render).text, "2");
}

}  // namespace
}  // namespace espial
