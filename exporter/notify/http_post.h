// SPDX-License-Identifier: Apache-2.0
// HttpPost: posts JSON to one receiver. The only user of libcurl.
//
// TLS 1.2 or newer with the certificate always checked; http and https only; no redirect is
// followed, no proxy of the environment used; bounded in time and in what an answer may hold. One
// thread posts; stop() may come from any other.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/config_alerts.h"

namespace espial {

struct HttpPostLimits {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds total{10'000};
  std::size_t answer = 64U << 10;  // bytes, its head included
};

class HttpPost {
 public:
  // url: where to post to; receiver: how to prove who is who.
  static Result<HttpPost> open(ConfigHttpReceiver receiver, std::string url,
                               HttpPostLimits limits = {});

  // Ok: answered with 2xx. Otherwise one line that holds no secret: what failed and why, or what
  // the receiver answered. Secret files are read again each time.
  Status post(const std::string& body);

  // A post that is under way, and every later one, fails at once.
  void stop();

 private:
  struct Curl;
  struct FreeCurl {
    void operator()(Curl* curl) const;
  };

  HttpPost(ConfigHttpReceiver receiver, std::string url, HttpPostLimits limits);
  Status prepare();

  ConfigHttpReceiver receiver_;
  std::string url_;
  HttpPostLimits limits_;
  std::unique_ptr<Curl, FreeCurl> curl_;
};

}  // namespace espial
