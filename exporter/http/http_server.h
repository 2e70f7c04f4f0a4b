// SPDX-License-Identifier: Apache-2.0
// HttpServer: a thread of its own that answers HTTP/1.1 GET requests from an Api, one request per
// connection. It is not CivetWeb because Debian's is built without IPv6, gives a thread to every
// client that stalls, and takes two seconds to stop.
//
// One thread and poll(): a client that stalls costs a descriptor and a share of one body, never a
// thread. Above a limit, the client that has been there longest makes room. Its thread takes no
// signals.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "exporter/http/api.h"
#include "exporter/http/listen_address.h"

namespace espial {

struct HttpLimits {
  std::size_t clients = 512;                  // at once; half of the descriptors of a service
  std::size_t bytes = 32U << 20U;             // of the bodies that clients still have to read
  std::chrono::milliseconds exchange{10000};  // from accept to close, however slow the client
};

class HttpServer {
 public:
  // Listens from now on; "[::]" listens on IPv4, too. The error names the address and the cause
  // (port in use, no such address).
  static Result<HttpServer> open(const ListenAddress& listen, std::unique_ptr<Api> api,
                                 HttpLimits limits = {});

  HttpServer(HttpServer&&) noexcept = default;
  HttpServer& operator=(HttpServer&&) = delete;
  ~HttpServer();  // cuts off what is under way

  [[nodiscard]] const ListenAddress& address() const { return address_; }  // with the real port

 private:
  HttpServer(ListenAddress address, UniqueFd stop, std::thread thread);

  ListenAddress address_;
  UniqueFd stop_;  // eventfd: written once, to end the thread
  std::thread thread_;
};

}  // namespace espial
