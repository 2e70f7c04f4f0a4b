// SPDX-License-Identifier: Apache-2.0
// HttpServer: CivetWeb in front of an Api. GET only, one request per connection.
//
// Limits: kThreads requests at once, the rest queue; kMaxRequestBytes of request line and headers;
// a client that sends or reads nothing for kTimeout loses its connection, so that one that stalls
// costs one thread for that long and delays nobody else. Its threads take no signals.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "exporter/api.h"
#include "exporter/listen_address.h"

struct mg_context;

namespace espial {

class HttpServer {
 public:
  static constexpr int kThreads = 16;
  static constexpr int kMaxRequestBytes = 8192;
  static constexpr std::chrono::milliseconds kTimeout{5000};

  // Listens from now on. The error names the address and the cause (port in use, no such address).
  static Result<HttpServer> open(const ListenAddress& listen, std::shared_ptr<const Api> api);

  HttpServer(HttpServer&&) noexcept = default;
  HttpServer& operator=(HttpServer&&) = delete;  // would free the old Api under its threads
  ~HttpServer() = default;                       // finishes the requests under way

  [[nodiscard]] const ListenAddress& address() const { return address_; }  // with the real port

 private:
  struct Stop {
    void operator()(mg_context* context) const;
  };

  HttpServer() = default;

  std::shared_ptr<const Api> api_;  // outlives the context, whose threads use it
  std::unique_ptr<mg_context, Stop> context_;
  ListenAddress address_;
};

}  // namespace espial
