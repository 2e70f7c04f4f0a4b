// SPDX-License-Identifier: Apache-2.0
// clsact filters: where the kernel has no tcx. A filter lives on the device itself, without a pin,
// and goes with it. Needs CAP_NET_ADMIN at every use.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/words.h"

namespace espial {

// Our filters' own place in the chain: first, and told from others' by the handle.
inline constexpr std::uint32_t kClsactPriority = 1;
inline constexpr std::uint32_t kClsactHandle = 0xe591a1;

// Attaches the program, or exchanges the one of ours that is there. made_qdisc: the device had no
// clsact qdisc and has one now.
Status clsact_attach(int program_fd, int ifindex, Direction direction, bool& made_qdisc);

// The id of our program there; 0: none of ours.
std::uint32_t clsact_program(int ifindex, Direction direction);

// Removes our filter; fine when there is none.
Status clsact_detach(int ifindex, Direction direction);

// Removes the clsact qdisc, unless somebody's filter is on it. For the one that we made.
Status clsact_remove_unused(int ifindex);

}  // namespace espial
