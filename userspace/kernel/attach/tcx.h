// SPDX-License-Identifier: Apache-2.0
// tcx links (kernel 6.6): a program on a device's ingress or egress that survives its loader when
// pinned and is exchanged atomically. libbpf 1.1 has no wrapper; the calls are those of
// kernel/bpf/tcx.c.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/words.h"

namespace espial {

struct TcxLink {
  UniqueFd fd;
  int ifindex = 0;            // 0: the device is gone
  std::uint32_t program = 0;  // id of the attached program
  Direction direction = Direction::RECEIVE;
};

// Does this kernel take tcx links? Asked for a device that is not there: nothing is attached.
bool tcx_available(int program_fd);

// Attaches the program before all others of the device's hook.
Result<TcxLink> tcx_attach(int program_fd, int ifindex, Direction direction);

// The link pinned at path, as the kernel describes it. Error: not there, or no tcx link.
Result<TcxLink> tcx_open(const std::string& path);

// Reads ifindex and program again.
Status tcx_refresh(TcxLink& link);

// Takes the program off its device at once, whoever still holds the link.
Status tcx_detach(const TcxLink& link);

// The programs of a device's hook in the order in which they run: ids, at most 64. There is no
// event for a change of it. Empty: none, or it cannot be asked.
std::vector<std::uint32_t> tcx_chain(int ifindex, Direction direction);
// "cls_main (id 42)"; what is known of it.
std::string program_text(std::uint32_t id);

// Exchanges the program atomically; packets always meet the old or the new one.
Status tcx_update(const TcxLink& link, int program_fd);

}  // namespace espial
