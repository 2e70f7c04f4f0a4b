// SPDX-License-Identifier: Apache-2.0
// Asks whether an IKE daemon answers at UDP 500 and 4500 of some addresses: one datagram each, an
// IKE header of a version that does not exist, which a responder must answer with
// INVALID_MAJOR_VERSION (RFC 7296, 2.5 and 3.1) and forgets: no IKE_SA begins, nothing is
// authenticated, nothing secret is sent. Needs no privilege. Blocks; any thread.
//
// It comes from a port that the kernel chooses: a filter that asks for source port 500, too, keeps
// it away from a daemon that other nodes reach.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ip.h"
#include "model/facts/ike_reach.h"

namespace espial {

inline constexpr std::chrono::milliseconds kIkeWait{1000};

// Both ports of each address, in this order, all at once; an address that does not answer within
// wait is silent.
std::vector<IkeReach> probe_ike(const std::vector<IpAddress>& addresses,
                                std::chrono::milliseconds wait = kIkeWait);

// What is sent, with the initiator's SPI that its answer must carry. To port 4500 the non-ESP
// marker goes first (RFC 3948, 2.2).
using IkeSpi = std::array<std::uint8_t, 8>;
std::vector<std::uint8_t> ike_question(const IkeSpi& spi, std::uint16_t port);
// Is this datagram an IKE message to the sender of that SPI?
bool is_ike_answer(std::span<const std::uint8_t> datagram, const IkeSpi& spi, std::uint16_t port);

}  // namespace espial
