// SPDX-License-Identifier: Apache-2.0
#include "exporter/http_server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "exporter/gzip.h"

namespace espial {

namespace {

constexpr std::string_view kHeaders =
    "Connection: close\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

void send(mg_connection* connection, const Response& response) {
  const char* accept = mg_get_header(connection, "Accept-Encoding");
  std::optional<std::string> packed;
  if (accept != nullptr && accepts_gzip(accept)) packed = gzip(response.body);
  const std::string& body = packed ? *packed : response.body;
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " +
                     std::string(reason_phrase(response.status)) + "\r\n";
  head += "Content-Type: " + response.content_type + "\r\n";
  head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  head += "Vary: Accept-Encoding\r\n";
  if (packed) head += "Content-Encoding: gzip\r\n";
  if (response.status == 405) head += "Allow: GET\r\n";
  head += kHeaders;
  head += "\r\n";
  if (mg_write(connection, head.data(), head.size()) == static_cast<int>(head.size()))
    mg_write(connection, body.data(), body.size());
}

Response answer(const Api& api, const mg_request_info& request) {
  if (std::string_view(request.request_method) != "GET")
    return {405, "text/plain; charset=utf-8", "only GET\n"};
  return api.get(request.local_uri == nullptr ? "" : request.local_uri);
}

// The C library that calls this cannot carry an exception (out of memory, say) any further: the
// client sees the connection close without an answer.
int begin_request(mg_connection* connection) noexcept {
  try {
    const mg_request_info* request = mg_get_request_info(connection);
    const Response response = answer(*static_cast<const Api*>(request->user_data), *request);
    send(connection, response);
    return response.status;
  } catch (const std::exception&) {
    return 500;
  }
}

// CivetWeb reports clients that go away and malformed requests; neither is ours to log.
int swallow_message(const mg_connection*, const char*) { return 1; }

// Asks the kernel before CivetWeb does, which would only tell its own log why it failed.
Status try_bind(const ListenAddress& listen) {
  const bool v4 = listen.address.family() == Family::kIpv4;
  sockaddr_in a4{};
  sockaddr_in6 a6{};
  a4.sin_family = AF_INET;
  a4.sin_port = htons(listen.port);
  std::memcpy(&a4.sin_addr, listen.address.bytes().data(), sizeof a4.sin_addr);
  a6.sin6_family = AF_INET6;
  a6.sin6_port = htons(listen.port);
  std::memcpy(&a6.sin6_addr, listen.address.bytes().data(), sizeof a6.sin6_addr);
  const auto* address =
      v4 ? reinterpret_cast<const sockaddr*>(&a4) : reinterpret_cast<const sockaddr*>(&a6);
  const socklen_t length = v4 ? sizeof a4 : sizeof a6;

  const UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd.valid() && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      ::bind(fd.get(), address, length) == 0 && ::listen(fd.get(), 1) == 0)
    return Ok{};
  const int cause = errno;
  std::string message = listen.text() + ": listen: " + std::strerror(cause);
  if (cause == EADDRINUSE)
    message += " (stop what listens there, or set another listen address or off)";
  if (cause == EADDRNOTAVAIL) message += " (no device of this node has that address)";
  if (cause == EACCES) message += " (ports below 1024 need CAP_NET_BIND_SERVICE)";
  return Error{.message = std::move(message)};
}

// Blocks every signal for the scope: threads that start in it leave signals to the daemon's.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

mg_context* start(const ListenAddress& listen, const Api* api) {
  const std::string port = listen.text();
  const std::string threads = std::to_string(HttpServer::kThreads);
  const std::string timeout = std::to_string(HttpServer::kTimeout.count());
  const std::string request_bytes = std::to_string(HttpServer::kMaxRequestBytes);
  const std::array options = {"listening_ports",
                              port.c_str(),
                              "num_threads",
                              threads.c_str(),
                              "request_timeout_ms",
                              timeout.c_str(),
                              "max_request_size",
                              request_bytes.c_str(),
                              "connection_queue",
                              "64",
                              "listen_backlog",
                              "128",
                              "enable_keep_alive",
                              "no",
                              "enable_directory_listing",
                              "no",
                              static_cast<const char*>(nullptr)};
  mg_callbacks callbacks{};
  callbacks.begin_request = begin_request;
  callbacks.log_message = swallow_message;
  callbacks.log_access = swallow_message;
  const NoSignals quiet;
  return mg_start(&callbacks, const_cast<Api*>(api), const_cast<const char**>(options.data()));
}

}  // namespace

void HttpServer::Stop::operator()(mg_context* context) const { mg_stop(context); }

Result<HttpServer> HttpServer::open(const ListenAddress& listen, std::shared_ptr<const Api> api) {
  if (listen.address.family() == Family::kIpv6 && mg_check_feature(MG_FEATURES_IPV6) == 0)
    return Error{.message = listen.text() +
                            ": listen: this system's CivetWeb is built without IPv6 (listen on an "
                            "IPv4 address)"};
  EP_TRY(try_bind(listen));
  HttpServer server;
  server.api_ = std::move(api);
  server.address_ = listen;
  server.context_.reset(start(listen, server.api_.get()));
  mg_server_port port{};
  if (!server.context_ || mg_get_server_ports(server.context_.get(), 1, &port) != 1)
    return Error{.message = listen.text() + ": start the HTTP server: no threads or no memory"};
  server.address_.port = static_cast<std::uint16_t>(port.port);
  return server;
}

}  // namespace espial
