// SPDX-License-Identifier: Apache-2.0
#include "exporter/http/http_server.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "exporter/http/gzip.h"
#include "exporter/http/http_connection.h"
#include "unit/exporter_fixture.h"
#include "unit/http_client.h"
#include "unit/http_service.h"

namespace espial {
namespace {

using namespace std::chrono_literals;
using testing::api_of;
using testing::connect_to;
using testing::gunzip;
using testing::Reply;
using testing::request;
using testing::serve;
using testing::write_all;

class HttpServerTest : public ::testing::Test {
 protected:
  Reply get(const std::string& path, const std::string& headers = "") {
    return request(server_.address(), "GET", path, headers);
  }

  std::shared_ptr<LatestReport> latest_ = testing::published(testing::golden_report());
  HttpServer server_ = serve(api_of(latest_));
};

TEST_F(HttpServerTest, ServesEveryPath) {
  for (const char* path : {"/", "/metrics", "/healthz", "/readyz", "/api/v1/status",
                           "/api/v1/flows", "/metrics?name=x"})
    EXPECT_EQ(get(path).status, 200) << path;
  for (const char* path :
       {"/metric", "/metrics/", "/metrics/x", "/api", "/../etc/passwd", "/api/v1/policy"})
    EXPECT_EQ(get(path).status, 404) << path;
}

TEST_F(HttpServerTest, MetricsAreTheCollectorsText) {
  const Reply reply = get("/metrics");
  EXPECT_EQ(reply.body, Collector("0.1.0", MetricChoice::kFull).text(latest_->get().get()));
  EXPECT_NE(reply.head.find("Content-Type: text/plain; version=0.0.4"), std::string::npos);
}

TEST_F(HttpServerTest, StatusAndFlowsAreJson) {
  const Reply status = get("/api/v1/status");
  EXPECT_NE(status.head.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(status.body)["peers"].size(), 3U);
  EXPECT_EQ(nlohmann::json::parse(get("/api/v1/flows").body)["schema_version"], 1);
}

TEST_F(HttpServerTest, OnlyGetAndHeadAreAllowed) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    const Reply reply = request(server_.address(), method, "/metrics", "Content-Length: 0\r\n");
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_NE(reply.head.find("Allow: GET, HEAD\r\n"), std::string::npos) << method;
    EXPECT_FALSE(reply.body.empty()) << method;
  }
}

TEST_F(HttpServerTest, HeadIsGetWithoutTheBody) {
  const auto length = "Content-Length: " + std::to_string(get("/metrics").body.size()) + "\r\n";
  const Reply reply = request(server_.address(), "HEAD", "/metrics", "");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body.empty());
  EXPECT_NE(reply.head.find(length), std::string::npos) << reply.head;
  EXPECT_EQ(request(server_.address(), "HEAD", "/nowhere", "").status, 404);
}

// DNS rebinding: a page of somebody else's whose name was pointed at 127.0.0.1.
TEST_F(HttpServerTest, OnLoopbackANameOfSomebodyElseIsRefused) {
  for (const char* host : {"127.0.0.1", "127.0.0.1:9754", "[::1]:9754", "[::1]", "localhost",
                           "LocalHost:9754", "espial.localhost", "192.0.2.1"})
    EXPECT_EQ(get("/metrics", std::string("Host: ") + host + "\r\n").status, 200) << host;
  for (const char* host :
       {"evil.example", "evil.example:9754", "localhost.evil.example", "127.0.0.1.evil.example",
        "evillocalhost", "", "[::1", "[evil.example]"}) {
    const Reply reply = get("/metrics", std::string("Host: ") + host + "\r\n");
    EXPECT_EQ(reply.status, 421) << host;
    EXPECT_EQ(reply.body.find("espial_"), std::string::npos) << host;
  }
  EXPECT_EQ(get("/metrics", "Host: localhost\r\nHost: evil.example\r\n").status, 400);
}

TEST_F(HttpServerTest, EveryAnswerIsHardened) {
  for (const char* path : {"/", "/nowhere", "/metrics"})
    for (const char* header :
         {"X-Content-Type-Options: nosniff\r\n", "X-Frame-Options: DENY\r\n",
          "Content-Security-Policy: default-src 'none'", "Cache-Control: no-store\r\n"})
      EXPECT_NE(get(path).head.find(header), std::string::npos) << path << " " << header;
}

TEST_F(HttpServerTest, CompressesForThoseWhoAccept) {
  const Reply plain = get("/metrics");
  EXPECT_EQ(plain.head.find("Content-Encoding"), std::string::npos);
  const Reply packed = get("/metrics", "Accept-Encoding: deflate, gzip;q=0.9\r\n");
  EXPECT_NE(packed.head.find("Content-Encoding: gzip\r\n"), std::string::npos);
  EXPECT_LT(packed.body.size(), plain.body.size() / 4);
  EXPECT_EQ(gunzip(packed.body), plain.body);
}

TEST(HttpServer, StalledReadersAndSendersBlockNobody) {
  // More than a socket's buffers hold.
  const auto latest = testing::published(testing::busy_report(100));
  const HttpServer server =
      serve(api_of(latest), "127.0.0.1:0", HttpLimits{.clients = 64, .exchange = 60s});
  std::vector<UniqueFd> stalled;
  for (int i = 0; i < 60; ++i) {  // twice as many clients as there may be
    stalled.push_back(connect_to(server.address(), 4096));
    ASSERT_TRUE(write_all(stalled.back(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
    stalled.push_back(connect_to(server.address()));
    ASSERT_TRUE(write_all(stalled.back(), "GET /metrics HTTP/1.1\r\nHost:"));
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(request(server.address(), "GET", "/metrics").status, 200);
}

TEST(HttpServer, AnExchangeThatLastsTooLongIsCutOff) {
  const auto latest = testing::published(testing::busy_report(100));
  const HttpServer server =
      serve(api_of(latest), "127.0.0.1:0", HttpLimits{.clients = 8, .exchange = 100ms});
  const UniqueFd silent = connect_to(server.address());
  const UniqueFd half = connect_to(server.address());
  ASSERT_TRUE(write_all(half, "GET /metrics HTTP/1.1\r\n"));
  EXPECT_EQ(testing::read_all(silent), "");
  EXPECT_EQ(testing::read_all(half), "");
  // On a busy machine an exchange that is quick may last too long, too.
  int status = 0;
  for (const auto end = std::chrono::steady_clock::now() + 60s;
       status != 200 && std::chrono::steady_clock::now() < end;)
    status = request(server.address(), "GET", "/healthz").status;
  EXPECT_EQ(status, 200);
}

TEST(HttpServer, TheOldestClientMakesRoomForANewOne) {
  const auto latest = testing::published(testing::golden_report());
  const HttpServer server =
      serve(api_of(latest), "127.0.0.1:0", HttpLimits{.clients = 4, .exchange = 60s});
  const UniqueFd first = connect_to(server.address());
  std::vector<UniqueFd> others;
  for (int i = 0; i < 4; ++i) others.push_back(connect_to(server.address()));
  EXPECT_EQ(testing::read_all(first), "") << "closed long before its time is over";
  EXPECT_EQ(request(server.address(), "GET", "/healthz").status, 200);
}

TEST_F(HttpServerTest, ARequestMayComeByteByByteOrWithABody) {
  const std::string text = "GET /healthz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
  const UniqueFd fd = connect_to(server_.address());
  for (const char c : text) ASSERT_TRUE(write_all(fd, std::string(1, c)));
  EXPECT_EQ(testing::parse_reply(testing::read_all(fd)).status, 200);
}

TEST_F(HttpServerTest, AScraperThatGoesAwayIsForgotten) {
  latest_->publish(testing::busy_report(100));
  for (int i = 0; i < 200; ++i) {
    const UniqueFd fd = connect_to(server_.address());
    write_all(fd, "GET /metrics HTTP/1.1\r\n\r\n");
  }
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(HttpServerTest, HugeHeadersAreRefused) {
  const std::string huge = "X-Filler: " + std::string(2 * HttpConnection::kMaxHeadBytes, 'x');
  EXPECT_EQ(get("/healthz", huge + "\r\n").status, 431);
  EXPECT_EQ(get("/" + std::string(2 * HttpConnection::kMaxHeadBytes, 'x')).status, 431);
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(HttpServerTest, AHeadWithoutAnEndIsRefused) {
  const UniqueFd fd = connect_to(server_.address());
  const std::string endless(2 * HttpConnection::kMaxHeadBytes, 'x');
  ASSERT_TRUE(write_all(fd, "GET /healthz HTTP/1.1\r\nX-Filler: " + endless));
  EXPECT_EQ(testing::parse_reply(testing::read_all(fd)).status, 431);
}

TEST_F(HttpServerTest, GarbageIsRefused) {
  for (const char* garbage : {"\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"}) {
    const UniqueFd fd = connect_to(server_.address());
    ASSERT_TRUE(write_all(fd, garbage));
    EXPECT_EQ(testing::parse_reply(testing::read_all(fd)).status, 400) << garbage;
  }
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_F(HttpServerTest, ManyScrapesAtOnceWhileReportsChange) {
  std::atomic<int> good{0};
  std::vector<std::thread> scrapers;
  for (int t = 0; t < 32; ++t)
    scrapers.emplace_back([&] {
      for (int i = 0; i < 5; ++i)
        good += get("/metrics").body.find("espial_build_info") != std::string::npos ? 1 : 0;
    });
  for (int i = 0; i < 100; ++i) latest_->publish(testing::golden_report());
  for (auto& scraper : scrapers) scraper.join();
  EXPECT_EQ(good, 32 * 5);
}

TEST_F(HttpServerTest, AUsedPortIsNamed) {
  const auto second = HttpServer::open(server_.address(), api_of(latest_));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message.find(server_.address().text() + ": listen: Address already"), 0U)
      << second.error().message;
}

TEST(HttpServer, AnAddressOfAnotherNodeIsNamed) {
  const auto server =
      HttpServer::open(*parse_listen("192.0.2.1:9754", true).value(), api_of(nullptr));
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().message.find("Cannot assign requested address"), std::string::npos);
}

TEST(HttpServer, ListensOnIpv6) {
  const auto latest = testing::published(testing::golden_report());
  const HttpServer server = serve(api_of(latest), "[::1]:0");
  EXPECT_EQ(request(server.address(), "GET", "/healthz").status, 200);
}

TEST(HttpServer, AnyIpv6AddressServesIpv4Too) {
  const auto latest = testing::published(testing::golden_report());
  const auto server = HttpServer::open(*parse_listen("[::]:0", true).value(), api_of(latest));
  ASSERT_TRUE(server) << server.error().message;
  for (const char* address : {"127.0.0.1", "::1"}) {
    const ListenAddress target{*IpAddress::parse(address), server->address().port};
    EXPECT_EQ(request(target, "GET", "/healthz").status, 200) << address;
  }
}

TEST(HttpServer, IsNotReadyWithoutSnapshotOrPrograms) {
  const auto latest = std::make_shared<LatestReport>();
  const HttpServer server = serve(api_of(latest));
  const auto status = [&](const char* path) {
    return request(server.address(), "GET", path).status;
  };
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(status("/readyz"), 503);
  EXPECT_EQ(status("/api/v1/status"), 503);
  EXPECT_EQ(status("/metrics"), 200);

  auto report = std::make_shared<Report>(*testing::golden_report());
  report->snapshot.devices[0].transmit_attached = false;
  latest->publish(report);
  EXPECT_EQ(status("/readyz"), 503);
  EXPECT_EQ(status("/api/v1/status"), 200);
  latest->publish(testing::golden_report());
  EXPECT_EQ(status("/readyz"), 200);
}

TEST(HttpServer, FlowsThatCannotBeReadAreAnError) {
  const auto latest = testing::published(testing::golden_report());
  const HttpServer server = serve(api_of(
      latest, []() -> Result<std::vector<FlowRecord>> { return Error{"ep_flow: no permission"}; }));
  const Reply reply = request(server.address(), "GET", "/api/v1/flows");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(nlohmann::json::parse(reply.body)["error"], "ep_flow: no permission");
}

TEST(HttpServer, StopsAtOnceAndFreesThePort) {
  const auto latest = testing::published(testing::golden_report());
  constexpr auto kLong = 60s;
  std::optional<HttpServer> server(
      serve(api_of(latest), "127.0.0.1:0", HttpLimits{.exchange = kLong}));
  const ListenAddress address = server->address();
  const UniqueFd silent = connect_to(address);  // it is not waited for
  EXPECT_EQ(request(address, "GET", "/healthz").status, 200);
  const auto begin = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kLong / 2);
  EXPECT_EQ(request(address, "GET", "/healthz").status, 0);
  EXPECT_TRUE(HttpServer::open(address, api_of(latest)));
}

TEST(HttpServer, ItsThreadsTakeNoSignals) {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  const auto latest = testing::published(testing::golden_report());
  const HttpServer server = serve(api_of(latest));
  pthread_sigmask(SIG_BLOCK, &term, nullptr);
  ::kill(::getpid(), SIGTERM);  // any thread with SIGTERM unblocked would end the test here
  EXPECT_EQ(request(server.address(), "GET", "/healthz").status, 200);
  const timespec none{};
  EXPECT_EQ(sigtimedwait(&term, nullptr, &none), SIGTERM);
  pthread_sigmask(SIG_UNBLOCK, &term, nullptr);
}

}  // namespace
}  // namespace espial
