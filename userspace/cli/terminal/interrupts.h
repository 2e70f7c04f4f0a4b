// SPDX-License-Identifier: Apache-2.0
// Interrupts: SIGINT, SIGTERM and SIGHUP as a descriptor to poll, and no SIGPIPE, while this lives.
#pragma once

#include <signal.h>

#include "base/unique_fd.h"

namespace espial {

// Of the thread that made it, and of threads that it starts later. Puts everything back.
class Interrupts {
 public:
  Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();

  // Readable when one has come. Stays so until take().
  [[nodiscard]] int descriptor() const noexcept { return fd_.get(); }
  // The signal that came, 0 when none did.
  [[nodiscard]] int take() const;

 private:
  sigset_t signals_{};
  sigset_t before_{};
  struct sigaction pipe_before_ = {};
  UniqueFd fd_;
};

}  // namespace espial
