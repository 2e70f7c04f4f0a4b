// SPDX-License-Identifier: Apache-2.0
// The client side of the control socket: sends one line to the daemon, and receives its answer or a
// stream.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace espial {

inline constexpr std::chrono::milliseconds kControlDeadline{2000};
inline constexpr std::size_t kMaxControlAnswer = 256U << 20;  // bytes

// Sends request and a newline to the unix socket at path and returns everything up to end of file.
// Blocks until the answer is complete or the deadline has passed. Errors are kUnable: no daemon
// listens, no permission, too slow, or an empty answer.
Result<std::string> control_request(const std::string& path, std::string_view request,
                                    std::chrono::milliseconds deadline = kControlDeadline);

// A stream of answers that lasts until either side disconnects.
class ControlStream {
 public:
  // Connects and asks. Errors as of control_request().
  static Result<ControlStream> open(const std::string& path, std::string_view request,
                                    std::chrono::milliseconds deadline = kControlDeadline);
  // Readable (poll) while there is something, or the daemon has gone.
  [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
  // Appends what has come, without waiting. False: the daemon has gone.
  bool read(std::string& to) const;

 private:
  explicit ControlStream(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace espial
