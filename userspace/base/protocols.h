// SPDX-License-Identifier: Apache-2.0
// Numbers of protocols and ports that several rooms name (IANA, Protocol Numbers and Service
// Names).
#pragma once

#include <cstdint>

namespace espial {

inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolIpInIp = 4;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIpv6InIp = 41;
inline constexpr std::uint8_t kProtocolGre = 47;
inline constexpr std::uint8_t kProtocolEsp = 50;
inline constexpr std::uint8_t kProtocolAh = 51;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;

inline constexpr std::uint16_t kPortIke = 500;    // RFC 7296
inline constexpr std::uint16_t kPortNatT = 4500;  // RFC 3948

inline constexpr std::uint8_t kTcpSyn = 2;  // RFC 9293, flags

}  // namespace espial
