// SPDX-License-Identifier: Apache-2.0
// The nodes without any VPN: do the underlays reach each other, with packets of every size? Pure.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "diagnose/lookup/route_index.h"
#include "model/doctor_report.h"
#include "model/facts/facts.h"
#include "model/topology.h"

namespace espial {

// What asking an underlay address of a peer for an echo showed.
struct UnderlayEcho {
  IpAddress address;
  bool answered = false;
  std::optional<unsigned> asked_bytes{};  // the largest packet that was tried; nothing: the usual
  std::optional<unsigned> largest{};      // that passes, where the one of asked_bytes vanished
};

// The bytes that a packet by this route may have: its own MTU, else its device's; nothing: not
// known.
std::optional<unsigned> mtu_of(const RouteIndex& routes, const RouteFact& route);

// The addresses of this node that tunnels come from, by the underlay that they go to: rules and
// routes may treat what comes from elsewhere otherwise.
using TunnelSources = std::unordered_map<IpAddress, IpAddress, AddressHash>;
TunnelSources tunnel_sources(const KernelFacts& facts);
std::optional<IpAddress> source_to(const TunnelSources& sources, const IpAddress& underlay);

// How large an echo request shows whether all that may leave for the address arrives; nothing: not
// known.
std::optional<unsigned> echo_bytes(const RouteIndex& routes, const IpAddress& address);

// Adds to report: findings "underlay_route", "underlay_unreachable" and "mtu_black_hole". facts: as
// they were after the echoes, so that neighbours are those that answered.
void check_underlays(const Topology& topology, const KernelFacts& facts, const RouteIndex& routes,
                     const std::vector<UnderlayEcho>& echoes, DoctorReport& report);

}  // namespace espial
