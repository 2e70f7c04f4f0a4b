// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstdint>

namespace espial {

// The kernel's id of a loaded program; 0 if unknown.
inline std::uint32_t program_id(int program_fd) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(program_fd, &info, &size) == 0 ? info.id : 0;
}

}  // namespace espial
