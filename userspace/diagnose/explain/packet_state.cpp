// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/packet_state.h"

#include <utility>

#include "base/protocols.h"

namespace espial {
namespace {

std::string address_text(const std::optional<IpAddress>& address) {
  return address ? address->text() : "an address that is not known";
}

}  // namespace

std::string packet_text(const Packet& packet) {
  return address_text(packet.source) + " > " + address_text(packet.destination);
}

Packet ping_packet(const IpAddress& source, const IpAddress& destination) {
  Packet packet;
  packet.family = source.family();
  packet.source = source;
  packet.destination = destination;
  const bool v4 = packet.family == Family::kIpv4;
  packet.protocol = v4 ? 1 : 58;
  packet.icmp_type = v4 ? 8 : 128;
  packet.icmp_code = 0;
  packet.mark = 0;
  packet.ct_mark = 0;
  packet.tracking = Tracking::kNew;
  packet.ipsec_in = Tri::kNo;
  packet.ipsec_out = Tri::kNo;
  return packet;
}

Packet packet_around(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol) {
  Packet packet = ping_packet(source, destination);
  packet.icmp_type.reset();
  packet.icmp_code.reset();
  packet.protocol = protocol;
  packet.iif = "";
  return packet;
}

std::uint8_t wire_protocol(const XfrmStateFact& state) {
  if (state.encapsulation == Encapsulation::kNone) return state.protocol;
  return state.encapsulation == Encapsulation::kUdp ? kProtocolUdp : kProtocolTcp;
}

PacketState::PacketState(const IpAddress& source, const IpAddress& destination)
    : packet(ping_packet(source, destination)) {
  told.source = source;
  told.destination = destination;
}

void PacketState::say(std::string where, std::string what, std::vector<std::string> details) {
  told.steps.push_back(
      {std::move(where), packet_text(packet), std::move(what), std::move(details)});
}

bool PacketState::end(FlowEnd end, std::string conclusion) {
  told.end = end;
  told.conclusion = std::move(conclusion);
  return false;
}

bool PacketState::unknown(const std::string& why) {
  told.reasons.push_back(why);
  return end(FlowEnd::UNKNOWN, "not known");
}

}  // namespace espial
