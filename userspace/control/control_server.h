// SPDX-License-Identifier: Apache-2.0
// The server side of the control socket: one line in, one answer out, then end of file; or a
// stream, which lasts until the client disconnects.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace espial {

// The answer to one request line (without its newline; any bytes). Runs on the serving thread; an
// exception becomes an {"error": ...} answer.
using ControlHandler = std::function<std::string(std::string_view request)>;

// Requests that are answered as things happen. Both functions run on the serving thread.
struct ControlStreams {
  using Id = std::uint64_t;
  std::string word;  // the first of such a request
  // May send(). An exception becomes an {"error": ...} answer.
  std::function<void(std::string_view request, Id id)> open;
  std::function<void(Id)> closed;
};

inline constexpr std::size_t kMaxControlStreams = 8;
inline constexpr std::size_t kMaxStreamBacklog = 256U << 10;  // bytes that one reader is behind
inline constexpr std::size_t kMaxControlConnections = 16;     // that wait for an answer
inline constexpr std::size_t kMaxControlRequest = 4096;       // bytes, newline included
inline constexpr std::chrono::milliseconds kControlConnectionDeadline{2000};

// Owns the listening unix socket, its file (0600; removed when this goes) and all connections.
// Never blocks. One thread: put descriptor() into the daemon's epoll set and call serve() whenever
// it is readable; deadlines make it readable, too. Refusals are answers {"error": "..."}.
class ControlServer {
 public:
  // path: at most 107 bytes. A stale socket file is replaced; one that a live daemon
  // serves, or a file of another kind, is an error. Callers hold the instance's lock.
  static Result<ControlServer> open(
      const std::string& path, ControlHandler handler,
      std::chrono::milliseconds deadline = kControlConnectionDeadline);

  ControlServer(ControlServer&& other) noexcept;
  ControlServer& operator=(ControlServer&& other) noexcept;
  ~ControlServer();

  void stream(ControlStreams streams) { streams_ = std::move(streams); }
  // Appends to a stream. False: its reader is too far behind, or has gone; nothing was appended.
  bool send(ControlStreams::Id id, std::string_view text);

  [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }
  // Does what is ready now: accepts, reads, answers, closes clients that are too slow.
  void serve();
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
  [[nodiscard]] std::size_t streams() const noexcept { return open_streams_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Connection {
    UniqueFd fd;
    Clock::time_point deadline;
    std::string request;
    std::string answer;
    std::size_t sent = 0;
    bool answering = false;
    ControlStreams::Id stream = 0;  // 0: none
  };

  ControlServer(std::string path, ControlHandler handler, std::chrono::milliseconds deadline)
      : path_(std::move(path)), handler_(std::move(handler)), deadline_(deadline) {}
  Status start();
  void remove_file() noexcept;
  void accept_all();
  // false: the connection is finished.
  bool advance(Connection& connection);
  bool read_request(Connection& connection);
  bool write_answer(Connection& connection);
  bool open_stream(Connection& connection, std::string_view request);
  [[nodiscard]] bool wants_stream(std::string_view request) const;
  bool advance_stream(Connection& connection);
  void erase(int fd);
  std::string answer_to(std::string_view request);
  void close_late();
  void arm_timer();

  std::string path_;
  ControlHandler handler_;
  std::chrono::milliseconds deadline_;
  std::uint64_t inode_ = 0;  // of our socket file, so that no other file is removed
  UniqueFd epoll_;
  UniqueFd timer_;
  UniqueFd listener_;
  std::map<int, Connection> connections_;  // by descriptor
  ControlStreams streams_;
  ControlStreams::Id last_stream_ = 0;
  std::map<ControlStreams::Id, int> open_streams_;  // to descriptors
};

}  // namespace espial
