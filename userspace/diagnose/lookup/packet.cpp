// SPDX-License-Identifier: Apache-2.0
#include "diagnose/lookup/packet.h"

namespace espial {
namespace {

template <typename T>
void forget_if_other(std::optional<T>& value, const std::optional<T>& other) {
  if (value != other) value.reset();
}

}  // namespace

Packet join(const Packet& one, const Packet& other) {
  Packet both = one;
  forget_if_other(both.source, other.source);
  forget_if_other(both.destination, other.destination);
  forget_if_other(both.protocol, other.protocol);
  forget_if_other(both.source_port, other.source_port);
  forget_if_other(both.destination_port, other.destination_port);
  forget_if_other(both.icmp_type, other.icmp_type);
  forget_if_other(both.icmp_code, other.icmp_code);
  forget_if_other(both.tcp_flags, other.tcp_flags);
  forget_if_other(both.hop_limit, other.hop_limit);
  forget_if_other(both.bridge, other.bridge);
  forget_if_other(both.iif, other.iif);
  forget_if_other(both.oif, other.oif);
  forget_if_other(both.iif_type, other.iif_type);
  forget_if_other(both.oif_type, other.oif_type);
  forget_if_other(both.mark, other.mark);
  forget_if_other(both.ct_mark, other.ct_mark);
  if (one.tracking != other.tracking) both.tracking = Tracking::kUnknown;
  if (one.new_destination != other.new_destination) both.new_destination = Tri::kUnknown;
  if (one.ipsec_in != other.ipsec_in) both.ipsec_in = Tri::kUnknown;
  if (one.ipsec_out != other.ipsec_out) both.ipsec_out = Tri::kUnknown;
  return both;
}

}  // namespace espial
