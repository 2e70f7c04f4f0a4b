// SPDX-License-Identifier: Apache-2.0
// The number of this thread's network namespace, as BPF programs see it (struct ns_common, inum).
#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace espial {

// 0: it cannot be read; no namespace has that number.
inline std::uint32_t own_netns() {
  struct stat self = {};
  return ::stat("/proc/thread-self/ns/net", &self) == 0 ? static_cast<std::uint32_t>(self.st_ino)
                                                        : 0;
}

}  // namespace espial
