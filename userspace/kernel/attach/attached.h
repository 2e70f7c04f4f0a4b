// SPDX-License-Identifier: Apache-2.0
// What attachments of every kind share.
#pragma once

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>

namespace espial {

// What had been removed and was put back.
struct Missing {
  std::size_t programs = 0;
  std::size_t pins = 0;  // of links that were still attached
  Missing& operator+=(const Missing& more) {
    programs += more.programs;
    pins += more.pins;
    return *this;
  }
};

// The kernel's id of a loaded program; 0 if unknown.
inline std::uint32_t program_id(int program_fd) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(program_fd, &info, &size) == 0 ? info.id : 0;
}

}  // namespace espial
