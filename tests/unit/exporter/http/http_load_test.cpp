// SPDX-License-Identifier: Apache-2.0
// Hundreds of scrapers at once, good ones and bad ones, over real sockets.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "exporter/http/http_server.h"
#include "unit/exporter_fixture.h"
#include "unit/http_client.h"
#include "unit/http_service.h"
#include "unit/processor_time.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::api_of;
using testing::connect_to;
using testing::gunzip;
using testing::parse_reply;
using testing::read_all;
using testing::Reply;
using testing::request;
using testing::serve;
using testing::write_all;

using Clock = std::chrono::steady_clock;

std::string text_of(const std::shared_ptr<const Report>& report) {
  return Collector("0.1.0", MetricChoice::kFull).text(report.get());
}

// Of a machine that does other things as well.
constexpr HttpLimits kPatient{.exchange = 60s};

const std::string kPlain = "GET /metrics HTTP/1.1\r\n\r\n";
const std::string kPacked = "GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n";

// Every one is connected and has asked before the first one reads.
TEST(HttpLoad, HundredsOfScrapesAtOnceAreAllWhole) {
  const auto report = testing::busy_report(4);
  const HttpServer server = serve(api_of(testing::published(report)), "127.0.0.1:0", kPatient);
  const std::string expected = text_of(report);
  ASSERT_GT(expected.size(), 50'000U);
  std::string packed;
  const auto begin = Clock::now();
  std::vector<UniqueFd> scrapers;
  for (int i = 0; i < 400; ++i) {
    scrapers.push_back(connect_to(server.address()));
    ASSERT_TRUE(write_all(scrapers.back(), i % 2 == 0 ? kPlain : kPacked)) << i;
  }
  for (std::size_t i = 0; i < scrapers.size(); ++i) {
    const Reply reply = parse_reply(read_all(scrapers[i]));
    ASSERT_EQ(reply.status, 200) << i;
    ASSERT_NE(reply.head.find("Content-Length: " + std::to_string(reply.body.size()) + "\r\n"),
              std::string::npos)
        << i << " got " << reply.body.size() << " bytes of\n"
        << reply.head;
    // Compared as a whole: a failure would print all of it.
    if (packed.empty() && i % 2 != 0) {
      packed = reply.body;
      ASSERT_TRUE(gunzip(packed) == expected);
    }
    ASSERT_TRUE(reply.body == (i % 2 == 0 ? expected : packed)) << i;
  }
  std::printf("400 scrapes in %.2f s\n",
              std::chrono::duration<double>(Clock::now() - begin).count());
}

// Processor time of this process, servers included: what the machine does beside it is not in it.
double milliseconds_of_a_scrape(const HttpServer& server) {
  const auto begin = test::processor_time(CLOCK_PROCESS_CPUTIME_ID);
  EXPECT_EQ(request(server.address(), "GET", "/metrics", "Accept-Encoding: gzip\r\n").status, 200);
  return std::chrono::duration<double, std::milli>(test::processor_time(CLOCK_PROCESS_CPUTIME_ID) -
                                                   begin)
      .count();
}

// A quarter asks and reads nothing, the others ask for half of it. None of the good scrapes ends
// one of them, so none waits for one; what a scrape costs is held against a server that has none of
// them.
TEST(HttpLoad, AGoodScraperDoesNotWaitForTwoHundredStalledOnes) {
  const auto report = testing::busy_report(20);  // more than a socket's buffers hold
  const HttpServer beset = serve(api_of(testing::published(report)), "127.0.0.1:0", kPatient);
  const HttpServer quiet = serve(api_of(testing::published(report)), "127.0.0.1:0", kPatient);
  std::vector<UniqueFd> stalled;
  for (int i = 0; i < 200; ++i) {
    const bool asks = i % 4 == 0;
    stalled.push_back(connect_to(beset.address(), asks ? 4096 : 0));
    ASSERT_TRUE(write_all(stalled.back(), asks ? kPlain : "GET /metrics HTTP/1.1\r\nHost:"));
  }
  std::vector<double> beside;
  std::vector<double> alone;
  for (int i = 0; i < 100; ++i) {
    beside.push_back(milliseconds_of_a_scrape(beset));
    alone.push_back(milliseconds_of_a_scrape(quiet));
  }
  std::sort(beside.begin(), beside.end());
  std::sort(alone.begin(), alone.end());
  std::printf(
      "a good scraper, ms of processor time: median %.2f, p99 %.2f; without the stalled ones %.2f, "
      "%.2f\n",
      beside[49], beside[98], alone[49], alone[98]);
  EXPECT_LT(beside[49], 4 * alone[49] + 1);
  // They were there all the time: the first one still gets all of it.
  EXPECT_TRUE(parse_reply(read_all(stalled.front())).body == text_of(report));
}

// However the reports change meanwhile, a body is that of one of them.
TEST(HttpLoad, AScrapeIsOfOneReport) {
  auto other = std::make_shared<Report>(*testing::busy_report(2));
  for (PeerReport& peer : other->peers) peer.verdict = Verdict::kLeaking;
  for (PeerSnapshot& peer : other->snapshot.peers) peer.counters.spoofed = 77;
  const std::vector<std::shared_ptr<const Report>> reports{testing::busy_report(2), other};
  const std::vector<std::string> expected{text_of(reports[0]), text_of(reports[1])};
  ASSERT_NE(expected[0], expected[1]);
  const auto latest = testing::published(reports[0]);
  const HttpServer server = serve(api_of(latest), "127.0.0.1:0", kPatient);
  std::array<std::atomic<int>, 2> seen{};
  std::atomic<int> asked = 0;
  std::atomic<bool> done = false;
  std::thread publisher([&] {
    for (std::size_t i = 0; !done; ++i) {
      latest->publish(reports[i % 2]);
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> scrapers;
  for (int t = 0; t < 4; ++t)
    scrapers.emplace_back([&, t] {
      for (int i = 0; i < 15 || seen[0] == 0 || seen[1] == 0; ++i) {
        ++asked;
        const Reply reply = request(server.address(), "GET", "/metrics",
                                    t % 2 == 0 ? "" : "Accept-Encoding: gzip\r\n");
        const std::string body = t % 2 == 0 ? reply.body : gunzip(reply.body);
        for (std::size_t r = 0; r < 2; ++r) seen[r] += body == expected[r] ? 1 : 0;
      }
    });
  for (auto& scraper : scrapers) scraper.join();
  done = true;
  publisher.join();
  EXPECT_EQ(seen[0] + seen[1], asked) << "each is of one of them, and both were seen";
}

// Each holds the body of another report: no more of them than the limit says.
TEST(HttpLoad, StalledReadersOfManyReportsAreBounded) {
  const auto latest = testing::published(testing::busy_report(20));
  const std::size_t size = text_of(latest->get()).size();
  const HttpServer server =
      serve(api_of(latest), "127.0.0.1:0", HttpLimits{.bytes = 4 * size, .exchange = 60s});
  std::vector<UniqueFd> stalled;
  for (int i = 0; i < 8; ++i) {
    latest->publish(std::make_shared<Report>(*latest->get()));
    stalled.push_back(connect_to(server.address(), 4096));
    ASSERT_TRUE(write_all(stalled.back(), kPlain));
    // Answered before the next report comes: a second scrape is behind it.
    ASSERT_EQ(request(server.address(), "GET", "/healthz").status, 200);
  }
  std::size_t whole = 0;
  for (const UniqueFd& fd : stalled) {
    const Reply reply = parse_reply(read_all(fd));
    whole += reply.body.size() == size ? 1 : 0;
  }
  EXPECT_EQ(whole, 4U) << "the oldest were cut off, the others served";
}

}  // namespace
}  // namespace espial
