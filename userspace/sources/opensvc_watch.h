// SPDX-License-Identifier: Apache-2.0
// OpensvcWatch: what OpenSVC says, kept current by a thread of its own, because names are resolved
// and that may block.
//
// The thread reads cluster.conf when it starts, whenever something happens in the file's folder
// (the agent replaces the file by a rename) and from time to time, as names may resolve
// differently. It opens nothing but that file and what the resolver opens.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/opensvc.h"

namespace espial {

// Reads once, on the caller's thread; blocks while names are resolved. The state tells what came of
// it, it is never kOff.
OpensvcFacts read_opensvc(const std::string& conf_path);

class OpensvcWatch {
 public:
  // Starts the thread, which calls prepare first (to give up privileges, which each thread has its
  // own of). Errors: no descriptors, no thread.
  static Result<OpensvcWatch> start(const std::string& conf_path,
                                    std::function<void()> prepare = {});
  OpensvcWatch(OpensvcWatch&&) noexcept;
  OpensvcWatch& operator=(OpensvcWatch&&) noexcept;
  ~OpensvcWatch();  // ends the thread; waits while it resolves a name

  // Readable (epoll, level-triggered) while facts wait that take() has not returned.
  [[nodiscard]] int fd() const;
  // The newest facts; fd() is not readable afterwards.
  OpensvcFacts take();
  // take(), after waiting for the first facts: at most this long, then state kAbsent or
  // kUnreadable.
  OpensvcFacts first(int milliseconds);

 private:
  struct Shared;
  explicit OpensvcWatch(std::unique_ptr<Shared> shared);
  std::unique_ptr<Shared> shared_;
};

}  // namespace espial
