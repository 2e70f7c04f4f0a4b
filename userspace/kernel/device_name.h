// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace espial {

// The device's name now, or "#7" when there is none with this index.
std::string device_name(std::uint32_t ifindex);

}  // namespace espial
