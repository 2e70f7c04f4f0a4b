// SPDX-License-Identifier: Apache-2.0
#include "scrape/exchange.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "exporter/http/http_server.h"
#include "unit/http_client.h"

namespace espial::scrape {

namespace {

Error failed(const char* what) {
  return Error{std::string("network namespace: ") + what + ": " + std::strerror(errno) +
               (errno == EPERM ? " (needs root)" : "")};
}

}  // namespace

Status enter_own_network() {
  if (::unshare(CLONE_NEWNET) != 0) return failed("unshare");
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return failed("lo up");
  return Ok{};
}

Result<Exchanges> time_exchanges(const std::vector<std::shared_ptr<const Report>>& reports,
                                 std::size_t rounds) {
  const auto latest = std::make_shared<LatestReport>();
  EP_ASSIGN(listen, parse_listen("127.0.0.1:0", false));
  auto api = std::make_unique<Api>(
      latest, [] { return Result<std::vector<FlowRecord>>{std::vector<FlowRecord>{}}; },
      ApiOptions{.version = "0.1.0"});
  EP_ASSIGN(server, HttpServer::open(*listen, std::move(api)));
  Exchanges out;
  std::size_t next = 0;
  const auto scrape = [&](Timing& timing, const char* headers) {
    testing::Reply reply;
    time_into(timing,
              [&] { reply = testing::request(server.address(), "GET", "/metrics", headers); });
    return reply.status == 200;
  };
  for (std::size_t i = 0; i < rounds; ++i) {
    latest->publish(reports[next++ % reports.size()]);
    bool good = scrape(out.plain, "") && scrape(out.repeated, "");
    latest->publish(reports[next++ % reports.size()]);
    good = good && scrape(out.packed, "Accept-Encoding: gzip\r\n");
    if (!good) return Error{"GET /metrics: no answer"};
  }
  return out;
}

}  // namespace espial::scrape
