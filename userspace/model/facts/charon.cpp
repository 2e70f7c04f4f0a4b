// SPDX-License-Identifier: Apache-2.0
#include "model/facts/charon.h"

#include <algorithm>

#include "base/printable.h"

namespace espial {
namespace {

using Selectors = std::vector<CharonSelector>;

bool covers(const Selectors& selectors, const Prefix& prefix, bool partial = false) {
  return std::any_of(selectors.begin(), selectors.end(), [&](const CharonSelector& s) {
    return s.prefix && s.partial == partial && s.prefix->contains(prefix);
  });
}

template <typename Child>
bool covers_pair(const Child& child, const Prefix& own, const Prefix& peer) {
  return covers(child.local, own) && covers(child.remote, peer);
}

// Does the connection say that it goes elsewhere? A name or a prefix may be the peer.
bool goes_elsewhere(const CharonConnection& connection, const std::vector<IpAddress>& underlays) {
  if (connection.remote_addresses.empty() || underlays.empty()) return false;
  return std::all_of(connection.remote_addresses.begin(), connection.remote_addresses.end(),
                     [&](const std::string& text) {
                       const auto address = IpAddress::parse(text);
                       return address && !address->unspecified() &&
                              std::find(underlays.begin(), underlays.end(), *address) ==
                                  underlays.end();
                     });
}

bool goes_to(const CharonConnection& connection, const std::vector<IpAddress>& underlays) {
  return std::any_of(connection.remote_addresses.begin(), connection.remote_addresses.end(),
                     [&](const std::string& text) {
                       const auto address = IpAddress::parse(text);
                       return address && std::find(underlays.begin(), underlays.end(), *address) !=
                                             underlays.end();
                     });
}

bool is_shunt(const CharonChild& child) { return child.mode == "PASS" || child.mode == "DROP"; }

bool trapped(const CharonFacts& facts, const CharonConnection& connection,
             const CharonChild& child) {
  return std::any_of(facts.policies.begin(), facts.policies.end(), [&](const CharonPolicy& policy) {
    return policy.child.name == child.name && !is_shunt(policy.child) &&
           (policy.connection.empty() || policy.connection == connection.name);
  });
}

bool installed(const CharonFacts& facts, const Prefix& own, const Prefix& peer) {
  for (const auto& ike : facts.ike_sas)
    for (const auto& child : ike.children)
      if (child.state == "INSTALLED" && covers_pair(child, own, peer)) return true;
  return false;
}

// "no IKE_SA", "IKE_SA CONNECTING", "IKE_SA ESTABLISHED, CHILD_SA DELETING".
std::string sa_words(const CharonFacts& facts, const CharonConnection& connection,
                     const CharonChild& child) {
  const CharonIkeSa* best = nullptr;
  for (const auto& ike : facts.ike_sas)
    if (ike.name == connection.name && (best == nullptr || ike.state == "ESTABLISHED")) best = &ike;
  if (best == nullptr) return "no IKE_SA";
  std::string out = "IKE_SA " + printable(best->state);
  for (const auto& sa : best->children)
    if (sa.name == child.name) {
      out += ", CHILD_SA " + printable(sa.state);
      // An SA with other selectors than configured is what the peer agreed to.
      if (sa.state == "INSTALLED") out += " with narrower traffic selectors";
      break;
    }
  return out;
}

std::string child_words(const CharonConnection& connection, const CharonChild& child) {
  return "connection " + printable(connection.name) + " is loaded, child " + printable(child.name);
}

std::string not_established(const CharonFacts& facts, const CharonConnection& connection,
                            const CharonChild& child) {
  return child_words(connection, child) +
         " is not established: " + sa_words(facts, connection, child) +
         (trapped(facts, connection, child) ? "; its trap waits for traffic"
                                            : "; no trap holds the traffic");
}

std::string pair_words(const Prefix& own, const Prefix& peer) {
  return own.text() + " and " + peer.text();
}

// No child covers the pair: how near the nearest one comes.
std::string nearest(const CharonFacts& facts, const Prefix& own, const Prefix& peer,
                    const std::vector<IpAddress>& underlays) {
  for (const auto& connection : facts.connections)
    for (const auto& child : connection.children) {
      if (covers_pair(child, peer, own))
        return child_words(connection, child) + " has local and remote traffic selectors swapped";
      const bool in_part = (covers(child.local, own) || covers(child.local, own, true)) &&
                           (covers(child.remote, peer) || covers(child.remote, peer, true));
      if (in_part)
        return child_words(connection, child) + " covers only some protocols or ports of " +
               pair_words(own, peer);
    }
  for (const auto& connection : facts.connections)
    if (goes_to(connection, underlays))
      return "connection " + printable(connection.name) +
             " is loaded, but none of its children has " + pair_words(own, peer) +
             " in its traffic selectors";
  if (facts.connections.empty()) return "charon is running without any loaded connection";
  return "no connection has " + pair_words(own, peer) + " in its traffic selectors";
}

}  // namespace

CharonSelector parse_selector(std::string text) {
  CharonSelector selector{std::move(text), {}, false};
  const auto bracket = selector.text.find('[');
  selector.partial = bracket != std::string::npos;
  // A range is no prefix; parse() refuses it.
  selector.prefix = Prefix::parse(std::string_view(selector.text).substr(0, bracket));
  return selector;
}

bool ipsec_in_user_space(const CharonFacts& charon, const std::vector<XfrmStateFact>& states) {
  bool any = false;
  for (const auto& ike : charon.ike_sas)
    for (const auto& child : ike.children) {
      if (child.state != "INSTALLED" && child.state != "REKEYED") continue;
      any = true;
      for (const auto& state : states)
        if (state.spi == child.spi_in || state.spi == child.spi_out) return false;
    }
  return charon.readable && any;
}

std::optional<std::string> explain_pair(const CharonFacts& facts, const Prefix& own,
                                        const Prefix& peer,
                                        const std::vector<IpAddress>& peer_underlays) {
  if (!facts.readable || installed(facts, own, peer)) return std::nullopt;
  std::optional<std::string> elsewhere;
  for (const auto& connection : facts.connections)
    for (const auto& child : connection.children) {
      if (!covers_pair(child, own, peer)) continue;
      if (is_shunt(child))
        return child_words(connection, child) + " is a " +
               (child.mode == "PASS" ? "bypass: it leaves in clear" : "drop policy");
      if (!goes_elsewhere(connection, peer_underlays))
        return not_established(facts, connection, child);
      elsewhere = child_words(connection, child) + " has the pair, but its remote address is " +
                  printable(connection.remote_addresses.front()) + ", no address of the peer";
    }
  if (elsewhere) return elsewhere;
  return nearest(facts, own, peer, peer_underlays);
}

}  // namespace espial
