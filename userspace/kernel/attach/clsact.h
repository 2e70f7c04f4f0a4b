// SPDX-License-Identifier: Apache-2.0
// clsact filters: where the kernel has no tcx. A filter lives on the device itself, without a pin,
// and goes with it. Needs CAP_NET_ADMIN at every use.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "model/words.h"

namespace espial {

// Our filters' place in the chain: first. Filters of several instances share it, each with the
// handle of its instance.
inline constexpr std::uint32_t kClsactPriority = 1;

// Constant for an instance, different between instances: derived from the path of its pins.
std::uint32_t clsact_handle(std::string_view pin_dir);

// Attaches the program, or exchanges the one of this handle that is there. made_qdisc: the device
// had no clsact qdisc and has one now.
Status clsact_attach(int program_fd, int ifindex, Direction direction, std::uint32_t handle,
                     bool& made_qdisc);

// The id of our program there; 0: none with this handle.
std::uint32_t clsact_program(int ifindex, Direction direction, std::uint32_t handle);

// Removes our filter; no error if there is none.
Status clsact_detach(int ifindex, Direction direction, std::uint32_t handle);

// Removes the clsact qdisc that we made, unless other filters are on it.
Status clsact_remove_unused(int ifindex);

}  // namespace espial
