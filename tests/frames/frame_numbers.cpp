// SPDX-License-Identifier: Apache-2.0
#include "frames/frame_numbers.h"

namespace espial::frames {
namespace {

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace

std::uint8_t protocol_of(const Layer* next) {
  if (next == nullptr) return 59;
  return std::visit(Overloaded{
                        [](const Ipv4&) -> std::uint8_t { return 4; },
                        [](const Ipv6&) -> std::uint8_t { return 41; },
                        []<std::uint8_t TYPE>(const Ext<TYPE>&) -> std::uint8_t { return TYPE; },
                        [](const Fragment6&) -> std::uint8_t { return 44; },
                        [](const Jumbo&) -> std::uint8_t { return 0; },
                        [](const Ah&) -> std::uint8_t { return 51; },
                        [](const Udp&) -> std::uint8_t { return 17; },
                        [](const Tcp&) -> std::uint8_t { return 6; },
                        [](const Icmp&) -> std::uint8_t { return 1; },
                        [](const Icmp6&) -> std::uint8_t { return 58; },
                        [](const Igmp&) -> std::uint8_t { return 2; },
                        [](const Esp&) -> std::uint8_t { return 50; },
                        [](const Gre&) -> std::uint8_t { return 47; },
                        [](const Mpls&) -> std::uint8_t { return 137; },
                        [](const auto&) -> std::uint8_t { return 253; },
                    },
                    *next);
}

std::uint16_t ethertype_of(const Layer* next) {
  if (next == nullptr) return 0x88b5;
  return std::visit(
      Overloaded{
          [](const Ipv4&) -> std::uint16_t { return 0x0800; },
          [](const Ipv6&) -> std::uint16_t { return 0x86dd; },
          [](const Arp&) -> std::uint16_t { return 0x0806; },
          [](const Mpls&) -> std::uint16_t { return 0x8847; },
          [](const Vlan& v) -> std::uint16_t { return v.tpid; },
          [](const Eth&) -> std::uint16_t { return 0x6558; },
          [](const Wccp&) -> std::uint16_t { return 0x883e; },
          [](const Erspan& e) -> std::uint16_t { return e.type == 3 ? 0x22eb : 0x88be; },
          [](const auto&) -> std::uint16_t { return 0x88b5; },
      },
      *next);
}

std::uint8_t gpe_protocol_of(const Layer* next) {
  if (next == nullptr) return 0;
  if (std::holds_alternative<Ipv4>(*next)) return 1;
  if (std::holds_alternative<Ipv6>(*next)) return 2;
  return std::holds_alternative<Eth>(*next) ? 3 : 0;
}

}  // namespace espial::frames
