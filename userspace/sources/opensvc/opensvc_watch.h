// SPDX-License-Identifier: Apache-2.0
// OpensvcWatch: what OpenSVC says, kept current by a thread of its own, because names are resolved
// and that may block.
//
// The thread reads cluster.conf when it starts, whenever something happens in the file's folder
// (the agent replaces the file by a rename), when om3's event stream says so, and from time to
// time, as names may resolve differently. When the file cannot be read and somebody listens at
// om3's socket, that is asked instead. It opens nothing else but what the resolver opens.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/facts/opensvc.h"

namespace espial {

struct OpensvcPlaces {
  std::string conf;
  std::string socket = {};  // empty: none
};

// Reads once, on the caller's thread; blocks while names are resolved. The state tells what came of
// it, it is never kOff.
OpensvcFacts read_opensvc(const OpensvcPlaces& places);

class OpensvcWatch {
 public:
  // Starts the thread, which calls prepare first (to give up privileges, which each thread has its
  // own of). Errors: no descriptors, no thread.
  static Result<OpensvcWatch> start(const OpensvcPlaces& places,
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
