// SPDX-License-Identifier: Apache-2.0
// The layer that follows, as the number that the header before it carries; null: nothing follows.
#pragma once

#include <cstdint>

#include "frames/frame.h"

namespace espial::frames {

std::uint8_t protocol_of(const Layer* next);      // of IP
std::uint16_t ethertype_of(const Layer* next);    // of Ethernet, GRE and Geneve
std::uint8_t gpe_protocol_of(const Layer* next);  // of VXLAN-GPE

}  // namespace espial::frames
