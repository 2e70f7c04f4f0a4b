// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/departure.h"

#include <string>

#include "model/devices/device_kinds.h"

namespace espial {
namespace {

constexpr int kTunnelsMax = 4;  // IFLA_TUNNEL nesting beyond this is a loop

}  // namespace

bool Departure::send() {
  if (!route()) return false;
  if (state_.from != nullptr) {
    if (state_.device == state_.from && on_link())
      return state_.unknown("it leaves through " + state_.from->name +
                            " again, where it came in, to a neighbour there: a bridge may carry it "
                            "without asking routes or rules of IP");
    return ipsec_.forward_policy() && ipsec_.protection() &&
           hooks_.hook({Layer::kIp, PacketHook::kForward}) && postrouting();
  }
  return ipsec_.protection() && output() && postrouting();
}

bool Departure::on_link() const {
  const auto* near = node_.address_fact(*state_.packet.destination, true);
  return !state_.route->gateway && near != nullptr && near->ifindex == state_.device->ifindex;
}

bool Departure::route() {
  const auto answer = node_.routes.ask(
      {host_prefix(*state_.packet.destination), host_prefix(*state_.packet.source), state_.from});
  const std::string rule = answer.rule == nullptr ? "" : " (rule " + answer.rule->text() + ")";
  switch (answer.kind) {
    case RouteAnswer::Kind::kNone:
      state_.say("route", "none");
      return state_.end(FlowEnd::DROPPED,
                        "dropped: no route to " + state_.packet.destination->text());
    case RouteAnswer::Kind::kUnknown:
      return state_.unknown("routing rule " + answer.why + " cannot be decided");
    case RouteAnswer::Kind::kRejected: {
      const std::string by =
          answer.route != nullptr ? "route " + answer.route->text() : "rule " + answer.rule->text();
      state_.say("route", "rejected by " + by);
      return state_.end(FlowEnd::DROPPED, "dropped: rejected by " + by);
    }
    case RouteAnswer::Kind::kRoute:
      break;
  }
  state_.route = answer.route;
  state_.device = node_.routes.link(state_.route->oif);
  if (state_.device == nullptr)
    return state_.unknown("route " + state_.route->text() + ": its device is not known");
  state_.say("route", state_.route->text() + " dev " + state_.device->name + rule);
  return true;
}

bool Departure::output() {
  const auto to = state_.packet.destination;
  if (!hooks_.hook({Layer::kIp, PacketHook::kOutput})) return false;
  if (state_.packet.destination != to && !(route() && ipsec_.protection())) return false;
  return state_.protect.kind == FlowPolicy::Kind::kHeld ? ipsec_.fails_closed() : true;
}

bool Departure::postrouting() {
  const auto from = state_.packet.source;
  if (!hooks_.hook({Layer::kIp, PacketHook::kPostrouting})) return false;
  if (state_.packet.source == from) return true;
  if (!state_.packet.source) state_.packet.source = ipsec_.masquerade_address();
  if (!state_.packet.source)
    return state_.unknown("the address that it is masqueraded to, and so what IPsec sees");
  state_.say("nat", "from here on the packet is " + packet_text(state_.packet) +
                        ": the IPsec lookup is repeated");
  return ipsec_.protection() &&
         (state_.protect.kind != FlowPolicy::Kind::kHeld || ipsec_.fails_closed());
}

bool Departure::down() {
  return hooks_.link_hooks(
      hooks_.link_way(*state_.device, state_.route->gateway.value_or(*state_.packet.destination))
          .down(*state_.device));
}

void Departure::leave() {
  if (state_.protect.kind == FlowPolicy::Kind::kProtect) return outer();
  if (state_.device->kind == "xfrm") {
    if (!ipsec_.protection(true)) return;
    if (state_.protect.kind == FlowPolicy::Kind::kProtect) return outer();
    state_.unknown("what " + state_.device->name + " turns the packet into");
    return;
  }
  if (auto flow = outer_flow(node_.routes, state_.route, state_.packet.family))
    return tunnel(*flow);
  if (is_tunnel(*state_.device) || state_.device->kind == "tun") {
    state_.unknown(state_.device->name + " is a " + state_.device->kind +
                   " device: espial does not trace packets through it");
    return;
  }
  if (!down()) return;
  state_.end(FlowEnd::CLEAR,
             "leaves in clear over " + state_.device->name +
                 (state_.route->gateway ? " to " + state_.route->gateway->text() : ""));
}

void Departure::tunnel(const OuterFlow& flow) {
  if (++state_.tunnels > kTunnelsMax || flow.local.unspecified()) {
    state_.unknown("the outer packets of " + flow.text());
    return;
  }
  state_.say("tunnel", "goes into " + flow.text());
  state_.from = nullptr;
  state_.packet = packet_around(flow.local, flow.remote, flow.protocol);
  if (send()) leave();
}

void Departure::outer() {
  const auto protect = state_.protect;
  const auto& state = *protect.states.front();
  const bool encrypts = protect.encrypts();
  std::string sas;
  for (const auto* one : protect.states) sas += (sas.empty() ? "" : " or ") + sa_text(*one);
  if (state.null_encryption) sas += ", which encrypts nothing";
  state_.say("sa", sas + ", " + state.source.text() + " > " + state.destination.text() +
                       ", reqid " + std::to_string(state.reqid));
  state_.packet = packet_around(state.source, state.destination, wire_protocol(state));
  state_.from = nullptr;
  state_.protect = {};
  const auto to = state_.packet.destination;
  if (!route() || !hooks_.hook({Layer::kIp, PacketHook::kOutput})) return;
  if (state_.packet.destination != to && !route()) return;
  if (!hooks_.hook({Layer::kIp, PacketHook::kPostrouting}) || !down()) return;
  state_.end(encrypts ? FlowEnd::ENCRYPTED : FlowEnd::CLEAR, "leaves as " + sas + ", to " +
                                                                 state_.packet.destination->text() +
                                                                 " over " + state_.device->name);
}

}  // namespace espial
