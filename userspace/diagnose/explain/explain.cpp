// SPDX-License-Identifier: Apache-2.0
#include "diagnose/explain/explain.h"

#include <algorithm>
#include <utility>

#include "diagnose/explain/arrival.h"
#include "diagnose/explain/departure.h"
#include "diagnose/explain/hook_walk.h"
#include "diagnose/explain/ipsec.h"
#include "diagnose/explain/node_view.h"
#include "diagnose/explain/packet_state.h"

namespace espial {
namespace {

class Explainer {
 public:
  Explainer(const ExplainInput& input, const IpAddress& source, const IpAddress& destination)
      : node_(input), state_(source, destination) {}

  Explanation run() {
    if (!origin()) return finish();
    if (state_.from_afar)
      arrival_.receive();
    else if ((state_.from == nullptr || arrival_.arrive()) && departure_.send())
      departure_.leave();
    return finish();
  }

 private:
  // Where it starts: here, at a pod, or elsewhere.
  bool origin() {
    const bool here = node_.address_fact(state_.told.destination, false) != nullptr;
    const bool own = node_.address_fact(state_.told.source, false) != nullptr;
    const auto* near = own ? nullptr : node_.address_fact(state_.told.source, true);
    if (here && (own || near != nullptr))
      return state_.unknown(state_.told.destination.text() +
                            " is an address of this node: it does not go to another node");
    if (own) {
      state_.packet.iif = "";
      state_.say("origin", "sent by this node: a ping, the first packet of its connection");
      return true;
    }
    if (near == nullptr && (here || node_.address_fact(state_.told.destination, true) != nullptr)) {
      state_.from_afar = true;
      state_.say("origin", "sent by another node: a ping, the first packet of its connection");
      return true;
    }
    state_.from = near == nullptr ? nullptr : node_.routes.link(near->ifindex);
    if (state_.from == nullptr)
      return state_.unknown(
          "neither " + state_.told.source.text() + " nor " + state_.told.destination.text() +
          " is an address of this node or in a subnet of its devices: ask the node "
          "where the packet starts or ends");
    state_.packet.iif = state_.from->name;
    state_.packet.iif_type = state_.from->arphrd;
    state_.say("origin", "a ping comes in through " + state_.from->name +
                             ", the first packet of its connection");
    return true;
  }

  // What espial itself does with what is in clear.
  void enforce() {
    if (state_.told.end != FlowEnd::CLEAR) return;
    const auto& far = state_.from_afar ? state_.told.source : state_.told.destination;
    const auto& enforced = node_.input.enforced;
    const auto at =
        std::find_if(enforced.begin(), enforced.end(),
                     [&](const EnforcedSubnet& subnet) { return subnet.prefix.contains(far); });
    if (at == enforced.end()) return;
    state_.say("espial", at->peer + " is in enforce: cleartext is dropped at the wire device");
    if (node_.input.exempting) {
      state_.unknown("is it one of the exemptions of enforce?");
      return;
    }
    state_.end(FlowEnd::DROPPED, "dropped by espial: " + at->peer +
                                     " is in enforce; otherwise it " + state_.told.conclusion);
  }

  // What was not read could still drop or rewrite the packet; what drops it does so anyway.
  Explanation finish() {
    enforce();
    for (const auto& line : node_.input.ruleset.unread)
      state_.missing.push_back("firewall: " + line);
    if (state_.told.end != FlowEnd::DROPPED && state_.told.end != FlowEnd::UNKNOWN &&
        !state_.missing.empty()) {
      state_.told.end = FlowEnd::UNKNOWN;
      state_.told.conclusion =
          state_.told.conclusion + ", unless something that could not be read changes this";
      state_.told.reasons = std::move(state_.missing);
    }
    return std::move(state_.told);
  }

  NodeView node_;
  PacketState state_;
  HookWalk hooks_{node_, state_};
  Ipsec ipsec_{node_, state_};
  Departure departure_{node_, state_, hooks_, ipsec_};
  Arrival arrival_{node_, state_, hooks_, ipsec_, departure_};
};

}  // namespace

Explanation explain(const ExplainInput& input, const IpAddress& source,
                    const IpAddress& destination) {
  return Explainer(input, source, destination).run();
}

}  // namespace espial
