// SPDX-License-Identifier: Apache-2.0
#include "sources/opensvc/http_get.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace espial {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Asked {
  std::size_t index;
  HttpGet get;
  Clock::time_point until;
};

// Takes the answers that are complete.
Status advance(std::vector<Asked>& asked, std::vector<HttpReply>& replies) {
  for (auto one = asked.begin(); one != asked.end();) {
    EP_ASSIGN(done, one->get.advance());
    if (done) replies[one->index] = {one->get.status(), one->get.take_body()};
    one = done ? asked.erase(one) : one + 1;
  }
  return Ok{};
}

// Until one of them has something to do.
Status wait(const std::vector<Asked>& asked, int stop) {
  std::vector<pollfd> fds{{stop, POLLIN, 0}};
  auto until = Clock::time_point::max();
  for (const auto& one : asked) {
    fds.push_back({one.get.fd(), one.get.events(), 0});
    until = std::min(until, one.until);
  }
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
  const bool late = left <= milliseconds(0);
  if (!late &&
      ::poll(fds.data(), fds.size(), static_cast<int>(std::min<long>(left.count(), 60'000))) < 0 &&
      errno != EINTR)
    return Error{std::string("wait: ") + std::strerror(errno)};
  if (late || (fds[0].revents & POLLIN) != 0)
    return Error{"no answer in time (it is busy or hangs)"};
  return Ok{};
}

}  // namespace

Result<std::vector<HttpReply>> http_get_all(const std::string& path,
                                            const std::vector<std::string>& targets,
                                            const HttpParallel& crowd,
                                            const HttpTimeouts& patience) {
  std::vector<HttpReply> replies(targets.size());
  std::vector<Asked> asked;
  std::size_t next = 0;
  while (next < targets.size() || !asked.empty()) {
    while (next < targets.size() && asked.size() < crowd.at_once) {
      EP_ASSIGN(get, HttpGet::open(path, targets[next], crowd.limit, "application/json"));
      if (!get) return Error{"it has left"};
      asked.push_back(
          {next++, std::move(*get), std::min(patience.until, Clock::now() + crowd.each)});
    }
    const auto before = asked.size();
    EP_TRY(advance(asked, replies));
    if (asked.size() == before) EP_TRY(wait(asked, patience.stop));
  }
  return replies;
}

}  // namespace espial
